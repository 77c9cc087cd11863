"""Differences of two models on the same rows: paired, clustered, or undefined with a reason."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from churnlib.errors import DataError, ModelError
from churnlib.metrics.bootstrap import Resampling
from churnlib.metrics.comparison import Difference, paired_difference
from churnlib.metrics.definitions import METRICS, compared_metrics
from churnlib.metrics.predictions import Predictions
from tests.variants import examples

SCIKIT_LEARN: dict[str, Callable[..., float]] = {
    "roc_auc": roc_auc_score,
    "average_precision": average_precision_score,
    "log_loss": log_loss,
    "brier": brier_score_loss,
}
every_metric = pytest.mark.parametrize("metric", [metric.key for metric in compared_metrics()])


def cohort(n: int = 600, seed: int = 0, noise: float = 1.0, rows_each: int = 2) -> pl.DataFrame:
    """Subscriptions whose true probability is `good`, and `bad` the same with noise."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-1, 1.2, n)
    logits = {"good": logit, "bad": logit + rng.normal(0, noise, n)}
    return pl.DataFrame(
        {
            "char_id": np.arange(n) // rows_each,
            "sub_id": np.arange(n),
            "sub_churn": (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.int8),
            **{name: 1 / (1 + np.exp(-value)) for name, value in logits.items()},
        }
    )


@examples(25)
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 8), st.integers(0, 5)), max_size=25
    ).map(lambda rows: [(True, 3, 0), (False, 4, 1), *rows])
)  # fmt: skip
def test_metrics_of_each_draw_equal_scikit_learn(rows: list[tuple[bool, int, int]]) -> None:
    outcome, eighths, character = (np.array(values) for values in zip(*rows, strict=True))
    characters = Resampling.over(pl.Series(character))
    predicted = Predictions(outcome, eighths / 8, characters)
    for metric, by_rows in SCIKIT_LEARN.items():
        difference = METRICS[metric].compute(predicted)
        assert difference.value == pytest.approx(by_rows(outcome, eighths / 8))
        for draw in range(5):
            weights = characters.weights[characters.units, draw].astype(float)
            if weights[outcome].sum() and weights[~outcome].sum():
                expected = by_rows(outcome, eighths / 8, sample_weight=weights)
                assert difference.draws[draw] == pytest.approx(expected), metric


@pytest.mark.parametrize("key", ["sub_id", "char_id"])
def test_null_keys_cannot_be_compared(key: str) -> None:
    frame = cohort().with_columns(pl.lit(None, pl.Int64).alias(key))
    with pytest.raises(DataError, match=f"'{key}' must not be null"):
        paired_difference(frame, "good", "bad", "roc_auc")


def test_difference_counts_subscriptions_and_characters() -> None:
    difference = paired_difference(cohort(600, rows_each=2), "good", "bad", "roc_auc")
    assert (difference.n, difference.characters) == (600, 300)


def plain_error(frame: pl.DataFrame, metric: str, turns: int = 250) -> float:
    """The standard error by drawing characters with replacement, row by row."""
    rng = np.random.default_rng(7)
    of_each = frame.with_row_index().group_by("char_id").agg("index")["index"].to_list()
    outcome, one, other = (frame[name].to_numpy() for name in ("sub_churn", "good", "bad"))
    difference = []
    for _ in range(turns):
        rows = np.concatenate([of_each[c] for c in rng.integers(len(of_each), size=len(of_each))])
        measure = SCIKIT_LEARN[metric]
        difference.append(measure(outcome[rows], one[rows]) - measure(outcome[rows], other[rows]))
    return float(np.std(difference, ddof=1))


@every_metric
def test_standard_error_equals_the_plain_bootstrap(metric: str) -> None:
    frame = cohort(300)
    difference = paired_difference(frame, "good", "bad", metric)
    # The plain bootstrap is accurate to about 5 %, the other to 2 %.
    assert difference.standard_error == pytest.approx(plain_error(frame, metric), rel=0.2)


@every_metric
def test_better_model_differs_significantly(metric: str) -> None:
    difference = paired_difference(cohort(5000), "good", "bad", metric)
    assert difference.difference is not None
    interval = difference.interval()
    assert interval is not None
    assert (interval[0] > 0) if METRICS[metric].better == "higher" else (interval[1] < 0)
    turned = paired_difference(cohort(5000), "bad", "good", metric)
    assert turned.difference == -difference.difference
    assert turned.standard_error == pytest.approx(difference.standard_error)
    assert json_of(difference)["interval"] == interval


