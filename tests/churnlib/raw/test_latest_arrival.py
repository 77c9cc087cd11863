"""Which month of a history is the latest that has arrived."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.errors import DataError
from churnlib.months import months_apart, shift_months
from churnlib.raw.availability import Arrival, latest_arrival, latest_day, latest_start
from churnlib.raw.validate import count_days
from churnlib.settings import RawSettings, Settings
from tests.base import BASE, HISTORY, raw_tables
from tests.churnlib.raw.samples import FORMATS, currency, write

FIRST = date(2024, 1, 1)


def monthly(*rows: int) -> dict[date, int]:
    """Rows of consecutive months."""
    return {shift_months(FIRST, n): count for n, count in enumerate(rows)}


def arrived(rows: dict[date, int], share: float = 0.5) -> int | None:
    """The latest month that has arrived, counted from the first."""
    arrival = latest_arrival(rows, share)
    return None if arrival is None else months_apart(FIRST, arrival.month)


@pytest.mark.parametrize(
    ("rows", "latest"),
    [
        ([], None),
        ([0, 0], None),
        ([7], 0),
        ([4, 87, 155, 242], 3),
        ([4000, 4000, 2000], 2),
        ([4000, 4000, 1999], 1),
        ([4000, 800, 4100], 2),
        ([100] * 6 + [1000] + [100] * 2, 8),
        ([1000, 100, 100], 2),
        ([int(100_000 * 0.7**n) for n in range(20)], 19),
        ([4000, 4000, 0, 0, 0, 0, 0, 1], 1),
        ([4000, 4000, 0, 0, 0, 0, 0, 1, 1], 1),
        ([4000, 4000, 1, 1, 1], 1),
        ([4000, 4000, 0, 0, 3900, 4000], 5),
    ],
)
def test_latest_arrival_of_months(rows: list[int], latest: int | None) -> None:
    assert arrived(monthly(*rows)) == latest


def test_latest_arrival_ignores_a_character_dated_ten_years_late() -> None:
    rows = monthly(*range(4, 4000, 83))
    shifted = {shift_months(month, 120): 1 for month in rows}
    arrival = latest_arrival(rows | shifted)
    assert arrival == Arrival(max(rows), max(rows.values()), shifted)


def test_latest_arrival_counts_the_rows_of_later_months() -> None:
    arrival = latest_arrival(monthly(3000, 4000, 785))
    assert arrival == Arrival(date(2024, 2, 1), 4000, {date(2024, 3, 1): 785})


def obvious(counts: list[int], share: float) -> int | None:
    """The rule in words, month by month: whether each has arrived."""
    has_arrived: list[bool] = []
    for place, count in enumerate(counts):
        earlier = [n for n in range(place) if counts[n] > 0]
        if count == 0:
            has_arrived.append(False)
        elif not earlier:
            has_arrived.append(True)
        else:
            mean = sum(counts[n] for n in earlier) / len(earlier)
            goes_on = earlier[-1] == place - 1 and has_arrived[-1]
            is_enough = goes_on or len(earlier) == 0 or count > 0.01 * mean
            has_arrived.append(is_enough and count >= share * counts[earlier[-1]])
    return max((n for n, each in enumerate(has_arrived) if each), default=None)


@given(
    st.lists(st.sampled_from([0, 0, 1, 2, 30, 100, 4000]) | st.integers(0, 5000), max_size=30),
    st.floats(0.05, 1),
)
def test_latest_arrival_is_the_last_month_that_has_arrived(counts: list[int], share: float) -> None:
    assert arrived(monthly(*counts), share) == obvious(counts, share)


@given(st.lists(st.integers(100, 5000), min_size=2, max_size=20), st.integers(1, 90))
def test_latest_arrival_does_not_move_by_one_future_row(counts: list[int], ahead: int) -> None:
    rows = monthly(*counts)
    future = {shift_months(max(rows), ahead): 1}
    before, after = latest_arrival(rows), latest_arrival(rows | future)
    assert before is not None
    assert after == before._replace(later={**before.later, **future})


def test_latest_day_is_the_first_of_the_latest_month_that_has_arrived() -> None:
    dates = [date(2024, 5, 1)] * 40 + [date(2024, 6, 1)] * 20 + [date(2025, 1, 1)]
    tables = {HISTORY: pl.LazyFrame({"date": dates})}
    assert latest_day(tables, BASE) == date(2024, 6, 1)
    raw = BASE.raw.model_copy(update={"arrived_share": 0.6})
    assert latest_day(tables, BASE.model_copy(update={"raw": raw})) == date(2024, 5, 1)


def without_history() -> Settings:
    tables = {name: table for name, table in BASE.tables.items() if table.kind != "history"}
    return BASE.model_copy(update={"tables": tables})


def test_latest_day_without_histories_is_in_the_month_after_the_latest_start() -> None:
    starts = [date(2024, 5, 3)] * 40 + [date(2024, 6, 30)] * 2
    subs = pl.LazyFrame({"sub_start_date": starts})
    assert latest_day({"sub_data": subs}, without_history()) == date(2024, 7, 1)


def test_mistyped_start_far_ahead_does_not_move_the_latest_day() -> None:
    starts = [date(2024, 5, 3)] * 40 + [date(2024, 6, 30)] * 30 + [date(2204, 6, 3)]
    subs = pl.LazyFrame({"sub_start_date": starts})
    assert latest_day({"sub_data": subs}, without_history()) == date(2024, 7, 1)


def test_latest_start_after_months_without_any_needs_a_share_of_the_rows() -> None:
    assert latest_start(monthly(40, 0, 0, 20)) == Arrival(shift_months(FIRST, 3), 20, {})
    ahead = {shift_months(FIRST, 3): 19}
    assert latest_start(monthly(40, 0, 0, 19)) == Arrival(FIRST, 40, ahead)
    assert latest_start({}) is None


def test_latest_day_is_that_of_the_history_that_has_arrived_least() -> None:
    tables = {**BASE.tables, "gems": BASE.tables[HISTORY]}
    months = [date(2024, 5, 1)] * 40 + [date(2024, 6, 1)] * 40
    full, behind = pl.LazyFrame({"date": months}), pl.LazyFrame({"date": months[:41]})
    two = BASE.model_copy(update={"tables": tables})
    assert latest_day({HISTORY: full, "gems": full}, two) == date(2024, 6, 1)
    assert latest_day({HISTORY: full, "gems": behind}, two) == date(2024, 5, 1)
    assert latest_day({HISTORY: behind, "gems": full}, two) == date(2024, 5, 1)


def test_history_without_rows_has_no_latest_day() -> None:
    rows = pl.LazyFrame(schema={"date": pl.Date})
    with pytest.raises(DataError, match=f"^game1: {HISTORY} has no rows, so the day of the run"):
        latest_day({HISTORY: rows}, BASE)


@pytest.mark.parametrize("form", FORMATS)
def test_count_days_counts_rows_with_faults_too(form: str, tmp_path: Path) -> None:
    later = currency(1, date=date(2024, 2, 1), hard_balance="x")
    source = write(tmp_path, "character_currency", [currency(1), currency(2), later], form)
    counts = count_days(source, raw_tables()[HISTORY], tmp_path)
    assert counts == {date(2021, 1, 1): 2, date(2024, 2, 1): 1}


def test_default_share_is_that_of_the_settings() -> None:
    assert latest_arrival(monthly(4, 2)) == latest_arrival(
        monthly(4, 2), RawSettings().arrived_share
    )
