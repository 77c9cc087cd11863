"""The metrics, against scikit-learn, textbook formulas and simulation."""

import json
from collections import Counter
from collections.abc import Callable
from itertools import pairwise, permutations, product
from math import inf
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    roc_auc_score,
)

from churnlib.errors import DataError
from churnlib.metrics.bootstrap import Resampling
from churnlib.metrics.comparison import paired_difference
from churnlib.metrics.definitions import LEAST_FOR_INTERVAL
from churnlib.metrics.evaluate import Scores, evaluate, score_group
from churnlib.metrics.predictions import Predictions
from churnlib.metrics.scores import roc_auc
from tests.variants import examples

FEW = "too few churners for intervals of losses, precision and calibration"


def table(
    outcome: list[int | None], probability: list[float], first: list[bool] | None = None
) -> pl.DataFrame:
    n = len(outcome)
    return pl.DataFrame(
        {
            "sub_id": range(n),
            "is_first_sub": [True] * n if first is None else first,
            "sub_churn": outcome,
            "churn_probability": probability,
        },
        schema_overrides={
            "sub_churn": pl.Int8,
            "is_first_sub": pl.Boolean,
            "churn_probability": pl.Float64,
            "sub_id": pl.Int64,
        },
    )


# Few different values make ties, and both outcomes always occur.
scored = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), max_size=25).map(
    lambda rows: [(True, 3), (False, 4), *rows]
)
Arrays = tuple[NDArray[np.bool_], NDArray[np.float64]]


def arrays(rows: list[tuple[bool, int]]) -> Arrays:
    return np.array([y for y, _ in rows]), np.array([p / 8 for _, p in rows])


@examples(60)
@given(scored)
def test_metrics_equal_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    outcome, probability = arrays(rows)
    scores = score_group(table(outcome.astype(int).tolist(), probability.tolist()))
    assert (scores.n, scores.positives, scores.immature) == (len(rows), outcome.sum(), 0)
    assert scores.base_rate == pytest.approx(outcome.mean())
    assert scores.roc_auc == pytest.approx(roc_auc_score(outcome, probability))
    assert scores.average_precision == pytest.approx(average_precision_score(outcome, probability))
    assert scores.log_loss == pytest.approx(log_loss(outcome, probability))
    assert scores.brier == pytest.approx(brier_score_loss(outcome, probability))


Z = 1.959963984540054


def delong(outcome: NDArray[np.bool_], probability: NDArray[np.float64]) -> tuple[float, float]:
    """The interval after DeLong et al., Biometrics 44 (1988), pair by pair, on the logit scale."""
    x, y = probability[outcome], probability[~outcome]
    psi = (y < x[:, None]) + (y == x[:, None]) / 2
    auc = psi.mean()
    variance = psi.mean(axis=1).var(ddof=1) / len(x) + psi.mean(axis=0).var(ddof=1) / len(y)
    half = Z * np.sqrt(variance) / (auc * (1 - auc))
    logit = np.log(auc / (1 - auc))
    return 1 / (1 + np.exp(half - logit)), 1 / (1 + np.exp(-half - logit))


def score(outcome: NDArray[np.bool_], probability: NDArray[np.float64]) -> Scores:
    return score_group(table(outcome.astype(int).tolist(), probability.tolist()))


