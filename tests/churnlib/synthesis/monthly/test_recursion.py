"""The true probability of churn: against simulations, and by hand where that is possible."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.synthesis.games import PAYMENTS, SEASONAL_PAYMENTS
from churnlib.synthesis.monthly.belief import likelihood_of, next_month, updated
from churnlib.synthesis.monthly.recursion import Chances
from churnlib.synthesis.payments import Paces, Payments

PACES = PAYMENTS.paces
DRAWS = 40_000


def chances(within: int | None = None, signal: float = 1.0) -> Chances:
    return Chances(replace(SEASONAL_PAYMENTS, not_renewed_months=within), signal, 0.03)


def one(of: Chances, horizon: int, score: float, missed: int, left: int, pace: int) -> float:
    """The probability of one subscription in January, at a pace that is known."""
    belief = np.eye(len(PACES.rates))[[pace]]
    state = np.array([score]), np.array([missed]), np.array([left])
    return float(of.churn_within(horizon, 0, *state, belief)[0])


@pytest.mark.parametrize("within", [None, 1, 3])
@pytest.mark.parametrize(
    ("score", "missed", "left", "pace"),
    [
        (0.5, 0, 24, 2),
        (0.0, 1, 6, 1),
        (-0.5, 2, 3, 0),
        (1.0, 2, 1, 1),
        (0.3, 1, 0, 0),
        (0, 0, 4, 1),
    ],
)
def test_probability_is_the_frequency_in_simulations(
    within: int | None, score: float, missed: int, left: int, pace: int
) -> None:
    """Draws futures one by one, by the rules, and counts the churns within six months."""
    of, rng = chances(within), np.random.default_rng(1)
    truth = one(of, 6, score, missed, left, pace)
    churned = simulated(of, rng, score, missed, left, pace)
    error = np.sqrt(truth * (1 - truth) / DRAWS)
    assert abs(churned.mean() - truth) <= 4 * error


def simulated(
    of: Chances, rng: np.random.Generator, score: float, missed: int, left: int, pace: int
) -> np.ndarray:
    """Whether each draw churns within six months."""
    paces, within = of.payments.paces, of.payments.not_renewed_months
    row, now = np.full(DRAWS, missed), np.full(DRAWS, pace)
    churned = np.zeros(DRAWS, bool)
    for ahead in range(min(left, 6)):
        miss = rng.random(DRAWS) < of.of_miss(ahead, np.full(DRAWS, score), now, np.minimum(row, 2))
        row = np.where(churned, row, np.where(miss, row + 1, 0))
        churned |= row == 3
        tables = np.array([paces.after_payment, paces.after_miss])
        bounds = tables[miss.astype(int), now].cumsum(axis=1)
        now = np.minimum((rng.random(DRAWS)[:, None] > bounds).sum(axis=1), len(paces.rates) - 1)
    if within and left + within <= 6:
        row = np.minimum(row, 2)
        renews = rng.random(DRAWS) < of.of_renewal(np.full(DRAWS, score), now, row)
        for _ in range(within - 1):
            renews |= rng.random(DRAWS) < of.subscribe_rate
        churned |= ~renews
    return churned


def test_a_term_that_ends_can_churn_only_while_it_runs() -> None:
    of = chances()
    for missed, left, pace in product(range(3), range(5), range(3)):
        truth = one(of, 6, 0.2, missed, left, pace)
        assert (truth > 0) == (missed + left >= 3 and left > 0)
    alone = Paces((1.0,), (1.0,), ((1.0,),), ((1.0,),), (0.0,))
    of = Chances(Payments(alone, (-1.0, 0.5, 1.0), (0.5, -1.0)), 1.0, 0.0)
    first, second, third = (1 / (1 + np.exp(-odds)) for odds in (-1.0, 0.5, 1.0))
    belief = np.ones((3, 1))
    state = np.zeros(3), np.array([0, 0, 2]), np.array([3, 4, 2])
    found = of.churn_within(6, 5, *state, belief)
    run = first * second * third
    later = (1 - first) * run  # The first month is paid, and the three after it are not.
    np.testing.assert_allclose(found, [run, run + later, third])


def test_an_end_counts_only_once_it_is_known_not_to_be_renewed() -> None:
    for within, left in product((1, 2, 3), range(7)):
        with_end = one(chances(within), 6, 0.0, 0, left, 1)
        without = one(chances(), 6, 0.0, 0, left, 1)
        assert (with_end > without) == (left + within <= 6)
    lost = 1 - chances(2).of_renewal(np.zeros(1), np.ones(1, int), np.zeros(1, int))[0]
    assert one(chances(2), 6, 0.0, 0, 0, 1) == pytest.approx(lost * 0.97)


@given(
    score=st.floats(-3, 3),
    missed=st.integers(0, 2),
    left=st.integers(0, 30),
    pace=st.integers(0, 2),
    within=st.none() | st.integers(1, 4),
)
def test_risk_rises_with_misses_horizon_score_and_a_slower_pace(
    score: float, missed: int, left: int, pace: int, within: int | None
) -> None:
    of = chances(within)
    truth = one(of, 6, score, missed, left, pace)
    assert 0 <= truth <= 1
    assert truth <= one(of, 7, score, missed, left, pace) + 1e-12
    assert truth <= one(of, 6, score + 0.5, missed, left, pace) + 1e-12
    if missed < 2:
        assert truth <= one(of, 6, score, missed + 1, left, pace) + 1e-12
    if pace > 0:
        assert truth <= one(of, 6, score, missed, left, pace - 1) + 1e-12


def test_belief_is_the_share_of_all_paths_of_paces() -> None:
    """Adds up the probability of every path over four months."""
    counts, exposures = (3.0, 0.0, 7.0), (1.0, 0.5, 1.0)
    misses = (False, True, False)
    rates = np.asarray(PACES.rates)
    expected = np.zeros(len(rates))
    for path in product(range(len(rates)), repeat=4):
        weight = PACES.shares[path[0]]
        for at in range(3):
            rate = rates[path[at]] * exposures[at]
            weight *= rate ** counts[at] * np.exp(-rate)
            changes = PACES.after_miss if misses[at] else PACES.after_payment
            weight *= changes[path[at]][path[at + 1]]
        expected[path[3]] += weight
    belief = np.array([PACES.shares])
    for count, exposure, missed in zip(counts, exposures, misses, strict=True):
        seen = likelihood_of(PACES, np.array([count]), np.array([exposure]))
        belief = next_month(PACES, updated(belief, seen), np.array([missed]))
    np.testing.assert_allclose(belief[0], expected / expected.sum())


def test_invalid_payments_are_refused() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        replace(PACES, shares=(0.5, 0.4, 0.2))
    with pytest.raises(ValueError, match="of all paces"):
        replace(PACES, effects=(0.1,))
    with pytest.raises(ValueError, match="12 months"):
        replace(PAYMENTS, seasons=(0.0,))
    with pytest.raises(ValueError, match="at least 1"):
        replace(PAYMENTS, not_renewed_months=0)
