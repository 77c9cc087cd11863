"""Whether the last months of a table hold too few rows."""

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom

from churnlib.raw.shortfall import (
    LEVEL,
    MIN_REFERENCE,
    REFERENCE,
    Shortfall,
    find_shortfall,
    probability_of_at_most,
)


@given(st.floats(0, 1), st.floats(0.5, 2000), st.floats(0.03, 5))
def test_probability_is_that_of_the_negative_binomial(
    share: float, mean: float, dispersion: float
) -> None:
    rows, size = int(share * mean), 1 / dispersion
    expected = nbinom.cdf(rows, size, size / (size + mean))
    assert isclose(
        probability_of_at_most(rows, mean, dispersion), expected, rel_tol=1e-6, abs_tol=1e-12
    )


STEADY = [75, 70, 82, 74, 69, 80, 77, 71, 76, 79, 73, 74]


@pytest.mark.parametrize("missing", [1, 2, 3, 6, 8, 12, 20])
def test_missing_months_are_found_with_the_rows_to_be_expected(missing: int) -> None:
    short = find_shortfall([STEADY * 2 + [0] * missing])
    assert short is not None
    assert (short.months, short.found) == (missing, 0)
    assert short.expected == pytest.approx(missing * 75, rel=0.1)


def test_a_partly_delivered_month_is_found() -> None:
    short = find_shortfall([[*STEADY, 151, 148, 150, 145, 11]])
    assert short is not None
    assert (short.months, short.found) == (1, 11)


@pytest.mark.parametrize(
    "rows",
    [
        STEADY,
        [*STEADY, 45],  # More than half.
        [1000, *STEADY],  # A launch.
        [*STEADY, 750, *STEADY[:2]],  # A campaign, and the months after it.
        [int(5000 * 0.7**n) for n in range(24)],  # A game that loses players.
        [int(5000 * 0.7**n) for n in range(24)] + [0, 0],
        [*[5000] * 12, *(int(5000 * 0.7**n) for n in range(1, 7))],
        [100, 20, 20] * 6,  # A campaign each quarter.
        [300, 0, 0] * 6,  # Open only once a quarter.
        [3, 1, 0, 2, 4, 1, 2, 0, 3, 2, 1, 2, 0, 0],  # A quiet game.
        [80, 90, 70, 80, 0],  # Too young to judge.
        [0] * 12,
    ],
)
def test_a_table_is_not_short(rows: list[int]) -> None:
    assert find_shortfall([rows]) is None


def test_a_spike_before_does_not_hide_missing_months() -> None:
    short = find_shortfall([[*STEADY[:8], 750, *STEADY[:3], 0, 0]])
    assert short is not None
    assert (short.months, short.found) == (2, 0)
    assert short.expected == pytest.approx(160, rel=0.15)


def test_rows_count_as_they_were_known_at_the_same_distance() -> None:
    # Half of the rows are complete at once, the others a month later.
    at_once = [40] * 14
    later = [*[80] * 13, 40]
    assert find_shortfall([at_once, later]) is None
    assert find_shortfall([later]) is None
    short = find_shortfall([[*at_once[:-1], 0], [*later[:-1], 0]])
    assert short is not None
    assert short.months == 1
    assert short.expected == pytest.approx(40)


def test_the_months_before_must_be_enough() -> None:
    rows = [80] * MIN_REFERENCE
    assert find_shortfall([[*rows, 0]]) == Shortfall(1, 0, 80)
    assert find_shortfall([[*rows[:-1], 0]]) is None


@given(st.lists(st.integers(40, 60), min_size=REFERENCE, max_size=30), st.integers(0, 60))
def test_more_rows_are_never_shorter(rows: list[int], last: int) -> None:
    if find_shortfall([[*rows, last]]) is None:
        assert find_shortfall([[*rows, last + 5]]) is None


def test_level_bounds_the_probability() -> None:
    # With the minimum dispersion, 33 degrees of freedom: the last number that is too few.
    rows = [100] * REFERENCE
    few = max(n for n in range(100) if find_shortfall([[*rows, n]]))
    assert (
        probability_of_at_most(few, 100, 0.03) < LEVEL <= probability_of_at_most(few + 1, 100, 0.03)
    )