def squeezed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers as probabilities, in their order."""
    return 1 / (1 + np.exp(-values))


@pytest.mark.parametrize(("positives", "negatives"), [(10, 90), (60, 300), (500, 2000)])
def test_interval_of_independent_rows_is_delongs(positives: int, negatives: int) -> None:
    outcome = np.repeat([True, False], [positives, negatives])
    probability = squeezed(np.random.default_rng(1).normal(outcome.astype(float)).round(1))
    interval, expected = score(outcome, probability).roc_auc_ci, delong(outcome, probability)
    assert interval is not None
    width = expected[1] - expected[0]
    # The standard error is accurate to about 2 %; with few churners the two differ slightly more.
    assert interval == pytest.approx(expected, abs=0.05 * width)


@pytest.mark.parametrize(("positives", "negatives"), [(60, 300), (15, 60)])
@pytest.mark.slow
def test_interval_has_its_nominal_coverage(positives: int, negatives: int) -> None:
    rng = np.random.default_rng(5)
    outcome = np.repeat([True, False], [positives, negatives])
    characters = Resampling.over(pl.Series(range(positives + negatives)))
    # The probability that one normal of mean 1 exceeds one of mean 0: Phi(1 / sqrt 2).
    truth = 0.7602499389065233
    turns, covered = 400, 0
    for _ in range(turns):
        drawn = squeezed(rng.normal(outcome.astype(float)))
        low, high = roc_auc(Predictions(outcome, drawn, characters)).interval() or (0, 0)
        covered += low <= truth <= high
    # Four standard errors of a share of .95 are .044.
    assert 0.906 < covered / turns < 0.994


def test_interval_with_one_churner_is_wide() -> None:
    rng = np.random.default_rng(5)
    outcome = np.repeat([True, False], [1, 500])
    characters = Resampling.over(pl.Series(range(501)))
    covered = 0
    for _ in range(100):
        drawn = squeezed(rng.normal(outcome.astype(float)))
        low, high = roc_auc(Predictions(outcome, drawn, characters)).interval() or (0, 0)
        covered += low <= 0.7602499389065233 <= high
    assert covered / 100 > 0.9


@pytest.mark.parametrize(("m", "n", "fewer"), [(100, 400, 100), (2, 5, 2), (10, 5, 5)])
def test_perfect_ranking_has_an_interval(m: int, n: int, fewer: int) -> None:
    outcome = np.repeat([True, False], [m, n])
    bound = min(1.0, -np.log(0.05) / fewer)  # The rule of three.
    scores = score(outcome, outcome.astype(float))
    assert scores.roc_auc == 1
    assert scores.roc_auc_ci == pytest.approx((1 - bound, 1))
    scores = score(outcome, 1 - outcome.astype(float))
    assert scores.roc_auc == 0
    assert scores.roc_auc_ci == pytest.approx((0, bound))


@pytest.mark.parametrize("clusters", [1, 3])
def test_intervals_depend_on_characters_instead_of_rows(clusters: int) -> None:
    rng = np.random.default_rng(2)
    outcome = rng.random(200) < 0.3
    once = table(outcome.astype(int).tolist(), (rng.random(200) * 0.5 + outcome * 0.2).tolist())
    once = once.with_columns(char_id=pl.col("sub_id") // clusters)
    copies = [once.with_columns(pl.col("sub_id") + 1000 * n) for n in range(4)]
    alone, together = (score_group(frame, threshold=0.4) for frame in (once, pl.concat(copies)))
    for name, interval in alone.intervals.items():
        # The lower end of the calibration error is found by halving an interval.
        assert together.intervals[name] == pytest.approx(interval, rel=1e-6, abs=1e-4), name
    apart = score_group(pl.concat(copies).drop("char_id"), threshold=0.4)
    for name in ("roc_auc", "average_precision", "log_loss", "brier", "recall"):
        wide, narrow = alone.intervals[name], apart.intervals[name]
        assert wide is not None
        assert narrow is not None
        assert narrow[1] - narrow[0] < 0.7 * (wide[1] - wide[0]), name


def test_intervals_equal_the_plain_bootstrap() -> None:
    """Characters drawn with replacement, row by row, and percentiles of scikit-learn's metrics."""
    rng = np.random.default_rng(4)
    n = 900
    character = rng.integers(0, 500, n)
    logit = rng.normal(-1, 1, n) + rng.normal(0, 1, 500)[character]
    outcome, probability = rng.random(n) < squeezed(logit), squeezed(0.8 * logit)
    frame = table(outcome.astype(int).tolist(), probability.tolist())
    scores = score_group(frame.with_columns(char_id=pl.Series(character)), threshold=0.3)
    by_rows: dict[str, Callable[..., float]] = {
        "roc_auc": roc_auc_score,
        "average_precision": average_precision_score,
        "log_loss": log_loss,
        "brier": brier_score_loss,
        "precision": lambda y, p: y[p >= 0.3].mean(),
        "recall": lambda y, p: (p[y] >= 0.3).mean(),
        "base_rate": lambda y, _: y.mean(),
        "mean_predicted": lambda _, p: p.mean(),
        "lift_top_decile": lambda y, p: y[np.argsort(-p)[: len(y) // 10]].mean() / y.mean(),
    }
    rows_of = [np.flatnonzero(character == c) for c in np.unique(character)]
    draws = []
    for _ in range(300):
        rows = np.concatenate([rows_of[c] for c in rng.integers(len(rows_of), size=len(rows_of))])
        drawn = (outcome[rows], probability[rows])
        draws.append([measure(*drawn) for measure in by_rows.values()])
    plain = np.quantile(draws, [0.025, 0.975], axis=0).T
    for name, (low, high) in zip(by_rows, plain, strict=True):
        assert scores.intervals[name] == pytest.approx((low, high), abs=0.2 * (high - low)), name


def lift_by_every_order(outcome: list[int], probability: list[float], share: float) -> float:
    """The lift averaged over all orders of ties."""
    top, lifts = share * len(outcome), []
    for order in permutations(range(len(outcome))):
        if any(probability[a] < probability[b] for a, b in pairwise(order)):
            continue
        weights = [min(1.0, max(0.0, top - place)) for place in range(len(order))]
        lifts.append(sum(w * outcome[i] for w, i in zip(weights, order, strict=True)) / top)
    return float(np.mean(lifts)) / float(np.mean(outcome))


@examples(60)
@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.1, 0.5, 0.9])), max_size=4))
def test_deciles_average_over_all_orders_of_ties(rows: list[tuple[int, float]]) -> None:
    rows = [(1, 0.5), (0, 0.5), *rows]
    outcome, probability = [y for y, _ in rows], [p for _, p in rows]
    scores = score_group(table(list(outcome), probability))
    assert [decile.decile for decile in scores.deciles] == list(range(1, 11))
    for decile in scores.deciles:
        share = decile.decile / 10
        up_to_here = lift_by_every_order(outcome, probability, share)
        assert decile.cumulative_gain == pytest.approx(up_to_here * share)
        assert abs(decile.rows - len(rows) / 10) < 2
        assert abs(decile.churned - decile.churn_rate * len(rows) / 10) < 1
        assert decile.churn_rate == pytest.approx(decile.lift * sum(outcome) / len(rows))
    assert sum(decile.churned for decile in scores.deciles) == sum(outcome)
    assert sum(decile.rows for decile in scores.deciles) == len(rows)
    assert all(0 <= decile.churned <= decile.rows for decile in scores.deciles)
    assert scores.lift_top_decile == pytest.approx(scores.deciles[0].lift)


