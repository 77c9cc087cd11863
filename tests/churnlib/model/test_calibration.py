"""Calibration: which models, on which rows, how well, and what stays as it is."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from churnlib.errors import ModelError, TooFewRowsError
from churnlib.model import fit as training_module
from churnlib.model.calibration import method_for
from churnlib.model.feature_table import FeatureTable
from churnlib.model.fit import fit, train
from churnlib.model.fitted_model import FittedModel
from churnlib.model.persistence import as_skops, load_pipeline
from churnlib.model.pipeline import build_pipeline
from churnlib.model.predict import predict_by
from churnlib.settings import CalibrationChoice, Step
from churnlib.versions.verification import libraries_of
from tests.churnlib.model.samples import (
    ENCODE,
    FOREST,
    IMPUTE,
    LOGISTIC,
    PIPELINES,
    features,
    model_of,
    part,
    probabilities,
    step,
    training,
)

ROWS = features(1_200)
"""200 subscriptions begun on the 15th of each of January to June 2024."""
OPENS = date(2024, 4, 1)
FORESTS = PIPELINES["forest"]
BALANCED = step("sklearn.linear_model.LogisticRegression", class_weight="balanced")


def calibrated(
    name: str = "forest",
    method: CalibrationChoice = "auto",
    rows: pl.DataFrame = ROWS,
    **other: Any,
) -> FittedModel:
    return fit(rows, training(*PIPELINES[name], calibration=method, **other), seed=1)


def classifier(type_name: str, **params: Any) -> Step:
    return step(f"sklearn.{type_name}", **params)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (classifier("ensemble.HistGradientBoostingClassifier"), "none"),
        (classifier("ensemble.GradientBoostingClassifier"), "none"),
        (classifier("linear_model.LogisticRegression"), "none"),
        (step("lightgbm.LGBMClassifier"), "none"),
        (step("churnlib.model.boosting.LGBMFromParts"), "none"),
        (classifier("ensemble.RandomForestClassifier"), "isotonic"),
        (classifier("ensemble.ExtraTreesClassifier"), "isotonic"),
        (classifier("naive_bayes.GaussianNB"), "isotonic"),
        (BALANCED, "isotonic"),
        (classifier("calibration.CalibratedClassifierCV", estimator=FOREST), "none"),
        (classifier("ensemble.VotingClassifier", estimators=[["a", FOREST]]), "isotonic"),
        (classifier("ensemble.VotingClassifier", estimators=[["a", LOGISTIC]]), "none"),
        (classifier("ensemble.StackingClassifier", estimators=[["a", FOREST]]), "none"),
        (
            classifier(
                "ensemble.StackingClassifier",
                estimators=[["a", LOGISTIC]],
                final_estimator=FOREST,
            ),
            "isotonic",
        ),
        (
            classifier(
                "model_selection.GridSearchCV", estimator=FOREST, param_grid={"max_depth": [2]}
            ),
            "isotonic",
        ),
    ],
)
def test_auto_calibrates_what_needs_it(model: Step, expected: str) -> None:
    pipeline = build_pipeline([model], seed=1)
    assert method_for(pipeline, training(model)) == expected
    for stated in ("none", "sigmoid", "isotonic"):
        assert method_for(pipeline, training(model, calibration=stated)) == stated


def test_a_step_before_the_model_decides_nothing() -> None:
    select = step("sklearn.feature_selection.SelectFromModel", "select", estimator=FOREST)
    steps = (ENCODE, IMPUTE, select, model_of(LOGISTIC))
    assert method_for(build_pipeline(steps, seed=1), training(*steps)) == "none"


@pytest.mark.parametrize("months", [1, 3])
def test_the_last_months_calibrate_and_those_before_fit(months: int) -> None:
    made = calibrated(calibration_months=months)
    opens = date(2024, 7 - months, 1)
    assert made.calibration is not None
    assert made.calibration.to_json() == {
        "method": "isotonic",
        "start": f"2024-{7 - months:02}-15",
        "end": "2024-06-15",
        "rows": 200 * months,
        "churned": ROWS.filter(pl.col("sub_start_date") >= opens)["sub_churn"].sum(),
    }
    before = ROWS.filter(pl.col("sub_start_date") < opens)
    inner = made.pipeline.calibrated_classifiers_[0].estimator.estimator
    plain = calibrated(method="none", rows=before)
    assert made.schema == plain.schema
    assert predict_by(inner, made.schema, ROWS).to_list() == probabilities(plain, ROWS)


def test_labels_not_yet_known_calibrate_nothing() -> None:
    late = pl.col("sub_start_date") >= date(2024, 6, 1)
    holes = ROWS.with_columns(sub_churn=pl.when(~late).then("sub_churn"))
    made = calibrated(rows=holes)
    assert made.calibration is not None
    assert made.calibration.end == date(2024, 5, 15)
    assert probabilities(made, ROWS) == probabilities(calibrated(rows=ROWS.filter(~late)), ROWS)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("forest", "sigmoid"),
        ("forest", "isotonic"),
        ("boosting", "isotonic"),
        ("lightgbm", "sigmoid"),
        ("lightgbm_from_parts", "sigmoid"),
    ],
)
def test_calibrated_probabilities_follow_the_rows_that_calibrate(
    name: str, method: CalibrationChoice
) -> None:
    # All churn is ten times rarer than in the months that the model was fitted on.
    late = pl.col("sub_start_date") >= OPENS
    keep = pl.when(late & (pl.col("sub_id") % 10 > 0)).then(0).otherwise("sub_churn")
    rows = ROWS.with_columns(sub_churn=keep.cast(pl.Int8))
    shown = rows.filter(late)
    plain, made = (calibrated(name, m, rows=rows) for m in ("none", method))
    rate = shown["sub_churn"].mean()
    mended = np.mean(probabilities(made, shown))
    assert mended == pytest.approx(rate, abs=0.005)
    before = calibrated(name, "none", rows=rows.filter(~late))
    assert np.mean(probabilities(before, shown)) > 0.3
    assert probabilities(plain, shown) != probabilities(made, shown)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration_keeps_the_order_of_risks(method: CalibrationChoice) -> None:
    made = calibrated("boosting", method)
    inner = made.pipeline.calibrated_classifiers_[0].estimator.estimator
    order = np.argsort(predict_by(inner, made.schema, ROWS).to_numpy(), kind="stable")
    assert (np.diff(np.array(probabilities(made, ROWS))[order]) >= -1e-12).all()


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("boosting", "sigmoid"),
        ("forest", "isotonic"),
        ("lightgbm", "sigmoid"),
        ("skrub", "isotonic"),
        ("vote", "sigmoid"),
    ],
)
def test_a_calibrated_model_goes_through_its_file(name: str, method: CalibrationChoice) -> None:
    made = calibrated(name, method)
    loaded = load_pipeline("model.skops", as_skops(made.pipeline), "hawk", "Train again.")
    assert predict_by(loaded, made.schema, ROWS).to_list() == probabilities(made, ROWS)


def test_the_libraries_inside_a_calibrated_model_are_found() -> None:
    assert libraries_of(calibrated("lightgbm", "sigmoid")) == ["scikit-learn", "lightgbm"]


@pytest.mark.parametrize("size", [100, 10_000])
def test_rows_in_parts_calibrate_as_one(size: int) -> None:
    settings = training(*PIPELINES["lightgbm_from_parts"], calibration="isotonic")
    parts = replace(FeatureTable.of(ROWS), size=size)
    assert probabilities(fit(parts, settings, 1), ROWS) == probabilities(
        fit(ROWS, settings, 1), ROWS
    )


def test_of_more_rows_than_memory_holds_the_first_calibrate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training_module, "MOST_ROWS", 150)
    settings = training(*PIPELINES["lightgbm_from_parts"], calibration="isotonic")
    made = fit(replace(FeatureTable.of(ROWS), size=100), settings, 1)
    assert made.calibration is not None
    assert made.calibration.rows == 200
    assert calibrated(method="isotonic").calibration.rows == 600  # type: ignore[union-attr]


def test_training_tells_both_calibrations() -> None:
    settings = training(*FORESTS, validation_months=1, calibration_months=2)
    made = train(ROWS, settings, date(2024, 6, 30), seed=1, horizon_months=1)
    assert made.validated is not None
    assert made.model.calibration is not None
    assert (made.validated.start, made.validated.end) == (date(2024, 4, 15), date(2024, 5, 15))
    assert (made.model.calibration.start, made.model.calibration.end) == (
        date(2024, 5, 15),
        date(2024, 6, 15),
    )
    assert made.calibrations == {
        "kept": made.model.calibration.to_json(),
        "validated": made.validated.to_json(),
    }
    kept = train(ROWS, settings.model_copy(update={"refit": False}), date(2024, 6, 30), 1,
                 horizon_months=1)  # fmt: skip
    assert kept.model.calibration == kept.validated == made.validated


@pytest.mark.parametrize(
    ("rows", "months", "told"),
    [
        (ROWS, 6, "leaves 0 rows (0 churned) to fit on before 2024-01-01 and 1,200 rows"),
        (
            ROWS.with_columns(sub_churn=pl.when(pl.col("sub_start_date") < OPENS)
                              .then("sub_churn").otherwise(0).cast(pl.Int8)),
            3,
            "and 600 rows (0 churned) to calibrate on from then",
        ),
        (
            ROWS.with_columns(sub_churn=pl.when(pl.col("sub_start_date") >= OPENS)
                              .then("sub_churn").otherwise(1).cast(pl.Int8)),
            3,
            "leaves 600 rows (600 churned) to fit on before 2024-04-01",
        ),
    ],
)  # fmt: skip
def test_too_little_to_calibrate_on_is_told(rows: pl.DataFrame, months: int, told: str) -> None:
    with pytest.raises(TooFewRowsError) as caught:
        calibrated(rows=rows, calibration_months=months)
    assert told in str(caught.value)
    assert f"train.calibration_months = {months}" in str(caught.value)
    assert 'train.calibration = "none"' in str(caught.value)


def test_a_model_that_cannot_be_asked_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("no such thing")

    monkeypatch.setattr("sklearn.calibration.CalibratedClassifierCV.fit", fail)
    with pytest.raises(ModelError, match=r"RandomForestClassifier cannot be fitted: no such"):
        calibrated()


def test_a_part_of_a_step_may_be_calibrated_too() -> None:
    inside = step(
        "sklearn.calibration.CalibratedClassifierCV",
        estimator=part("sklearn.ensemble.RandomForestClassifier", n_estimators=5),
        cv=2,
    )
    assert fit(ROWS, training(ENCODE, IMPUTE, inside), seed=1).calibration is None
