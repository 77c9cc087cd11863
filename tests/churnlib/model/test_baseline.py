"""The baseline model."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from churnlib.model import baseline
from churnlib.model.baseline import fit_baseline
from churnlib.model.feature_schema import FeatureSchema, learn_schema
from churnlib.model.feature_table import FeatureTable
from churnlib.model.persistence import as_skops
from churnlib.model.predict import predict_by
from churnlib.settings import FeatureChoice
from tests.churnlib.model.samples import features

ROWS = features(rows=400)


def schema_of(rows: pl.DataFrame) -> FeatureSchema:
    return learn_schema([rows], FeatureChoice())


def predictions(training_rows: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    schema = schema_of(training_rows)
    model = fit_baseline(FeatureTable.of(training_rows), schema)
    assert model is not None
    return predict_by(model, schema, rows)


def test_baseline_is_logistic_regression_on_scaled_and_one_hot_columns() -> None:
    rows = ROWS.select("sub_churn", "sub_months", "race", hard_balance=pl.col("sub_id") % 97)
    numbers = rows.select("sub_months", "hard_balance").to_numpy().astype(float)
    numbers = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0)
    values = rows.select(
        (pl.col("race").eq_missing(race)).cast(float).alias(race or "none")
        for race in ("dwarf", "elf", "human", None)
    ).to_numpy()
    reference = LogisticRegression(max_iter=500).fit(
        np.hstack([numbers, values]), rows["sub_churn"]
    )
    expected = reference.predict_proba(np.hstack([numbers, values]))[:, 1]
    assert predictions(rows, rows).to_numpy() == pytest.approx(expected, abs=1e-4)


def test_baseline_accepts_nulls_and_unseen_categories() -> None:
    new = ROWS.with_columns(
        race=pl.lit("orc"),
        sub_type=pl.lit(None, pl.String),
        hard_balance=pl.lit(None, pl.Float64),
        is_mastered=pl.lit(None, pl.Boolean),
    )
    assert predictions(ROWS, new).is_between(0, 1).all()


def test_baseline_ranks_churners_higher() -> None:
    probability = predictions(ROWS, features(rows=400, seed=5))
    outcome = features(rows=400, seed=5)["sub_churn"]
    churned, stayed = (probability.filter(outcome == kind).mean() for kind in (1, 0))
    assert isinstance(churned, float)
    assert isinstance(stayed, float)
    assert churned > stayed + 0.1


def test_baseline_is_fitted_to_a_sample_of_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "MOST_ROWS", 100)
    schema, parts = schema_of(ROWS), replace(FeatureTable.of(ROWS), size=30)
    sample = FeatureTable.of(FeatureTable.of(ROWS).sample(100).collect())
    in_parts, whole = (fit_baseline(rows, schema) for rows in (parts, sample))
    assert in_parts is not None
    assert whole is not None
    assert predict_by(in_parts, schema, ROWS).equals(predict_by(whole, schema, ROWS))


def test_baseline_is_none_with_infinite_values() -> None:
    infinite = ROWS.with_columns(hard_balance=pl.lit(float("inf")))
    assert fit_baseline(FeatureTable.of(infinite), schema_of(infinite)) is None


def test_baseline_can_be_saved_by_skops() -> None:
    model = fit_baseline(FeatureTable.of(ROWS), schema_of(ROWS))
    assert model is not None
    assert as_skops(model)
