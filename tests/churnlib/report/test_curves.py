"""The numbers behind the plots, against slow and obvious reckoning."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import auc, roc_auc_score

from churnlib.report.curves import MAX_POINTS, Flags, Floats, gains, risk_groups, roc

Sample = tuple[Flags, Floats]


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Predictions with many ties, and both outcomes."""
    rows = draw(st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=2, max_size=400))
    outcome = np.array([churned for churned, _ in rows])
    outcome[0], outcome[1] = True, False
    return outcome, np.array([tenths / 12 for _, tenths in rows])


def many(n: int) -> Sample:
    random = np.random.default_rng(7)
    probability = random.random(n)
    return random.random(n) < probability, probability


@given(samples())
def test_roc_encloses_the_area_that_is_reported(sample: Sample) -> None:
    across, up = roc(*sample)
    assert (across[0], up[0], across[-1], up[-1]) == (0, 0, 1, 1)
    assert auc(across, up) == pytest.approx(roc_auc_score(*sample))


def test_roc_of_many_rows_is_thinned_without_changing_its_shape() -> None:
    sample = many(20_000)
    across, up = roc(*sample)
    assert len(across) == MAX_POINTS
    assert auc(across, up) == pytest.approx(roc_auc_score(*sample), abs=1e-3)


@given(samples())
def test_gains_rise_from_nothing_to_all_straight_through_ties(sample: Sample) -> None:
    found = gains(*sample)
    assert (found[0], found[-1]) == (0, 1)
    assert (np.diff(found) >= -1e-12).all()
    outcome, probability = sample
    levels = sorted(set(probability.tolist()), reverse=True)
    called = [0] + [int((probability >= level).sum()) for level in levels]
    churned = [0] + [int(outcome[probability >= level].sum()) for level in levels]
    reached = np.interp(np.linspace(0, len(outcome), 11), called, churned)
    assert found == pytest.approx(reached / outcome.sum())


def test_gains_of_equal_probabilities_are_those_of_chance() -> None:
    outcome = np.array([True, False, False, True, False])
    assert gains(outcome, np.full(5, 0.3)) == pytest.approx(np.linspace(0, 1, 11))


@given(samples())
def test_risk_groups_part_all_rows_by_falling_probability(sample: Sample) -> None:
    outcome, probability = sample
    groups = risk_groups(*sample)
    predicted = [group.predicted for group in groups]
    assert predicted == sorted(predicted, reverse=True)
    assert sum(group.rows for group in groups) == len(outcome)
    assert sum(group.churned for group in groups) == outcome.sum()
    assert sum(g.rows * g.predicted for g in groups) == pytest.approx(probability.sum())
    assert all(0 <= g.low <= g.observed <= g.high <= 1 for g in groups)


@given(samples())
def test_risk_groups_keep_equal_probabilities_together(sample: Sample) -> None:
    outcome, probability = sample
    borders = np.cumsum([group.rows for group in risk_groups(outcome, probability)])[:-1]
    ordered = np.sort(probability)[::-1]
    assert all(ordered[border - 1] > ordered[border] for border in borders)


@given(samples(), st.randoms(use_true_random=False))
def test_curves_do_not_depend_on_the_order_of_rows(sample: Sample, random: Random) -> None:
    order = list(range(len(sample[0])))
    random.shuffle(order)
    outcome, probability = sample
    shuffled = outcome[order], probability[order]
    assert risk_groups(*shuffled) == risk_groups(*sample)
    assert gains(*shuffled).tolist() == gains(*sample).tolist()
    assert np.array_equal(roc(*shuffled), roc(*sample))


@pytest.mark.parametrize(("rows", "expected"), [(3, 2), (45, 2), (100, 5), (200, 10), (5000, 10)])
def test_risk_groups_are_fewer_where_there_are_few_rows(rows: int, expected: int) -> None:
    sizes = [group.rows for group in risk_groups(*many(rows))]
    assert len(sizes) == expected
    assert max(sizes) - min(sizes) <= 1


def test_risk_group_interval_is_wilsons() -> None:
    """2 of 10: the ends solve (p - 0.2)^2 = z^2 p (1 - p) / 10."""
    outcome = np.array([True] * 2 + [False] * 8)
    (group,) = risk_groups(outcome, np.full(10, 0.2))
    z = 1.959964
    for end in (group.low, group.high):
        assert (end - 0.2) ** 2 == pytest.approx(z**2 * end * (1 - end) / 10, rel=1e-5)