def json_of(difference: Difference) -> dict[str, Any]:
    plain = difference.to_json()
    assert plain["difference"] == plain["candidate"] - plain["champion"]
    return plain


@every_metric
def test_model_does_not_differ_from_itself(metric: str) -> None:
    difference = paired_difference(cohort(), "good", "good", metric)
    assert (difference.difference, difference.interval()) == (0, (0, 0))


def test_pairing_reduces_the_standard_error() -> None:
    frame = cohort(2000, noise=0.1)
    difference = paired_difference(frame, "good", "bad")
    alone = METRICS["roc_auc"].compute(
        Predictions(
            frame["sub_churn"].to_numpy() == 1,
            frame["good"].to_numpy(),
            Resampling.over(frame["char_id"]),
        )
    )
    assert difference.standard_error is not None
    assert difference.standard_error < alone.draws.std() / 5


@every_metric
def test_repeated_rows_of_a_character_add_no_information(metric: str) -> None:
    once = cohort()
    twice = pl.concat([once, once.with_columns(pl.col("sub_id") + 10_000)])
    one, two = (paired_difference(frame, "good", "bad", metric) for frame in (once, twice))
    assert two.difference == pytest.approx(one.difference)
    assert two.standard_error == pytest.approx(one.standard_error, rel=1e-6)
    apart = twice.with_columns(char_id="sub_id")
    narrower = paired_difference(apart, "good", "bad", metric).standard_error
    assert narrower is not None
    assert one.standard_error is not None
    assert narrower < 0.85 * one.standard_error


@every_metric
def test_row_order_changes_no_bit(metric: str) -> None:
    frame = cohort()
    once = paired_difference(frame, "good", "bad", metric)
    for seed in range(3):
        mixed = frame.sample(fraction=1, shuffle=True, seed=seed)
        assert paired_difference(mixed, "good", "bad", metric) == once


@pytest.mark.slow
def test_interval_has_its_nominal_coverage() -> None:
    truth = paired_difference(cohort(100_000), "good", "bad").difference
    assert truth is not None
    held = {0.8: 0, 0.95: 0}
    below, turns = 0, 80
    for seed in range(turns):
        difference = paired_difference(cohort(600, seed + 1), "good", "bad")
        for confidence in held:
            low, high = difference.interval(confidence) or (0, 0)
            held[confidence] += low <= truth <= high
        below += truth < (difference.interval(0.8) or (0, 0))[0]
    # Three standard errors: .13 of .8, .07 of .95, .1 of .1.
    assert 0.67 < held[0.8] / turns < 0.93
    assert held[0.95] / turns > 0.88
    assert 0 < below / turns < 0.2


@pytest.mark.parametrize("outcome", [0, 1, None])
def test_comparison_with_one_outcome_is_undefined(outcome: int | None) -> None:
    frame = cohort(5).with_columns(sub_churn=pl.lit(outcome, pl.Int8))
    difference = paired_difference(frame, "good", "bad")
    assert (difference.difference, difference.interval()) == (None, None)
    churned = 5 if outcome == 1 else 0
    n = 0 if outcome is None else 5
    assert difference.reason == f"of {n} subscriptions with a label {churned} churned"


def test_comparison_with_one_churner_has_no_interval() -> None:
    frame = cohort(40).with_columns(sub_churn=(pl.col("sub_id") == 7).cast(pl.Int8))
    difference = paired_difference(frame, "good", "bad")
    assert difference.difference is not None
    assert difference.interval() is None
    assert difference.reason == "too few characters to judge by: 1"


def test_invalid_comparison_is_refused() -> None:
    with pytest.raises(ModelError, match=r"no metric 'auc' to compare by\. Did you mean 'roc_auc'"):
        paired_difference(cohort(), "good", "bad", "auc")
    with pytest.raises(DataError, match=r"lack the column 'god'\. Did you mean 'good'"):
        paired_difference(cohort(), "god", "bad")
    for wrong in (None, float("nan"), 1.5):
        frame = cohort(9).with_columns(bad=pl.lit(wrong, pl.Float64))
        with pytest.raises(DataError, match="'bad' holds values that are not probabilities"):
            paired_difference(frame, "good", "bad")
