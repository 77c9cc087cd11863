"""Training rows that a campaign contacted, or held out."""

import numpy as np
import polars as pl
import pytest

from churnlib.errors import DataError, ModelError
from churnlib.features.campaign import CONTACTED, HELD_OUT, NONE
from churnlib.model.fit import fit
from churnlib.model.pipeline import check_pipeline
from churnlib.model.predict import predict
from churnlib.settings import FeatureChoice, TrainSettings
from tests.churnlib.model.samples import (
    BOOSTING,
    IMPUTE,
    PIPELINES,
    SCALE,
    features,
    step,
    training,
)

ROWS = features(600)
LOGISTIC = (IMPUTE, SCALE, step("sklearn.linear_model.LogisticRegression", C=1e6, max_iter=5000))
NUMBERS = FeatureChoice(include=("hard_balance",))
BOOSTED = PIPELINES["boosting"]


def flagged(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of which every third is contacted, and every seventh of the others held out."""
    number = pl.int_range(pl.len())
    kind = (
        pl.when(number % 3 == 0)
        .then(pl.lit(CONTACTED))
        .when(number % 7 == 1)
        .then(pl.lit(HELD_OUT))
        .otherwise(pl.lit(NONE))
    )
    weight = kind.replace_strict({CONTACTED: 0.0, HELD_OUT: 4.0, NONE: 1.0})
    return rows.with_columns(campaign=kind, campaign_weight=weight)


FLAGGED = flagged(ROWS)


def predictions(rows: pl.DataFrame, settings: TrainSettings) -> pl.Series:
    return predict(fit(rows, settings, 1), ROWS)


def test_contacted_rows_are_learnt_from_by_default() -> None:
    plain = training(*BOOSTED)
    assert predictions(FLAGGED, plain).equals(predictions(ROWS, plain))


def test_contacted_rows_are_dropped_if_asked() -> None:
    others = FLAGGED.filter(pl.col("campaign") != CONTACTED)
    expected = predictions(others, training(*BOOSTED))
    assert predictions(FLAGGED, training(*BOOSTED, contacted="drop")).equals(expected)


def test_held_out_rows_count_for_those_contacted_if_asked() -> None:
    model = fit(FLAGGED, training(*LOGISTIC, contacted="weight", features=NUMBERS), 1)
    times = pl.col("campaign_weight").cast(pl.Int64)
    repeated = FLAGGED.select(pl.all().repeat_by(times).explode()).drop_nulls("sub_id")
    expected = fit(repeated, training(*LOGISTIC, features=NUMBERS), 1)
    # The imputed and scaled columns differ a little, because only the model is weighted.
    assert (predict(model, ROWS) - predict(expected, ROWS)).abs().to_numpy().max() < 1e-3
    assert model.base_rate == pytest.approx(expected.base_rate)


def monthly(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col("day").dt.offset_by("1mo"))


def test_weights_count_at_the_monthly_grain_too() -> None:
    stopped = PIPELINES["boosting_stopped_early"]
    rows = monthly(flagged(features(1200)))
    weighted = fit(rows, training(*stopped, contacted="weight"), 1, horizon_months=2)
    dropped = fit(rows, training(*stopped, contacted="drop"), 1, horizon_months=2)
    assert not predict(weighted, ROWS).equals(predict(dropped, ROWS))
    held_out = rows.filter(pl.col("campaign") == HELD_OUT)["sub_churn"].mean()
    assert isinstance(held_out, float) and dropped.base_rate and weighted.base_rate
    assert abs(weighted.base_rate - held_out) < abs(dropped.base_rate - held_out)


def test_held_out_show_the_risk_that_a_campaign_hides() -> None:
    """A campaign saves most of those at risk, so that a model of all rows underrates them."""
    rng = np.random.default_rng(3)
    balance = rng.normal(size=20_000)
    risk = 1 / (1 + np.exp(2 - 2 * balance))
    reached, spared = risk > 0.3, rng.random(20_000) < 0.1
    contacted = reached & ~spared
    churned = rng.random(20_000) < np.where(contacted, 0.2 * risk, risk)
    kinds = np.where(contacted, CONTACTED, np.where(reached, HELD_OUT, NONE))
    rows = features(20_000).with_columns(
        hard_balance=pl.Series(balance),
        sub_churn=pl.Series(churned.astype(np.int8)),
        campaign=pl.Series(kinds),
        campaign_weight=pl.Series(np.where(contacted, 0.0, np.where(reached, 10.0, 1.0))),
    )
    boosting = step(BOOSTING["type"], **BOOSTING["params"] | {"max_iter": 100})
    means = {}
    for kind in ("keep", "weight"):
        model = fit(rows, training(boosting, contacted=kind, features=NUMBERS), 1)
        means[kind] = predict(model, rows).to_numpy()[reached].mean()
    assert means["weight"] == pytest.approx(risk[reached].mean(), abs=0.04)
    assert means["keep"] < risk[reached].mean() - 0.2


@pytest.mark.parametrize(
    "pipeline",
    [
        (IMPUTE, step("sklearn.neighbors.KNeighborsClassifier")),
        (step("churnlib.model.boosting.LGBMFromParts"),),
    ],
)
def test_model_that_takes_no_weights_is_refused_before_the_work(pipeline: tuple[object]) -> None:
    settings = training(*pipeline, contacted="weight", features=NUMBERS)  # type: ignore[arg-type]
    for check in (lambda: check_pipeline(settings, ROWS.schema), lambda: fit(FLAGGED, settings, 1)):
        with pytest.raises(ModelError, match=r'takes no weights.*train\.contacted = "drop"'):
            check()


def test_rows_that_do_not_tell_whom_a_campaign_contacted_are_refused() -> None:
    with pytest.raises(DataError, match="the training rows lack the column 'campaign'"):
        fit(ROWS, training(*BOOSTED, contacted="drop"), 1)