def test_deciles_at_their_ends() -> None:
    outcome = np.repeat([True, False], [10, 90])
    perfect, reverse, flat = (
        score(outcome, values)
        for values in (outcome.astype(float), 1 - outcome.astype(float), np.full(100, 0.3))
    )
    assert [decile.lift for decile in perfect.deciles] == pytest.approx([10] + 9 * [0])
    assert perfect.deciles[1].intervals["churn_rate"] == pytest.approx((0, 0.29957), abs=1e-4)
    assert reverse.lift_top_decile == 0
    assert reverse.intervals["lift_top_decile"] is None
    assert [decile.cumulative_gain for decile in flat.deciles] == pytest.approx(
        np.linspace(0.1, 1, 10)
    )


# Calibration and thresholds


@examples(40)
@given(scored)
def test_calibration_error_is_the_mean_gap_of_groups(rows: list[tuple[bool, int]]) -> None:
    outcome, probability = arrays(rows)
    scores = score(outcome, probability)
    # No more than nine probabilities occur, so each is a group of its own.
    gaps = [
        abs(outcome[probability == p].mean() - p) * (probability == p).mean()
        for p in np.unique(probability)
    ]
    assert scores.expected_calibration_error == pytest.approx(sum(gaps))


def test_groups_of_the_calibration_error_are_of_equal_size() -> None:
    rng = np.random.default_rng(8)
    probability = np.sort(rng.random(1000))
    outcome = rng.random(1000) < probability**2
    by_hand = np.mean(
        [
            abs(outcome[n : n + 100].mean() - probability[n : n + 100].mean())
            for n in range(0, 1000, 100)
        ]
    )
    scores = score(outcome, probability)
    assert scores.expected_calibration_error == pytest.approx(by_hand)
    low, high = scores.intervals["expected_calibration_error"] or (0, 0)
    assert 0 < low < by_hand < high


