"""Raw tables whose last months hold far fewer rows than those before."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from churnlib.io.footer import facts
from churnlib.months import shift_months
from churnlib.raw.late_feeds import LateFeed, MonthlyRows, find_late, monthly_rows, newest_month
from churnlib.raw.quality_warnings import ROWS, ROWS_BY_AGE, ROWS_BY_DAY
from churnlib.schemas import raw_tables as schemas
from churnlib.settings.tables import TableSettings
from churnlib.synthesis import PROCESSES, generate
from tests.base import HISTORY, declared, raw_tables
from tests.churnlib.raw.samples import miss, prepare, sub, write

TABLES = raw_tables()
CURRENCY, SUBSCRIPTIONS, MISSES = TABLES[HISTORY], TABLES.subscriptions, TABLES.misses
DAY = date(2025, 1, 1)


def months(rows: int, until: date, span: int = 24) -> MonthlyRows:
    """The same number of rows in each month, up to one."""
    return {"0": {shift_months(until, -n).isoformat(): rows for n in range(span)}}


def test_late_subscriptions_are_those_of_the_months_before_the_day() -> None:
    assert find_late(SUBSCRIPTIONS, months(150, date(2024, 12, 1)), DAY) is None
    late = find_late(SUBSCRIPTIONS, months(150, date(2024, 10, 1)), DAY)
    assert late == LateFeed(
        table="sub_data",
        column="sub_start_date",
        first=date(2024, 11, 1),
        last=date(2024, 12, 1),
        found=0,
        expected=300,
        safe_day=date(2024, 11, 1),
    )
    assert str(late) == (
        "sub_data is late: 0 rows have sub_start_date in 2024-11 to 2024-12, where about 300 were "
        "to be expected from the months before"
    )


def test_late_history_includes_the_month_of_the_day() -> None:
    assert find_late(CURRENCY, months(4000, DAY), DAY) is None
    late = find_late(CURRENCY, months(4000, date(2024, 12, 1)), DAY)
    assert late is not None
    assert (late.first, late.last, late.safe_day) == (DAY, DAY, date(2024, 12, 1))


def test_late_misses_are_named_by_the_missed_months() -> None:
    late = find_late(MISSES, months(75, date(2024, 10, 1)), DAY)  # Known then: missed in September.
    assert late is not None
    assert (late.months, late.safe_day) == ("2024-10 to 2024-12", date(2024, 10, 1))


@pytest.mark.parametrize("spec", TABLES.specs, ids=lambda spec: spec.name)
@pytest.mark.parametrize("day", [date(2024, 7, 1), date(2024, 7, 19)])
def test_a_table_is_not_late_on_an_earlier_day(spec: object, day: date) -> None:
    assert find_late(spec, months(75, date(2024, 10, 1)), day) is None  # type: ignore[arg-type]


def test_the_safe_day_is_safe() -> None:
    for spec in TABLES.specs:
        rows = months(75, date(2024, 10, 1))
        late = find_late(spec, rows, DAY)
        assert late is not None
        assert find_late(spec, rows, late.safe_day) is None
        assert find_late(spec, rows, shift_months(late.safe_day, 1)) is not None


def test_rows_by_month_are_counted_by_age() -> None:
    days = {"0": [("2024-03-01", 2), ("2024-03-09", 1)], "2": [("2024-04-30", 5)]}
    rows = monthly_rows(days)
    assert rows == {"0": {"2024-03-01": 3}, "2": {"2024-04-01": 5}}
    assert newest_month(rows, date(2024, 4, 30)) == date(2024, 4, 1)
    assert newest_month(rows, date(2024, 3, 31)) == date(2024, 3, 1)
    assert newest_month(rows, date(2024, 2, 1)) is None


def test_checked_misses_keep_their_rows_by_the_months_until_they_end(tmp_path: Path) -> None:
    rows = [miss(101, 3), miss(102, 3, end_date=date(2024, 3, 1)), miss(103, 3)]
    subs = [sub(n, 1) for n in (101, 102, 103)]
    parent = datasets_of(subs)
    checked = prepare(write(tmp_path, "sub_miss", rows), MISSES, "clean", parent=parent)
    by_day, by_age = facts(checked, ROWS_BY_DAY, ROWS_BY_AGE)
    assert by_day[ROWS] == [["2024-04-01", 3]]
    assert by_age == {"0": [["2024-04-01", 1]], "1": [["2024-04-01", 2]]}


def datasets_of(rows: list[dict[str, object]]) -> pl.LazyFrame:
    return pl.LazyFrame(rows).sort("char_id", "sub_start_date", "sub_id")


@pytest.fixture(scope="module")
def misses(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """The misses of a game of 4,000 characters, in the order of delivery."""
    files = generate(PROCESSES["game1"], 4000, 7, tmp_path_factory.mktemp("raw")).files
    return pl.read_csv(files["sub_miss"], try_parse_dates=True)


def counted(misses: pl.DataFrame) -> MonthlyRows:
    """The rows by month, as the footer of the checked table has them."""
    known = misses.select(day=MISSES.known_on, age=MISSES.complete_after)
    return {
        str(age): {str(day): rows for day, rows in aged["day"].value_counts().iter_rows()}
        for (age,), aged in known.partition_by("age", as_dict=True).items()
    }


def test_sample_data_are_not_late_on_any_day_of_the_last_year(misses: pl.DataFrame) -> None:
    rows = counted(misses)
    assert [n for n in range(13) if find_late(MISSES, rows, shift_months(DAY, -n))] == []


@pytest.mark.parametrize("column", ["start_date", "end_date"])
def test_missing_months_of_misses_are_found(misses: pl.DataFrame, column: str) -> None:
    for missing in (1, 2, 3):
        until = shift_months(DAY, -missing)
        late = find_late(MISSES, counted(misses.filter(pl.col(column) < until)), DAY)
        assert late is not None
        assert (late.first, late.last) == (until, date(2024, 12, 1))
        assert late.found == 0


@pytest.mark.parametrize("days", [0, 1, 15, 30, 31, 45])
def test_history_that_reaches_the_data_late_is_judged_by_its_own_months(days: int) -> None:
    firsts = [date(2023 + n // 12, n % 12 + 1, 1) for n in range(20)]
    delay = timedelta(days=days)
    history = declared(tables={"gems": TableSettings(kind="history", known_after_days=days)})
    spec = schemas.raw_tables(history)["gems"]
    rows = monthly_rows({"0": [(str(first), 100) for first in firsts]})
    assert find_late(spec, rows, firsts[-1] + delay) is None
    short = monthly_rows({"0": [(str(first), 100) for first in firsts[:-3]]})
    late = find_late(spec, short, firsts[-1] + delay)
    assert late
    assert late.first == firsts[-3]


def test_last_month_of_events_is_judged_on_the_day_on_which_all_of_it_is_known() -> None:
    logins = TableSettings(kind="events", time="at", known_after_days=1)
    spec = schemas.raw_tables(declared(tables={"logins": logins}))["logins"]
    rows = months(20_000, date(2024, 11, 1))
    late = find_late(spec, rows, DAY)
    assert late
    assert late.first == date(2024, 12, 1)
    assert find_late(spec, rows, date(2024, 12, 31)) is None
