"""Profit, compared with published values and with a brute-force reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import expit, logit
from scipy.stats import beta

from churnlib.metrics.profit import (
    Cutoffs,
    break_even,
    cutoffs,
    expected_maximum,
    profits,
    smoothed_threshold,
)
from churnlib.settings import Offer
from tests.variants import examples

Rows = list[tuple[bool, int]]

# Few different values make ties; one outcome alone may occur.
rows = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=12)
offers = st.builds(
    lambda kept, incentive, contact, alpha, b: Offer(
        lifetime_value=incentive + kept,
        incentive_cost=incentive,
        contact_cost=contact,
        acceptance_alpha=alpha,
        acceptance_beta=b,
    ),
    kept=st.floats(1, 300),
    incentive=st.floats(0, 50),
    contact=st.floats(0, 20),
    alpha=st.floats(0.5, 20),
    b=st.floats(0.5, 20),
)


def table(scored: Rows) -> Cutoffs:
    outcome = np.array([churned for churned, _ in scored])
    return cutoffs(outcome, np.array([score / 5 for _, score in scored]))


def profit_of(scored: Rows, threshold: float, offer: Offer, acceptance: float) -> float:
    """Adds up the profit of contacting each subscription."""
    total = 0.0
    for churned, score in scored:
        if score / 5 >= threshold:
            total -= offer.contact_cost
            if churned:
                total += acceptance * (offer.lifetime_value - offer.incentive_cost)
            else:
                total -= offer.incentive_cost
    return total


def thresholds(scored: Rows) -> list[float]:
    """Every threshold that contacts others than the next, from nobody to everybody."""
    return [float("inf"), *sorted({score / 5 for _, score in scored}, reverse=True)]


@examples(100)
@given(rows, offers)
def test_profit_curve_equals_counting_at_each_threshold(scored: Rows, offer: Offer) -> None:
    at = table(scored)
    assert at.thresholds.tolist() == thresholds(scored)
    rate = offer.acceptance_rate
    expected = [profit_of(scored, threshold, offer, rate) for threshold in thresholds(scored)]
    assert profits(at, offer) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@examples(25)
@given(rows, offers)
def test_expected_maximum_equals_numerical_integration(scored: Rows, offer: Offer) -> None:
    law = beta(offer.acceptance_alpha, offer.acceptance_beta)

    def best(acceptance: float) -> tuple[float, int]:
        """The greatest profit at an acceptance rate, and the number of contacts."""
        tried = [
            (profit_of(scored, t, offer, acceptance), -sum(s / 5 >= t for _, s in scored))
            for t in thresholds(scored)
        ]
        profit, contacted = max(tried)
        return profit / len(scored), -contacted

    # Over the quantiles of the acceptance rate, so that its density is flat.
    # The break points refine the tail: an expensive contact pays only at rare acceptance rates.
    breaks = (0.5, 0.9, 0.99, 0.999, 0.9999)
    profit, _ = quad(
        lambda u: best(float(law.ppf(u)))[0], 0, 1, limit=60, epsabs=1e-4, points=breaks
    )
    maximum = expected_maximum(table(scored), offer)
    assert maximum.profit == pytest.approx(profit, abs=2e-3, rel=1e-3)
    grid = law.ppf((np.arange(400) + 0.5) / 400)
    share = np.mean([best(float(g))[1] for g in grid]) / len(scored)
    assert maximum.share == pytest.approx(share, abs=0.02)


PUBLISHED: list[tuple[list[int], list[float], float, float]] = [
    # The example in the documentation of `empulse.metrics.empc`.
    (
        [0, 1, 0, 1, 0, 1, 0, 1],
        [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.8, 0.9],
        23.875593418348124,
        0.8743700763487141,
    ),
    # The test values of empulse, computed by the R package EMP of the measure's authors.
    ([0, 1] * 10, [0, 1] * 10, 28.0000000000391, 0.499999999728095),
    ([0, 1] * 10, [1, 0] * 10, 22.5007912244511, 0.9991601018889205),
    ([0, 1] * 10, [0.5, 0.5] * 10, 22.5007912244511, 0.9991601018889205),
]


@pytest.mark.parametrize(("outcome", "probability", "empc", "share"), PUBLISHED)
def test_expected_maximum_equals_published_values(
    outcome: list[int], probability: list[float], empc: float, share: float
) -> None:
    at = cutoffs(np.array(outcome, dtype=bool), np.array(probability, dtype=float))
    maximum = expected_maximum(at, Offer())
    assert maximum.profit == pytest.approx(empc, rel=1e-12)
    assert maximum.share == pytest.approx(share, rel=1e-12)


def calibrated(n: int, seed: int = 5) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    probability = rng.beta(1, 4, n)
    return rng.random(n) < probability, probability


def test_threshold_of_true_probabilities_is_break_even() -> None:
    # 57 for a churner at 30 % acceptance less the contact, 11 lost on another: 11 / 67.
    even = break_even(Offer())
    assert even == pytest.approx(11 / 67)
    assert smoothed_threshold(*calibrated(100_000), Offer()) == pytest.approx(11 / 67, abs=0.005)


def test_threshold_corrects_probabilities_that_are_too_high() -> None:
    outcome, probability = calibrated(100_000)
    shifted = expit(logit(probability) + 1)
    expected = expit(logit(11 / 67) + 1)
    assert smoothed_threshold(outcome, shifted, Offer()) == pytest.approx(expected, abs=0.01)


def test_every_row_is_contacted_where_contacting_all_pays_off() -> None:
    cheap = Offer(incentive_cost=0.5, contact_cost=0.1)  # 0.6 / 60.3: about 1 %.
    for seed in range(20):
        rng = np.random.default_rng(seed)
        probability = rng.uniform(0.05, 0.6, 200)
        chosen = smoothed_threshold(rng.random(200) < probability, probability, cheap)
        assert chosen is not None
        assert chosen <= probability.min()


def test_threshold_of_few_rows_loses_less_than_the_most_profitable_of_the_sample() -> None:
    _, everyone = calibrated(100_000)
    gain = 67 * everyone - 11  # Of a contact, in expectation.
    losses: dict[str, list[float]] = {"fitted": [], "argmax": [], "break-even": []}
    for seed in range(16):
        outcome, probability = calibrated(300, seed=seed)
        at = cutoffs(outcome, probability)
        chosen = {
            "fitted": smoothed_threshold(outcome, probability, Offer()),
            "argmax": at.thresholds[np.argmax(profits(at, Offer()))],
            "break-even": break_even(Offer()),
        }
        for name, threshold in chosen.items():
            reached = everyone >= (np.inf if threshold is None else threshold)
            losses[name].append(float(gain[gain > 0].sum() - gain[reached].sum()) / len(gain))
    means = {name: sum(each) / len(each) for name, each in losses.items()}
    assert means["break-even"] == pytest.approx(0)
    assert means["fitted"] < means["argmax"] / 2


def test_nobody_is_contacted_where_nothing_pays_off() -> None:
    dear = Offer(contact_cost=60.0)
    assert break_even(dear) is None
    assert smoothed_threshold(*calibrated(1000), dear) is None


@pytest.mark.parametrize(("rate", "expected"), [(0.1, None), (0.3, 0.0)])
def test_rows_whose_risk_does_not_rise_are_contacted_all_or_not_at_all(
    rate: float, expected: float | None
) -> None:
    probability = np.linspace(0.01, 0.99, 100)
    outcome = np.arange(100) < 100 * rate  # The safest churn.
    assert smoothed_threshold(outcome, probability, Offer()) == expected


def test_everyone_is_contacted_where_contacting_is_free() -> None:
    free = Offer(incentive_cost=0.0, contact_cost=0.0)
    assert break_even(free) == 0
    outcome, probability = np.array([True, False, True, False]), np.array([0.9, 0.7, 0.4, 0.1])
    assert smoothed_threshold(outcome, probability, free) == 0
    maximum = expected_maximum(cutoffs(outcome, probability), free)
    assert maximum.profit == pytest.approx(0.3 * 200 / 2)
    assert maximum.share == pytest.approx(0.75)


@given(offers, st.floats(0, 1))
def test_contacting_pays_off_exactly_from_break_even_on(offer: Offer, probability: float) -> None:
    kept = offer.lifetime_value - offer.incentive_cost
    gain = probability * offer.acceptance_rate * kept - (1 - probability) * offer.incentive_cost
    gain -= offer.contact_cost
    even = break_even(offer)
    assert gain <= 1e-9 if even is None or probability < even else gain >= -1e-9


def test_better_ranking_and_known_rate_are_worth_more() -> None:
    outcome, probability = calibrated(20_000)
    at = cutoffs(outcome, probability)
    noisy = cutoffs(outcome, probability + np.random.default_rng(1).normal(0, 0.2, 20_000))
    best = expected_maximum(at, Offer())
    assert best.profit > expected_maximum(noisy, Offer()).profit
    # Adapting the threshold to the rate earns no less than one threshold for all rates.
    assert best.profit >= profits(at, Offer()).max() / 20_000


def test_nearly_certain_acceptance_gives_the_maximum_at_that_rate() -> None:
    sure = Offer(acceptance_alpha=300_000.0, acceptance_beta=700_000.0)
    at = cutoffs(*calibrated(5_000))
    expected = profits(at, sure).max() / 5_000
    assert expected_maximum(at, sure).profit == pytest.approx(expected, rel=1e-3)


def test_row_order_does_not_matter() -> None:
    outcome, probability = calibrated(3_000)
    probability = probability.round(2)
    order = np.random.default_rng(2).permutation(3_000)
    one, other = cutoffs(outcome, probability), cutoffs(outcome[order], probability[order])
    assert profits(one, Offer()).tolist() == profits(other, Offer()).tolist()
    assert expected_maximum(one, Offer()) == expected_maximum(other, Offer())
