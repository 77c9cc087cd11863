"""The figures, against scikit-learn, textbook formulas and simulation."""

import json
from itertools import pairwise, permutations, product
from math import inf
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    roc_auc_score,
)

from churnlib.model.evaluate import Scores, evaluate, lift, mid_ranks, roc_auc, score_group

Z = 1.959963984540054


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


@settings(deadline=None, max_examples=60)
@given(scored)
def test_figures_equal_those_of_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    outcome, probability = arrays(rows)
    found = score_group(table(outcome.astype(int).tolist(), probability.tolist()))
    assert (found.n, found.positives, found.immature) == (len(rows), outcome.sum(), 0)
    assert found.base_rate == pytest.approx(outcome.mean())
    assert found.roc_auc == pytest.approx(roc_auc_score(outcome, probability))
    assert found.average_precision == pytest.approx(average_precision_score(outcome, probability))
    assert found.log_loss == pytest.approx(log_loss(outcome, probability))
    assert found.brier == pytest.approx(brier_score_loss(outcome, probability))
    assert found.reason is None


def textbook(outcome: NDArray[np.bool_], probability: NDArray[np.float64]) -> tuple[float, float]:
    """AUC and DeLong's variance, pair by pair as in the paper's equations 2, 4 and 6."""
    x, y = probability[outcome], probability[~outcome]
    psi = np.array([[1.0 if b < a else 0.5 if b == a else 0.0 for b in y] for a in x])
    theta = float(psi.mean())
    parts = [(psi.mean(axis=1), len(x)), (psi.mean(axis=0), len(y))]
    variance = 0.0
    for values, size in parts:
        squares = sum((v - theta) ** 2 for v in values)
        variance += squares / (size - 1) / size if size > 1 else theta * (1 - theta)
    return theta, variance


@settings(deadline=None, max_examples=100)
@given(scored)
def test_the_interval_is_delongs_on_the_logit_scale(rows: list[tuple[bool, int]]) -> None:
    outcome, probability = arrays(rows)
    auc, (low, high) = roc_auc(outcome, probability)
    theta, variance = textbook(outcome, probability)
    assert auc == pytest.approx(theta)
    assert 0 <= low <= auc <= high <= 1
    if 0 < theta < 1:
        logit = np.log(theta / (1 - theta))
        half = Z * np.sqrt(variance) / (theta * (1 - theta))
        assert low == pytest.approx(1 / (1 + np.exp(half - logit)))
        assert high == pytest.approx(1 / (1 + np.exp(-half - logit)))


@pytest.mark.parametrize(("positives", "negatives"), [(60, 300), (40, 60)])
def test_the_interval_covers_the_truth_as_often_as_it_says(positives: int, negatives: int) -> None:
    rng = np.random.default_rng(5)
    outcome = np.repeat([True, False], [positives, negatives])
    # The probability that one normal of mean 1 exceeds one of mean 0: Phi(1 / sqrt 2).
    truth = 0.7602499389065233
    turns, covered = 1000, 0
    for _ in range(turns):
        _, (low, high) = roc_auc(outcome, rng.normal(outcome.astype(float)))
        covered += low <= truth <= high
    # Four standard errors of a share of .95 are .028.
    assert 0.92 < covered / turns < 0.98


def test_one_churner_alone_does_not_make_the_interval_narrow() -> None:
    rng = np.random.default_rng(5)
    outcome = np.repeat([True, False], [1, 500])
    covered = 0
    for _ in range(300):
        _, (low, high) = roc_auc(outcome, rng.normal(outcome.astype(float)))
        covered += low <= 0.7602499389065233 <= high
    assert covered / 300 > 0.9


@pytest.mark.parametrize(("m", "n", "bound"), [(100, 400, 0.03), (2, 5, 1.0), (10, 5, 0.6)])
def test_a_perfect_order_keeps_room_for_doubt(m: int, n: int, bound: float) -> None:
    outcome = np.repeat([True, False], [m, n])
    right = outcome.astype(float)
    auc, interval = roc_auc(outcome, right)
    assert (auc, *interval) == pytest.approx((1, 1 - bound, 1))
    auc, interval = roc_auc(outcome, -right)
    assert (auc, *interval) == pytest.approx((0, 0, bound))


def test_ranks_share_ties() -> None:
    assert mid_ranks(np.array([3.0, 1.0, 3.0, 2.0, 3.0])).tolist() == [4, 1, 4, 2, 4]
    assert mid_ranks(np.array([])).tolist() == []


def lift_by_every_order(outcome: list[int], probability: list[float], share: float) -> float:
    """The lift averaged over all orders in which the tied may stand."""
    top, found = share * len(outcome), []
    for order in permutations(range(len(outcome))):
        if any(probability[a] < probability[b] for a, b in pairwise(order)):
            continue
        weights = [min(1.0, max(0.0, top - place)) for place in range(len(order))]
        found.append(sum(w * outcome[i] for w, i in zip(weights, order, strict=True)) / top)
    return float(np.mean(found)) / float(np.mean(outcome))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.1, 0.5, 0.9])), max_size=5),
    st.sampled_from([0.1, 0.25, 0.5, 1.0]),
)
def test_lift_is_the_mean_over_all_orders_of_the_tied(
    rows: list[tuple[int, float]], share: float
) -> None:
    rows = [(1, 0.5), *rows]
    outcome, probability = [y for y, _ in rows], [p for _, p in rows]
    found = lift(np.array(outcome, dtype=bool), np.array(probability), share)
    assert found == pytest.approx(lift_by_every_order(outcome, probability, share))


