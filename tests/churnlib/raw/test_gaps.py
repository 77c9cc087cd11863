"""Gaps in the middle of raw tables."""

from datetime import date

import numpy as np
import pytest

from churnlib.months import shift_months
from churnlib.raw.gaps import AROUND, deepest_gap, find_gap
from tests.base import HISTORY, raw_tables
from tests.variants import slow_but

AS_OF = date(2025, 1, 1)


def rows_of(counts: list[int], until: date = AS_OF) -> dict[str, dict[str, int]]:
    months = [shift_months(until, n - len(counts) + 1) for n in range(len(counts))]
    return {"0": {m.isoformat(): n for m, n in zip(months, counts, strict=True) if n}}


def test_missing_months_of_misses_are_named_by_their_start() -> None:
    # The misses of January to September 2023 become known from February to October.
    known = [30] * 14 + [0] * 9 + [30] * 15
    gap = find_gap(raw_tables().misses, rows_of(known), AS_OF)
    assert gap is not None
    assert (gap.first, gap.last) == (date(2023, 1, 1), date(2023, 9, 1))
    assert (gap.found, gap.expected) == (0, 270)
    assert str(gap).startswith(
        "sub_miss may have a gap: 0 rows have start_date in 2023-01 to 2023-09, where about 270 "
        "were to be expected"
    )


def test_rows_after_the_day_of_the_run_do_not_matter() -> None:
    known = [30] * 20 + [0] + [30] * 10
    spec = raw_tables()[HISTORY]
    assert find_gap(spec, rows_of(known), AS_OF) is not None
    assert find_gap(spec, rows_of(known), shift_months(AS_OF, -9)) is None


@pytest.mark.parametrize(("month", "is_gap"), [(0, True), (400, True), (600, False), (1000, False)])
def test_a_month_of_large_data_is_a_gap_if_it_has_less_than_half(month: int, is_gap: bool) -> None:
    found = deepest_gap([1000] * 12 + [month] + [1000] * 12)
    assert found == ((12, 13, 1000) if is_gap else None)


def test_growth_launches_and_ends_are_no_gaps() -> None:
    assert deepest_gap([2 * n for n in range(40)]) is None
    assert deepest_gap([5000, 900, *[300] * 30]) is None
    assert deepest_gap([100] * 20 + [0] * AROUND) is None
    assert deepest_gap([0] * 40) is None
    assert deepest_gap([100] * 9) is None
    # A step from one level to another.
    assert deepest_gap([300] * 20 + [100] * 20) is None


@pytest.mark.parametrize("level", slow_but(20, of=[3, 20, 100, 1000]))
def test_healthy_tables_rarely_have_a_gap(level: int) -> None:
    rng = np.random.default_rng(level)
    level_by_month = level * rng.gamma(30, 1 / 30, (300, 48))  # A deviation of 18 % a month.
    found = [deepest_gap(draw.tolist()) for draw in rng.poisson(level_by_month)]
    assert sum(gap is not None for gap in found) <= 3
