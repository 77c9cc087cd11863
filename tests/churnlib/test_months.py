"""Calendar-month arithmetic."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnlib.months import first_day, last_day, months_between, shift_months

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


@pytest.mark.parametrize(
    ("a", "b", "months"),
    [
        (date(2024, 1, 31), date(2024, 2, 1), 1),
        (date(2024, 1, 1), date(2024, 1, 31), 0),
        (date(2023, 12, 31), date(2024, 1, 1), 1),
        (date(2024, 3, 1), date(2023, 2, 28), -13),
    ],
)
def test_months_between_counts_calendar_months(a: date, b: date, months: int) -> None:
    assert months_between(a, b) == months


@settings(max_examples=100, derandomize=True)
@given(DAYS, DAYS)
def test_shift_by_months_between_arrives_in_the_same_month(a: date, b: date) -> None:
    assert shift_months(first_day(a), months_between(a, b)) == first_day(b)


@settings(max_examples=100, derandomize=True)
@given(DAYS, st.integers(-600, 600))
def test_months_between_measures_what_shift_months_moved(day: date, months: int) -> None:
    assert months_between(day, shift_months(first_day(day), months)) == months
