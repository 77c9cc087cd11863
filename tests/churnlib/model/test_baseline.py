"""The plain model beside the configured one."""

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


def said(learnt: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    schema = schema_of(learnt)
    model = fit_baseline(FeatureTable.of(learnt), schema)
    assert model is not None
    return predict_by(model, schema, rows)


def test_it_is_a_logistic_regression_of_scaled_numbers_and_one_column_a_value() -> None:
    rows = ROWS.select("sub_churn", "sub_months", "race", hard_balance=pl.col("sub_id") % 97)
    numbers = rows.select("sub_months", "hard_balance").to_numpy().astype(float)
    numbers = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0)
    values = rows.select(
        (pl.col("race").eq_missing(race)).cast(float).alias(race or "none")
        for race in ("dwarf", "elf", "human", None)
    ).to_numpy()
    by_hand = LogisticRegression(max_iter=500).fit(np.hstack([numbers, values]), rows["sub_churn"])
    expected = by_hand.predict_proba(np.hstack([numbers, values]))[:, 1]
    assert said(rows, rows).to_numpy() == pytest.approx(expected, abs=1e-4)


def test_it_takes_nulls_and_categories_that_it_has_not_met() -> None:
    new = ROWS.with_columns(
        race=pl.lit("orc"),
        sub_type=pl.lit(None, pl.String),
        hard_balance=pl.lit(None, pl.Float64),
        is_mastered=pl.lit(None, pl.Boolean),
    )
    assert said(ROWS, new).is_between(0, 1).all()


def test_it_learns_something() -> None:
    probability = said(ROWS, features(rows=400, seed=5))
    outcome = features(rows=400, seed=5)["sub_churn"]
    churned, stayed = (probability.filter(outcome == kind).mean() for kind in (1, 0))
    assert isinstance(churned, float)
    assert isinstance(stayed, float)
    assert churned > stayed + 0.1


def test_of_many_rows_the_first_are_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "MOST_ROWS", 100)
    schema, parts = schema_of(ROWS), replace(FeatureTable.of(ROWS), size=30)
    few, first = (fit_baseline(rows, schema) for rows in (parts, FeatureTable.of(ROWS.head(100))))
    assert few is not None
    assert first is not None
    assert predict_by(few, schema, ROWS).equals(predict_by(first, schema, ROWS))


def test_a_model_of_what_it_cannot_take_goes_without_it() -> None:
    endless = ROWS.with_columns(hard_balance=pl.lit(float("inf")))
    assert fit_baseline(FeatureTable.of(endless), schema_of(endless)) is None


def test_a_skops_file_may_hold_it() -> None:
    model = fit_baseline(FeatureTable.of(ROWS), schema_of(ROWS))
    assert model is not None
    assert as_skops(model)
