"""Calibration: which models need it, its rows, and its effect on probabilities."""

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
from churnlib.model.fit import fit, fit_in_use
from churnlib.model.fitted_model import FittedModel
from churnlib.model.persistence import as_skops, load_pipeline
from churnlib.model.pipeline import build_pipeline
from churnlib.model.predict import predict, predict_by
from churnlib.model.training import train
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
def test_auto_calibrates_models_that_need_it(model: Step, expected: str) -> None:
    pipeline = build_pipeline([model], seed=1)
    assert method_for(pipeline, training(model)) == expected
    for method in ("none", "sigmoid", "isotonic"):
        assert method_for(pipeline, training(model, calibration=method)) == method


def test_only_the_last_step_decides_about_calibration() -> None:
    select = step("sklearn.feature_selection.SelectFromModel", "select", estimator=FOREST)
    steps = (ENCODE, IMPUTE, select, model_of(LOGISTIC))
    assert method_for(build_pipeline(steps, seed=1), training(*steps)) == "none"


@pytest.mark.parametrize("months", [1, 3])
def test_calibration_uses_the_last_months_and_fitting_the_earlier(months: int) -> None:
    model = calibrated(calibration_months=months)
    opens = date(2024, 7 - months, 1)
    assert model.calibration is not None
    assert model.calibration.to_json() == {
        "method": "isotonic",
        "start": f"2024-{7 - months:02}-15",
        "end": "2024-06-15",
        "rows": 200 * months,
        "churned": ROWS.filter(pl.col("sub_start_date") >= opens)["sub_churn"].sum(),
    }
    before = ROWS.filter(pl.col("sub_start_date") < opens)
    inner = model.pipeline.calibrated_classifiers_[0].estimator.estimator
    plain = calibrated(method="none", rows=before)
    assert model.schema == plain.schema
    assert predict_by(inner, model.schema, ROWS).to_list() == probabilities(plain, ROWS)


def test_rows_without_a_label_are_not_calibrated_on() -> None:
    late = pl.col("sub_start_date") >= date(2024, 6, 1)
    holes = ROWS.with_columns(sub_churn=pl.when(~late).then("sub_churn"))
    model = calibrated(rows=holes)
    assert model.calibration is not None
    assert model.calibration.end == date(2024, 5, 15)
    assert probabilities(model, ROWS) == probabilities(calibrated(rows=ROWS.filter(~late)), ROWS)


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
def test_calibrated_probabilities_follow_the_calibration_rows(
    name: str, method: CalibrationChoice
) -> None:
    # Churn is ten times rarer than in the months that the model was fitted to.
    late = pl.col("sub_start_date") >= OPENS
    keep = pl.when(late & (pl.col("sub_id") % 10 > 0)).then(0).otherwise("sub_churn")
    rows = ROWS.with_columns(sub_churn=keep.cast(pl.Int8))
    late_rows = rows.filter(late)
    plain, model = (calibrated(name, m, rows=rows) for m in ("none", method))
    rate = late_rows["sub_churn"].mean()
    calibrated_mean = np.mean(probabilities(model, late_rows))
    assert calibrated_mean == pytest.approx(rate, abs=0.005)
    before = calibrated(name, "none", rows=rows.filter(~late))
    assert np.mean(probabilities(before, late_rows)) > 0.3
    assert probabilities(plain, late_rows) != probabilities(model, late_rows)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration_keeps_the_order_of_risks(method: CalibrationChoice) -> None:
    model = calibrated("boosting", method)
    inner = model.pipeline.calibrated_classifiers_[0].estimator.estimator
    order = np.argsort(predict_by(inner, model.schema, ROWS).to_numpy(), kind="stable")
    assert (np.diff(np.array(probabilities(model, ROWS))[order]) >= -1e-12).all()


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
def test_calibrated_model_is_equal_after_saving_and_loading(
    name: str, method: CalibrationChoice
) -> None:
    model = calibrated(name, method)
    loaded = load_pipeline("model.skops", as_skops(model.pipeline), "hawk", "Train again.")
    assert predict_by(loaded, model.schema, ROWS).to_list() == probabilities(model, ROWS)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_model_in_use_is_fitted_to_all_rows_and_calibrated_as_the_tested_one(
    method: CalibrationChoice,
) -> None:
    tested = calibrated("forest", method, ROWS.head(800))
    before = probabilities(tested, ROWS)
    settings = training(*PIPELINES["forest"], calibration=method)
    model = fit_in_use(FeatureTable.of(ROWS), settings, 1, tested)
    plain = fit(ROWS, training(*PIPELINES["forest"], calibration="none"), seed=1)
    (rule,) = tested.pipeline.calibrated_classifiers_[0].calibrators
    expected = rule.predict(predict(plain, ROWS).to_numpy())
    assert probabilities(model, ROWS) == pytest.approx(expected.tolist(), abs=1e-12)
    assert model.calibration == tested.calibration
    assert model.base_rate == plain.base_rate
    assert probabilities(tested, ROWS) == before
    loaded = load_pipeline("model.skops", as_skops(model.pipeline), "hawk", "Train again.")
    assert predict_by(loaded, model.schema, ROWS).to_list() == probabilities(model, ROWS)