def test_calibration_interval_of_calibrated_probabilities_reaches_zero() -> None:
    rng = np.random.default_rng(6)
    reaches_zero = 0
    for _ in range(40):
        probability = rng.beta(1, 4, 500)
        scores = score(rng.random(500) < probability, probability)
        low, _ = scores.intervals["expected_calibration_error"] or (1, 1)
        reaches_zero += low == 0
    assert reaches_zero >= 34


@pytest.mark.parametrize("key", ["sub_id", "char_id"])
def test_null_keys_cannot_be_scored(key: str) -> None:
    rows = table([1, 0], [0.9, 0.1]).with_columns(pl.lit(None, pl.Int64).alias(key))
    with pytest.raises(DataError, match=f"'{key}' must not be null"):
        evaluate(rows)


def test_precision_and_recall_are_those_at_the_threshold() -> None:
    outcome, probability = [1, 1, 0, 1, 0, 0, None], [0.9, 0.5, 0.5, 0.4, 0.3, 0.1, 0.9]
    scores = score_group(table(outcome, probability), threshold=0.5)
    assert (scores.threshold, scores.precision, scores.recall) == (0.5, 2 / 3, 2 / 3)
    low, high = scores.intervals["precision"] or (0, 0)
    assert 0 < low < 2 / 3 < high < 1
    nobody = score_group(table(outcome, probability), threshold=0.95)
    assert (nobody.precision, nobody.recall) == (None, 0)
    assert nobody.intervals["precision"] is None
    assert (
        nobody.reason == f"{FEW}: 3; no subscription reaches the threshold of 0.950, so there is "
        "no precision"
    )
    assert scores.reason == f"{FEW}: 3"
    general = evaluate(table(outcome, probability), threshold=0.5)["general"]
    assert (general.threshold, general.precision, general.recall) == (0.5, 2 / 3, 2 / 3)
    stayed = score_group(table([0, 0], [0.1, 0.2]), threshold=0.5)
    assert stayed.reason == (
        "none of the 2 subscriptions churned; no subscription reaches the threshold of 0.500, so "
        "there is no precision"
    )
    assert nobody.intervals["recall"] == pytest.approx((0, -np.log(0.05) / 3))
    without = score_group(table(outcome, probability))
    assert (without.threshold, without.precision, without.recall) == (None, None, None)


# Baselines