def test_lift_at_its_ends() -> None:
    outcome = np.repeat([True, False], [10, 90])
    assert lift(outcome, outcome.astype(float), 0.1) == pytest.approx(10)
    assert lift(outcome, -outcome.astype(float), 0.1) == 0
    assert lift(outcome, np.full(100, 0.3), 0.1) == pytest.approx(1)


# Groups


ROWS = [(1, 0.9, True), (0, 0.2, True), (1, 0.6, False), (0, 0.7, False), (None, 0.5, True)]


def groups() -> dict[str, Scores]:
    outcome, probability, first = (list(values) for values in zip(*ROWS, strict=True))
    return evaluate(table(outcome, probability, first))


def test_new_characters_are_scored_apart() -> None:
    found = groups()
    assert list(found) == ["general", "new_characters"]
    general, new = found["general"], found["new_characters"]
    assert (general.n, general.positives, general.immature) == (4, 2, 1)
    assert (new.n, new.positives, new.immature) == (2, 1, 1)
    assert general.roc_auc == 0.75
    assert new.roc_auc == 1.0


def test_scores_are_plain_data() -> None:
    plain = groups()["general"].to_json()
    assert json.loads(json.dumps(plain)) == {**plain, "roc_auc_ci": list(plain["roc_auc_ci"])}
    wanted = {"n", "positives", "immature", "roc_auc", "roc_auc_ci", "average_precision"}
    assert wanted | {"log_loss", "brier", "lift_top_decile", "reason"} <= plain.keys()


def test_the_order_of_rows_changes_no_bit() -> None:
    rng = np.random.default_rng(3)
    frame = table(
        rng.integers(0, 2, 500).tolist(),
        rng.random(500).round(2).tolist(),
        (rng.random(500) < 0.5).tolist(),
    )
    once = {name: scores.to_json() for name, scores in evaluate(frame).items()}
    for seed in range(5):
        mixed = frame.sample(fraction=1, shuffle=True, seed=seed)
        assert {name: s.to_json() for name, s in evaluate(mixed).items()} == once


RANKING = ("roc_auc", "roc_auc_ci", "average_precision", "lift_top_decile")
ERRORS = ("base_rate", "log_loss", "brier")


def none_of(scores: Scores, names: tuple[str, ...]) -> bool:
    return all(getattr(scores, name) is None for name in names)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [(0, "none of the 3 subscriptions churned"), (1, "each of the 3 subscriptions churned")],
)
def test_one_outcome_alone_has_no_ranking(outcome: int, reason: str) -> None:
    found = score_group(table([outcome] * 3, [0.1, 0.2, 0.3]))
    assert found.reason == reason
    assert none_of(found, RANKING)
    assert found.base_rate == outcome
    assert found.brier == pytest.approx(np.mean([(outcome - p) ** 2 for p in (0.1, 0.2, 0.3)]))
    expected = -np.mean([np.log(p if outcome else 1 - p) for p in (0.1, 0.2, 0.3)])
    assert found.log_loss == pytest.approx(expected)


def test_equal_predictions_are_guessing_without_an_interval() -> None:
    found = score_group(table([1, 0, 0, None], [0.3, 0.3, 0.3, 0.9]))
    assert (found.roc_auc, found.roc_auc_ci, found.lift_top_decile) == (0.5, None, 1.0)
    assert found.reason == "all 3 subscriptions have the same predicted probability"


def test_nothing_scored_is_told() -> None:
    empty = score_group(table([], []))
    assert (empty.n, empty.positives, empty.immature) == (0, 0, 0)
    assert empty.reason == "no subscription with a known outcome"
    young = score_group(table([None] * 1200, [0.5] * 1200))
    assert (young.n, young.positives, young.immature) == (0, 0, 1200)
    assert young.reason is not None
    assert young.reason.endswith(": 1,200 are not old enough")
    for scores in (empty, young):
        assert none_of(scores, RANKING + ERRORS)


def test_certain_predictions_that_fail_stay_finite() -> None:
    found = score_group(table([1, 0, 1, 0], [0.0, 1.0, 1.0, 0.0]))
    assert found.log_loss is not None
    assert 1 < found.log_loss < inf
    assert found.brier == 0.5


def test_subscriptions_without_currency_are_counted_where_it_was_read() -> None:
    frame = table([1, 0, None, 0], [0.9, 0.2, 0.5, 0.3])
    assert score_group(frame).without_currency is None
    ages: list[Any] = [None, 2, None, 0]
    known = frame.with_columns(currency_age_months=pl.Series(ages, dtype=pl.Int32))
    assert score_group(known).without_currency == 1


def test_every_small_case_is_defined_or_explained() -> None:
    for outcomes in product([0, 1, None], repeat=3):
        for probabilities in product([0.2, 0.8], repeat=3):
            found = score_group(table(list(outcomes), list(probabilities)))
            assert (found.roc_auc_ci is None) == (found.reason is not None)
            assert none_of(found, RANKING) == (found.roc_auc is None)
            if found.roc_auc_ci:
                assert 0 <= found.roc_auc_ci[0] <= found.roc_auc_ci[1] <= 1
