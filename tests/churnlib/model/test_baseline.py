"""The baseline model."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

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


def test_baseline_is_logistic_regression_on_ranks_and_one_hot_columns() -> None:
    rows = ROWS.select("sub_churn", "sub_months", "race", hard_balance=pl.col("sub_id") % 97)
    numbers = rankdata(rows.select("sub_months", "hard_balance").to_numpy(), axis=0)
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


@pytest.mark.parametrize("extreme", [9.2e15, 1e300, float("inf"), -1e300])
@pytest.mark.filterwarnings("error")
def test_extreme_values_do_not_ruin_the_baseline(extreme: float) -> None:
    """In a sixteenth of the rows, of training as of later ones."""
    rows, later = features(rows=2000), features(rows=4000, seed=5)

    def spoil(rows: pl.DataFrame) -> pl.DataFrame:
        is_odd = pl.int_range(pl.len()) % 16 == 3
        return rows.with_columns(
            hard_balance=pl.when(is_odd).then(extreme).otherwise("hard_balance")
        )

    aucs = [
        roc_auc_score(later["sub_churn"], predictions(training, scored))
        for training, scored in ((rows, later), (spoil(rows), spoil(later)))
    ]
    # The balance itself is lost in a sixteenth of the rows.
    without = predictions(rows.drop("hard_balance"), later.drop("hard_balance"))
    worth = aucs[0] - roc_auc_score(later["sub_churn"], without)
    assert worth > 0.05
    assert aucs[1] > aucs[0] - worth / 8


def test_no_column_of_nulls_stops_the_baseline() -> None:
    rows = ROWS.with_columns(hard_balance=pl.lit(None, pl.Float64), sub_months=pl.lit(3))
    schema = schema_of(ROWS)
    model = fit_baseline(FeatureTable.of(rows), schema)
    assert model is not None
    assert predict_by(model, schema, ROWS).is_between(0, 1).all()


def test_baseline_can_be_saved_by_skops() -> None:
    model = fit_baseline(FeatureTable.of(ROWS), schema_of(ROWS))
    assert model is not None
    assert as_skops(model)
