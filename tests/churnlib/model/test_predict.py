"""Predictions: each depends on its own row only, and ranks follow the probabilities."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from churnlib.errors import ModelError
from churnlib.metrics.batch_changes import add_previous
from churnlib.metrics.contact import add_contact
from churnlib.model import threads
from churnlib.model.feature_schema import Feature, FeatureSchema
from churnlib.model.fit import fit
from churnlib.model.fitted_model import FittedModel
from churnlib.model.predict import predict, rank_by_risk
from churnlib.schemas.columns import PROBABILITY
from tests.base import output_tables
from tests.churnlib.model.samples import (
    PIPELINES,
    features,
    fitted,
    probabilities,
    training,
    usual,
)

PROJECT = Path(__file__).resolve().parents[3]
ROWS = features()
FIT = """
import json, sys
from tests.churnlib.model.samples import features, fitted, probabilities
rows = features()
print(json.dumps({name: probabilities(fitted(name), rows) for name in sys.argv[1:]}))
"""
THREADED = ("boosting", "boosting_calibrated", "forest", "gradient_boosting", "lightgbm",
            "lightgbm_from_parts", "logistic", "stack", "skrub")  # fmt: skip


class Constant(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts a constant, and records how many threads it may use."""

    def __init__(self, value: float = 0.5) -> None:
        self.value = value
        self.threads = 0

    def fit(self, frame: pl.DataFrame, outcome: Any) -> "Constant":
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, frame: pl.DataFrame) -> Any:
        self.threads = joblib.effective_n_jobs(-1)
        return np.full((len(frame), 2), self.value)


SCHEMA = FeatureSchema((Feature("hard_balance", "number"),))


def constant(value: float) -> FittedModel:
    """A model that predicts the same for every row."""
    return FittedModel(Pipeline([("model", Constant(value))]), SCHEMA)


def test_prediction_depends_on_its_row_only() -> None:
    for name in ("boosting", "forest", "logistic"):
        model = usual(name)
        whole = probabilities(model, ROWS)
        assert probabilities(model, ROWS.reverse()) == whole[::-1]
        assert probabilities(model, ROWS[50:60]) == whole[50:60]
        columns = sorted(ROWS.columns, reverse=True)
        assert probabilities(model, ROWS.select(columns).with_columns(more=1)) == whole


def test_the_probability_is_that_of_churn() -> None:
    model = usual("boosting")
    churned = ROWS["sub_churn"].cast(bool)
    predicted = predict(model, ROWS)
    assert predicted.name == PROBABILITY
    assert predicted.dtype == pl.Float64
    mean_of = {flag: predicted.filter(churned == flag).mean() for flag in (True, False)}
    assert mean_of[True] > mean_of[False]  # type: ignore[operator]


def test_unseen_categories_are_predicted_as_nulls() -> None:
    model = usual("boosting")
    new, none = (ROWS.with_columns(race=pl.lit(v, pl.String)) for v in ("orc", None))
    assert probabilities(model, new) == probabilities(model, none)


def test_no_rows_give_no_predictions() -> None:
    model = usual("boosting")
    predicted = predict(model, ROWS.clear())
    assert predicted.is_empty()
    assert predicted.name == PROBABILITY
    assert predicted.dtype == pl.Float64


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf")])
def test_values_outside_0_to_1_are_refused(value: float) -> None:
    with pytest.raises(ModelError, match="not probabilities between 0 and 1"):
        predict(constant(value), ROWS)


@pytest.mark.parametrize("error", [ValueError("no such\nlevel"), RuntimeError("no such")])
def test_exception_of_a_step_is_reported(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Constant, "predict_proba", fail)
    message = f"^the model cannot predict these rows: {type(error).__name__}: no such.$"
    with pytest.raises(ModelError, match=message):
        predict(constant(0.5), ROWS)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_0_and_1_are_valid_probabilities(value: float) -> None:
    assert predict(constant(value), ROWS).unique().to_list() == [value]


def test_predicting_uses_one_thread_and_does_not_change_the_model() -> None:
    model = constant(0.5)
    with joblib.parallel_config(n_jobs=2):
        predict(model, ROWS)
    assert model.pipeline.named_steps["model"].threads == 1
    forest = fit(ROWS, training(*PIPELINES["forest"], calibration="none"), seed=1)
    predict(forest, ROWS)
    assert forest.pipeline.named_steps["model"].n_jobs == 2


@pytest.mark.slow
def test_predictions_are_the_same_bits_on_one_and_two_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "MIN_ROWS", 0)
    one = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "PYTHONHASHSEED": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FIT, *THREADED],
        env=os.environ | one,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    with threadpool_limits(2):
        on_two_threads = {name: probabilities(fitted(name), ROWS) for name in THREADED}
    # JSON preserves floats to the bit.
    assert json.loads(done.stdout) == on_two_threads


def test_ranks_follow_risk_and_ties_follow_the_key() -> None:
    keys = {"char_id": [1, 2, 3, 4], "sub_id": [14, 13, 12, 11]}
    batch = pl.DataFrame({**keys, PROBABILITY: [0.2, 0.9, 0.2, 0.5]}).with_columns(
        sub_start_date=pl.date(2024, 1, 1), day=pl.date(2024, 2, 1), other=1
    )
    ranked = rank_by_risk(batch, "v1")
    for may_contact in (True, False):
        flagged = add_contact(ranked, 0.3, 0.05, may_contact=may_contact).pipe(add_previous, None)
        output_tables()["predictions"].schema.validate(flagged)
    assert ranked["baseline_probability"].null_count() == 4
    assert ranked.select("risk_rank", "sub_id").rows() == [(1, 13), (2, 11), (3, 12), (4, 14)]
    assert ranked["model_version"].unique().to_list() == ["v1"]
    assert rank_by_risk(batch.reverse(), "v1").equals(ranked)
    beside = batch.with_columns(baseline_probability=pl.col("sub_id") / 100)
    ranked = rank_by_risk(beside, "v1")
    output_tables()["predictions"].schema.validate(
        add_contact(ranked, 0.3, 0.05).pipe(add_previous, None)
    )
    assert ranked["baseline_probability"].to_list() == [0.13, 0.11, 0.12, 0.14]


def test_an_empty_batch_gives_an_empty_table() -> None:
    batch = ROWS.clear().with_columns(pl.lit(None, pl.Float64).alias(PROBABILITY))
    output_tables()["predictions"].schema.validate(
        add_contact(rank_by_risk(batch, "v1"), 0.3, 0.05).pipe(add_previous, None)
    )