def test_model_in_use_may_take_columns_that_the_tested_one_had_to_leave_out() -> None:
    late = pl.col("sub_start_date") >= OPENS
    rows = ROWS.with_columns(vip_months=pl.when(late).then(pl.col("sub_months")))
    tested = calibrated("forest", "sigmoid", rows.filter(~late), calibration_months=1)
    settings = training(*PIPELINES["forest"], calibration="sigmoid")
    model = fit_in_use(FeatureTable.of(rows), settings, 1, tested)
    taken = [{feature.name for feature in each.schema.features} for each in (model, tested)]
    assert taken[0] - taken[1] == {"vip_months"}
    assert all(0 < p < 1 for p in probabilities(model, rows))


def test_libraries_inside_a_calibrated_model_are_listed() -> None:
    assert libraries_of(calibrated("lightgbm", "sigmoid")) == ["scikit-learn", "lightgbm"]


@pytest.mark.parametrize("size", [100, 10_000])
def test_calibration_does_not_depend_on_the_size_of_parts(size: int) -> None:
    settings = training(*PIPELINES["lightgbm_from_parts"], calibration="isotonic")
    parts = replace(FeatureTable.of(ROWS), size=size)
    assert probabilities(fit(parts, settings, 1), ROWS) == probabilities(
        fit(ROWS, settings, 1), ROWS
    )


def test_a_sample_is_calibrated_on_if_memory_cannot_hold_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training_module, "MOST_ROWS", 150)
    settings = training(*PIPELINES["lightgbm_from_parts"], calibration="isotonic")
    model = fit(replace(FeatureTable.of(ROWS), size=100), settings, 1)
    assert model.calibration is not None
    assert model.calibration.rows == 150
    assert calibrated(method="isotonic").calibration.rows == 600  # type: ignore[union-attr]


def test_training_returns_both_calibrations() -> None:
    settings = training(*FORESTS, validation_months=1, calibration_months=2)
    result = train(ROWS, settings, date(2024, 6, 30), seed=1, horizon_months=1)
    assert result.validated is not None
    assert result.model.calibration is not None
    assert (result.validated.start, result.validated.end) == (date(2024, 4, 15), date(2024, 5, 15))
    assert (result.model.calibration.start, result.model.calibration.end) == (
        date(2024, 5, 15),
        date(2024, 6, 15),
    )
    assert result.calibrations == {
        "kept": result.model.calibration.to_json(),
        "validated": result.validated.to_json(),
    }
    kept = train(ROWS, settings.model_copy(update={"refit": False}), date(2024, 6, 30), 1,
                 horizon_months=1)  # fmt: skip
    assert kept.model.calibration == kept.validated == result.validated


@pytest.mark.parametrize(
    ("rows", "months", "message"),
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
def test_too_few_rows_to_calibrate_on_are_refused(
    rows: pl.DataFrame, months: int, message: str
) -> None:
    with pytest.raises(TooFewRowsError) as caught:
        calibrated(rows=rows, calibration_months=months)
    assert message in str(caught.value)
    assert f"train.calibration_months = {months}" in str(caught.value)
    assert 'train.calibration = "none"' in str(caught.value)


def test_failure_to_calibrate_names_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("no such thing")

    monkeypatch.setattr("sklearn.calibration.CalibratedClassifierCV.fit", fail)
    with pytest.raises(ModelError, match=r"RandomForestClassifier cannot be fitted: no such"):
        calibrated()


def test_model_that_calibrates_itself_is_not_calibrated_again() -> None:
    inside = step(
        "sklearn.calibration.CalibratedClassifierCV",
        estimator=part("sklearn.ensemble.RandomForestClassifier", n_estimators=5),
        cv=2,
    )
    assert fit(ROWS, training(ENCODE, IMPUTE, inside), seed=1).calibration is None