def test_baselines_are_evaluated_on_the_same_rows() -> None:
    rng = np.random.default_rng(9)
    outcome, good, bad = rng.random(400) < 0.3, rng.random(400), rng.random(400)
    good = 0.5 * good + 0.4 * outcome
    frame = table(outcome.astype(int).tolist(), good.tolist())
    frame = frame.with_columns(baseline_probability=pl.Series(bad), char_id=pl.col("sub_id") // 2)
    scores = score_group(frame, base_rate=0.25, threshold=0.5)
    plain = scores.baselines["logistic_regression"]
    alone = score_group(frame.with_columns(churn_probability="baseline_probability"), threshold=0.5)
    for name in ("roc_auc", "average_precision", "log_loss", "brier", "precision", "recall"):
        assert getattr(plain, name) == pytest.approx(getattr(alone, name)), name
        assert plain.intervals[name] == pytest.approx(alone.intervals[name]), name
    for metric, apart in plain.differences.items():
        expected = paired_difference(frame, "churn_probability", "baseline_probability", metric)
        assert apart.difference == pytest.approx(expected.difference)
        assert apart.interval == pytest.approx(expected.interval())
    constant = scores.baselines["base_rate"]
    assert constant.roc_auc == 0.5
    assert constant.mean_predicted == pytest.approx(0.25)
    assert constant.average_precision == pytest.approx(outcome.mean())
    assert constant.brier == pytest.approx(brier_score_loss(outcome, np.full(400, 0.25)))
    assert constant.intervals["roc_auc"] is None
    assert constant.differences["roc_auc"].difference == pytest.approx((scores.roc_auc or 0) - 0.5)


def test_unknown_baselines_are_left_out() -> None:
    frame = table([1, 0, 1, 0], [0.9, 0.2, 0.4, 0.5])
    assert score_group(frame).baselines == {}
    unknown = frame.with_columns(baseline_probability=pl.lit(None, pl.Float64))
    assert list(score_group(unknown, base_rate=0.5).baselines) == ["base_rate"]


# Groups


ROWS = [(1, 0.9, True), (0, 0.2, True), (1, 0.6, False), (0, 0.7, False), (None, 0.5, True)]


def groups() -> dict[str, Scores]:
    outcome, probability, first = (list(values) for values in zip(*ROWS, strict=True))
    return evaluate(table(outcome, probability, first))


def test_new_characters_are_a_group() -> None:
    scores_of = groups()
    assert list(scores_of) == ["general", "new_characters"]
    general, new = scores_of["general"], scores_of["new_characters"]
    assert (general.n, general.positives, general.immature) == (4, 2, 1)
    assert (new.n, new.positives, new.immature) == (2, 1, 1)
    assert general.roc_auc == 0.75
    assert new.roc_auc == 1.0


def test_scores_are_plain_data() -> None:
    plain = groups()["general"].to_json()
    read = json.loads(json.dumps(plain, allow_nan=False))
    assert read.keys() == plain.keys()
    assert read["roc_auc_ci"] == read["intervals"]["roc_auc"] == list(plain["roc_auc_ci"])
    assert len(read["deciles"]) == 10
    expected = {"n", "positives", "immature", "roc_auc", "roc_auc_ci", "average_precision"}
    assert expected | {"log_loss", "brier", "lift_top_decile", "reason"} <= plain.keys()


def test_row_order_changes_no_bit() -> None:
    rng = np.random.default_rng(3)
    frame = table(
        rng.integers(0, 2, 500).tolist(),
        rng.random(500).round(2).tolist(),
        (rng.random(500) < 0.5).tolist(),
    )
    frame = frame.with_columns(
        char_id=pl.col("sub_id") // 3, baseline_probability=pl.Series(rng.random(500))
    )
    once = {name: scores.to_json() for name, scores in evaluate(frame, base_rate=0.4).items()}
    for seed in range(5):
        mixed = frame.sample(fraction=1, shuffle=True, seed=seed)
        again = evaluate(mixed, base_rate=0.4)
        assert {name: scores.to_json() for name, scores in again.items()} == once


RANKING = ("roc_auc", "roc_auc_ci", "average_precision", "lift_top_decile")
ERRORS = ("base_rate", "log_loss", "brier")


def none_of(scores: Scores, names: tuple[str, ...]) -> bool:
    return all(getattr(scores, name) is None for name in names)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [(0, "none of the 3 subscriptions churned"), (1, "each of the 3 subscriptions churned")],
)
def test_ranking_with_one_outcome_is_undefined(outcome: int, reason: str) -> None:
    scores = score_group(table([outcome] * 3, [0.1, 0.2, 0.3]))
    assert scores.reason == reason
    assert none_of(scores, RANKING)
    assert scores.base_rate == outcome
    assert scores.brier == pytest.approx(np.mean([(outcome - p) ** 2 for p in (0.1, 0.2, 0.3)]))
    expected = -np.mean([np.log(p if outcome else 1 - p) for p in (0.1, 0.2, 0.3)])
    assert scores.log_loss == pytest.approx(expected)


def test_equal_predictions_have_no_ranking_interval() -> None:
    scores = score_group(table([1, 0, 0, None], [0.3, 0.3, 0.3, 0.9]))
    assert (scores.roc_auc, scores.roc_auc_ci, scores.lift_top_decile) == (0.5, None, 1.0)
    assert scores.reason == "all 3 subscriptions have the same predicted probability"


def test_scores_without_rows_have_a_reason() -> None:
    empty = score_group(table([], []))
    assert (empty.n, empty.positives, empty.immature) == (0, 0, 0)
    assert empty.reason == "there are no subscriptions"
    young = score_group(table([None] * 1200, [0.5] * 1200))
    assert (young.n, young.positives, young.immature) == (0, 0, 1200)
    assert young.reason is not None
    assert young.reason == "the label is not yet available for any of the 1,200 subscriptions"
    for scores in (empty, young):
        assert none_of(scores, RANKING + ERRORS)


