"""Rows of one subscription and overlapping label windows never fall on both sides of a split."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from churnlib.errors import DataError, ModelError, TooFewRowsError
from churnlib.model.by_character import CharacterFolds
from churnlib.model.calibration import split_off_calibration
from churnlib.model.feature_table import FeatureTable
from churnlib.model.fit import fit
from churnlib.model.nested import estimators_in
from churnlib.model.persistence import as_skops, load_pipeline
from churnlib.model.pipeline import build_pipeline, check_pipeline
from churnlib.model.training import Training, train
from churnlib.settings import Step, TrainSettings
from tests.churnlib.model.samples import (
    BOOSTING,
    ENCODE,
    FOREST,
    IMPUTE,
    LOGISTIC,
    PIPELINES,
    Params,
    features,
    model_of,
    monthly_features,
    part,
    probabilities,
    step,
    training,
)
from tests.variants import slow_but

ROWS = monthly_features()
END = date(2024, 12, 31)
STOPPING = part(BOOSTING["type"], **BOOSTING["params"] | {"early_stopping": True, "max_iter": 300})
CROSS_FITTED = [
    name
    for name, steps in PIPELINES.items()
    if any("cv" in e.get_params(deep=False) for _, e in estimators_in(build_pipeline(steps, 1)))
]


def trained(horizon: int, settings: TrainSettings | None = None) -> Training:
    settings = settings or training(model_of(BOOSTING), refit=False)
    return train(ROWS, settings, END, seed=1, horizon_months=horizon)


def test_rows_on_other_days_than_the_start_are_monthly() -> None:
    assert FeatureTable.of(ROWS).is_monthly
    assert not FeatureTable.of(features()).is_monthly
    assert not FeatureTable.of(features().drop("day")).is_monthly
    assert not FeatureTable.of(ROWS.with_columns(day="sub_start_date")).is_monthly
    assert FeatureTable.of(ROWS).where(pl.col("day") < date(2000, 1, 1)).is_monthly


# Validation


@pytest.mark.parametrize(("horizon", "last"), [(1, 9), (6, 4), (9, 1)])
def test_validated_model_knows_no_label_of_the_validated_months(horizon: int, last: int) -> None:
    result = trained(horizon)
    assert result.warning is None
    fitted_to = result.scored.filter(slice="in_sample")["sub_id"]
    assert fitted_to.value_counts()["count"].unique().to_list() == [last]
    # A month later, the label of the last row would tell churn within the validation.
    assert date(2024, last, 1).month + horizon == date(2024, 10, 1).month


def test_too_few_available_labels_are_an_error_that_names_what_to_change() -> None:
    with pytest.raises(TooFewRowsError, match=r"of 1,080 earlier labels only 0 \(0 churned\)") as e:
        trained(10)
    for setting in ("windows.train", "train.validation_months = 3", "horizon_months = 10"):
        assert setting in str(e.value)


# Calibration


@pytest.mark.parametrize(("months", "horizon", "last"), [(3, 6, 4), (2, 4, 7), (3, 1, 9)])
def test_calibration_leaves_a_horizon_between_its_rows_and_those_fitted_to(
    months: int, horizon: int, last: int
) -> None:
    settings = training(model_of(FOREST), calibration_months=months)
    before, after = split_off_calibration(FeatureTable.of(ROWS), "isotonic", settings, horizon)
    assert before.columns("day")["day"].max() == date(2024, last, 1)
    assert after.columns("day")["day"].min() == date(2024, 13 - months, 1)


def test_calibration_at_the_start_grain_leaves_no_row_out() -> None:
    settings = training(model_of(FOREST))
    rows = FeatureTable.of(features(1_200))
    sides = split_off_calibration(rows, "isotonic", settings, 6)
    assert sum(side.columns("day").height for side in sides) == 1_200


def test_calibration_by_month_needs_the_horizon() -> None:
    settings = training(ENCODE, IMPUTE, model_of(FOREST))
    assert fit(ROWS, settings, seed=1, horizon_months=6).calibration
    with pytest.raises(DataError, match=r"pass horizon_months = settings\.horizon_months"):
        fit(ROWS, settings, seed=1)


def test_too_few_rows_before_the_horizon_are_named() -> None:
    settings = training(ENCODE, IMPUTE, model_of(FOREST))
    with pytest.raises(TooFewRowsError, match=r"before 2024-01-01 \(horizon_months = 10 before"):
        fit(ROWS, settings, seed=1, horizon_months=10)


def test_calibration_needs_enough_churned_subscriptions_and_not_months() -> None:
    settings = training(ENCODE, IMPUTE, model_of(FOREST))
    rows = ROWS.with_columns(sub_churn=(pl.col("char_id") < 10).cast(pl.Int8))
    assert fit(rows, settings, seed=1, horizon_months=6).calibration
    few = rows.with_columns(sub_churn=(pl.col("char_id") < 9).cast(pl.Int8))
    with pytest.raises(TooFewRowsError, match=r"120 subscriptions \(9 churned\) to calibrate on"):
        fit(few, settings, seed=1, horizon_months=6)


# Early stopping


@pytest.fixture
def stopped_by(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any, Any]]:
    """The rows, the rows to stop by, and the outcomes of these, of each fit that stops early."""
    seen: list[tuple[Any, Any, Any]] = []
    original = HistGradientBoostingClassifier.fit

    def spy(self: Any, rows: Any, outcome: Any, **named: Any) -> Any:
        if "X_val" in named:
            seen.append((rows, named["X_val"], named["y_val"]))
        return original(self, rows, outcome, **named)

    monkeypatch.setattr(HistGradientBoostingClassifier, "fit", spy)
    return seen


@pytest.mark.parametrize("before", [(), (ENCODE,), (ENCODE, IMPUTE)])
def test_boosting_stops_by_characters_that_it_is_not_fitted_to(
    before: tuple[Step, ...], stopped_by: list[tuple[Any, Any, Any]]
) -> None:
    model = fit(ROWS, training(*before, model_of(STOPPING)), seed=1)
    ((fitted, aside, outcome),) = stopped_by
    # The balance tells the character.
    balance = next(name for name in aside.columns if name.endswith("hard_balance"))
    assert not set(fitted[balance]) & set(aside[balance])
    assert len(fitted) + len(aside) == len(ROWS)
    assert (aside[balance].n_unique(), len(aside), int(outcome.sum())) == (12, 144, 48)
    # Its rows have other features than those of any character that it knows: it soon stops.
    assert model.pipeline[-1].n_iter_ < 40
    pipeline = model.pipeline
    assert as_skops(pipeline)
    assert len(probabilities(model, ROWS)) == len(ROWS)


def test_boosting_that_stops_by_random_rows_would_remember_characters() -> None:
    names = ["hard_balance", "tenure_months"]
    by_rows = HistGradientBoostingClassifier(**STOPPING["params"], random_state=1)
    by_rows.fit(ROWS.select(names).to_numpy(), ROWS["sub_churn"].to_numpy())
    assert by_rows.n_iter_ > 100


@pytest.mark.parametrize(
    ("params", "share"),
    [
        ({"early_stopping": True, "validation_fraction": 0.25}, 0.25),
        ({"early_stopping": True, "validation_fraction": 288}, 0.2),
        ({"early_stopping": True, "validation_fraction": None}, None),
        ({"early_stopping": False}, None),
        ({"early_stopping": "auto"}, None),
    ],
)
def test_validation_fraction_is_of_the_characters(
    params: Params, share: float | None, stopped_by: list[tuple[Any, Any, Any]]
) -> None:
    fit(ROWS, training(model_of(part(BOOSTING["type"], **BOOSTING["params"] | params))), seed=1)
    assert [len(aside) / len(ROWS) for _, aside, _ in stopped_by] == ([share] if share else [])


def test_many_rows_stop_automatically(stopped_by: list[tuple[Any, Any, Any]]) -> None:
    fit(monthly_features(900), training(model_of(BOOSTING)), seed=1)
    assert len(stopped_by) == 1


def test_too_few_characters_to_stop_by_are_an_error() -> None:
    rows = ROWS.with_columns(sub_churn=(pl.col("char_id") == 7).cast(pl.Int8))
    with pytest.raises(TooFewRowsError, match=r"sets 10\.0% of 120 characters aside"):
        fit(rows, training(model_of(STOPPING)), seed=1)


def test_other_seeds_set_other_characters_aside(stopped_by: list[tuple[Any, Any, Any]]) -> None:
    for seed in (1, 1, 2):
        fit(ROWS, training(model_of(STOPPING)), seed=seed)
    first, again, other = (set(aside["hard_balance"]) for _, aside, _ in stopped_by)
    assert first == again
    assert first != other


def test_row_order_does_not_decide_who_is_set_aside(stopped_by: list[tuple[Any, Any, Any]]) -> None:
    for rows in (ROWS, ROWS.sample(fraction=1, shuffle=True, seed=3)):
        fit(rows, training(model_of(STOPPING)), seed=1)
    first, shuffled = (set(aside["hard_balance"]) for _, aside, _ in stopped_by)
    assert first == shuffled


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((step("sklearn.neural_network.MLPClassifier", early_stopping=True),), "early_stopping"),
        (
            (step("sklearn.ensemble.GradientBoostingClassifier", n_iter_no_change=5),),
            "Leave n_iter_no_change out",
        ),
        (
            (step("sklearn.calibration.CalibratedClassifierCV", estimator=STOPPING),),
            "Set early_stopping = false in it",
        ),
        (
            (
                step(
                    "sklearn.model_selection.GridSearchCV",
                    estimator=part(BOOSTING["type"], early_stopping=False),
                    param_grid={"early_stopping": [True, False]},
                ),
            ),
            "a search over early_stopping",
        ),
        (
            (
                step(
                    "sklearn.model_selection.TunedThresholdClassifierCV", estimator=LOGISTIC, cv=0.2
                ),
            ),
            r"cv = 0\.2 sets rows aside at random",
        ),
    ],
)
def test_random_splits_are_refused_before_features_are_built(
    steps: tuple[Step, ...], message: str
) -> None:
    settings = training(*steps)
    with pytest.raises(ModelError, match=message) as caught:
        check_pipeline(settings, ROWS.schema)
    assert "step 'model'" in str(caught.value)
    with pytest.raises(ModelError, match=message):
        fit(ROWS, settings, seed=1)
    check_pipeline(settings, features().schema)


# Folds


def never_stopping(value: Any) -> Any:
    """The parameters of estimators, with histogram gradient boosting that does not stop early."""
    if isinstance(value, list):
        return [never_stopping(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == BOOSTING["type"]:
        return part(BOOSTING["type"], **value["params"] | {"early_stopping": False})
    return {name: never_stopping(each) for name, each in value.items()}


@pytest.mark.parametrize("name", slow_but(*CROSS_FITTED[:2], of=CROSS_FITTED))
def test_folds_are_by_character(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = CharacterFolds.split
    seen: list[int] = []

    def spy(self: Any, *given: Any, **named: Any) -> Iterator[Any]:
        characters = ROWS["char_id"].to_numpy()
        tested: list[int] = []
        for fitted, test in original(self, *given, **named):
            assert not set(characters[fitted]) & set(characters[test])
            assert len(fitted) + len(test) == len(ROWS)
            tested += test.tolist()
            yield fitted, test
        assert sorted(tested) == list(range(len(ROWS)))
        seen.append(self.n_splits)

    monkeypatch.setattr(CharacterFolds, "split", spy)
    # The columns that some of the pipelines name.
    rows = ROWS.with_columns(
        sub_months=pl.col("char_id") % 12,
        currency_age_months=pl.col("hard_balance") % 7,
        is_first_sub=pl.col("char_id") % 4 == 0,
    )
    steps = [s.model_copy(update={"params": never_stopping(s.params)}) for s in PIPELINES[name]]
    model = fit(rows, training(*steps, calibration="none"), seed=1)
    assert seen
    loaded = load_pipeline("model.skops", as_skops(model.pipeline), "model", "Train again.")
    table = model.schema.apply(rows)
    assert np.array_equal(loaded.predict_proba(table), model.pipeline.predict_proba(table))


def test_churners_are_dealt_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    churned: list[int] = []
    original = CharacterFolds.split

    def spy(self: Any, table: Any, outcome: Any, groups: Any = None) -> Iterator[Any]:
        for fitted, test in original(self, table, outcome, groups):
            churned.append(int(outcome[test].sum()))
            yield fitted, test

    monkeypatch.setattr(CharacterFolds, "split", spy)
    fit(ROWS, training(*PIPELINES["forest_calibrated"], calibration="none"), seed=1)
    assert churned == [240, 240]


def test_folds_inside_other_folds_are_refused() -> None:
    inner = part("sklearn.calibration.CalibratedClassifierCV", estimator=LOGISTIC, cv=2)
    stack = step(
        "sklearn.ensemble.StackingClassifier", estimators=[["inner", inner], ["line", LOGISTIC]]
    )
    with pytest.raises(ModelError, match="folds are by character, which is not possible inside"):
        fit(ROWS, training(ENCODE, IMPUTE, stack), seed=1)
