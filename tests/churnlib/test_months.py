"""Calendar-month arithmetic."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.months import first_day, is_in_month_before, last_day, shift_months
from tests.variants import examples

DAYS = st.dates(date(1970, 1, 1), date(2100, 12, 31))


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        (date(2024, 2, 1), date(2024, 2, 1), date(2024, 2, 29)),
        (date(2023, 2, 14), date(2023, 2, 1), date(2023, 2, 28)),
        (date(2024, 12, 31), date(2024, 12, 1), date(2024, 12, 31)),
    ],
)
def test_first_and_last_day_of_a_month(day: date, first: date, last: date) -> None:
    assert (first_day(day), last_day(day)) == (first, last)


@pytest.mark.parametrize(
    ("months", "shifted"),
    [
        (0, date(2024, 1, 1)),
        (-1, date(2023, 12, 1)),
        (11, date(2024, 12, 1)),
        (12, date(2025, 1, 1)),
        (-25, date(2021, 12, 1)),
    ],
)
def test_shift_months_crosses_years(months: int, shifted: date) -> None:
    assert shift_months(date(2024, 1, 1), months) == shifted


@examples(100, derandomize=True)
@given(DAYS, st.integers(-600, 600))
def test_shift_months_moves_by_calendar_months(day: date, months: int) -> None:
    shifted = shift_months(first_day(day), months)
    assert 12 * (shifted.year - day.year) + shifted.month - day.month == months
    assert shifted.day == 1


@examples(200)
@given(st.lists(st.tuples(st.dates() | st.none(), st.dates() | st.none()), min_size=1))
def test_day_in_month_before_has_an_earlier_month(
    pairs: list[tuple[date | None, date | None]],
) -> None:
    types = {"day": pl.Date, "other": pl.Date}
    rows = pl.DataFrame(pairs, schema=types, orient="row")
    found = rows.select(is_in_month_before(pl.col("day"), pl.col("other"))).to_series()
    expected = [
        (day.year, day.month) < (other.year, other.month) if day and other else None
        for day, other in pairs
    ]
    assert found.to_list() == expected