def test_log_loss_of_wrong_certainty_is_finite() -> None:
    scores = score_group(table([1, 0, 1, 0], [0.0, 1.0, 1.0, 0.0]))
    assert scores.log_loss is not None
    assert 1 < scores.log_loss < inf
    assert scores.brier == 0.5


@pytest.mark.parametrize("column", ["churn_probability", "baseline_probability"])
@pytest.mark.parametrize("wrong", [-0.1, 1.5, float("nan")])
def test_invalid_probability_is_refused(column: str, wrong: float) -> None:
    frame = table([1, 0, 1], [0.2, 0.5, 0.7]).with_columns(baseline_probability=0.5)
    frame = frame.with_columns(pl.lit(wrong).alias(column))
    with pytest.raises(DataError, match=f"^the column '{column}' holds values that are not prob"):
        evaluate(frame)


def test_subscriptions_without_currency_are_counted_if_known() -> None:
    frame = table([1, 0, None, 0], [0.9, 0.2, 0.5, 0.3])
    assert score_group(frame).without_currency is None
    ages: list[Any] = [None, 2, None, 0]
    known = frame.with_columns(currency_age_months=pl.Series(ages, dtype=pl.Int32))
    assert score_group(known).without_currency == 1


def test_every_small_case_is_defined_or_explained() -> None:
    for outcomes in product([0, 1, None], repeat=3):
        for probabilities in product([0.2, 0.8], repeat=3):
            scores = score_group(table(list(outcomes), list(probabilities)))
            assert (scores.roc_auc_ci is None) == (FEW not in (scores.reason or ""))
            assert none_of(scores, RANKING) == (scores.roc_auc is None)
            if scores.roc_auc_ci:
                assert 0 <= scores.roc_auc_ci[0] <= scores.roc_auc_ci[1] <= 1


@pytest.mark.parametrize("fewer", [0, 1], ids=["churners", "non-churners"])
def test_intervals_of_losses_precision_and_calibration_need_enough_of_each_outcome(
    fewer: int,
) -> None:
    rng = np.random.default_rng(5)
    for count in (LEAST_FOR_INTERVAL - 1, LEAST_FOR_INTERVAL):
        outcome: list[Any] = [1 - fewer] * count + [fewer] * 300
        scores = score_group(table(outcome, rng.random(count + 300).tolist()))
        missing = {key for key, interval in scores.intervals.items() if interval is None}
        threshold = {"precision", "recall"}
        if count < LEAST_FOR_INTERVAL:
            kind = ("churners", "non-churners")[fewer]
            assert scores.reason == (
                f"too few {kind} for intervals of losses, precision and calibration: {count}"
            )
            assert missing - threshold == {
                "average_precision", "log_loss", "brier", "expected_calibration_error"
            }  # fmt: skip
        else:
            assert (scores.reason, missing - threshold) == (None, set())


def test_characters_count_not_their_subscriptions() -> None:
    outcome: list[Any] = [1] * 40 + [0] * 40
    frame = table(outcome, [0.5 + i / 200 for i in range(80)])
    few = score_group(frame.with_columns(char_id=pl.col("sub_id") // 4))
    assert few.reason is not None
    assert few.reason.endswith(": 10")


@pytest.mark.parametrize(("n", "rate", "factor"), [(300, 0.15, 1.0), (500, 0.15, 1.5)])
@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say(n: int, rate: float, factor: float) -> None:
    """A small simulation; benchmarks/RESULTS.md has a larger one."""
    rng = np.random.default_rng(3)

    def cohort(n: int) -> Arrays:
        risk = rng.beta(1, (1 - rate) / rate, n)
        return rng.random(n) < risk, np.minimum(risk * factor, 0.99)

    large = score(*cohort(100_000))
    names = ("average_precision", "log_loss", "brier", "expected_calibration_error")
    held = Counter[str]()
    for _ in range(40):
        scores = score(*cohort(n))
        for name in names:
            low, high = scores.intervals[name] or (0, 1)
            # That of 100,000 rows is above 0 by chance alone.
            slack = 0.003 if name == "expected_calibration_error" else 0
            held[name] += low <= getattr(large, name) <= high + slack
    # Fewer than 33 of 40 happen with a chance of 0.1 % at a coverage of 95 %.
    assert all(held[name] >= 33 for name in names), held
