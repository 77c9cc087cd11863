"""The rows that were known on a day, the months that have arrived, and the day of a run."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from churnlib.errors import DataError
from churnlib.months import first_day, last_day, shift_months
from churnlib.schemas.raw_tables import RawTables, raw_tables
from churnlib.schemas.spec import TableSpec
from churnlib.schemas.validation import require
from churnlib.settings import Settings

ARRIVED_SHARE = 0.5
"""The default of `raw.arrived_share`."""
MIN_SHARE_OF_MEAN = 0.01
"""The share of the rows of an average earlier month that a month needs after a gap, so that a few
mistyped dates in two consecutive months do not make a month that has arrived."""


def known_by(spec: TableSpec, as_of: date) -> pl.Expr:
    """Whether the fact in a row of a raw table was known on a day.

    Args:
        spec: The raw table's record.
        as_of: The day.

    Returns:
        A flag per row; null if the row's own date is null.
    """
    return spec.known_on <= as_of


class Arrival(NamedTuple):
    """Up to where a history has arrived."""

    month: date
    """The first day of the latest month that has arrived."""
    rows: int
    """The rows of that month."""
    later: Mapping[date, int]
    """The rows of the months after it, by first day."""


def latest_arrival(rows: Mapping[date, int], share: float = ARRIVED_SHARE) -> Arrival | None:
    """Finds the latest month of a history that has arrived.

    A month has arrived if it has at least a share of the rows of the latest month with rows before
    it. If that month is not the one before, or has not arrived itself, it also needs more than
    `MIN_SHARE_OF_MEAN` of the rows of an average earlier month. The first month has arrived.

    Args:
        rows: The rows of each month, by first day; months without rows may be left out.
        share: The share; see `raw.arrived_share`.

    Returns:
        The month; None if there are no rows.

    >>> january, february = date(2025, 1, 1), date(2025, 2, 1)
    >>> latest_arrival({january: 4000, february: 800})
    Arrival(month=datetime.date(2025, 1, 1), rows=4000, later={datetime.date(2025, 2, 1): 800})
    """
    arrived = before = None
    total = 0
    months = sorted(month for month, count in rows.items() if count > 0)
    for place, month in enumerate(months):
        follows = before is not None and arrived == before == shift_months(month, -1)
        is_enough = place == 0 or follows or rows[month] > MIN_SHARE_OF_MEAN * total / place
        if before is None or (is_enough and rows[month] >= share * rows[before]):
            arrived = month
        before = month
        total += rows[month]
    if arrived is None:
        return None
    later = {month: rows[month] for month in months if month > arrived}
    return Arrival(arrived, rows[arrived], later)


def latest_start(rows: Mapping[date, int], share: float = ARRIVED_SHARE) -> Arrival | None:
    """Finds the latest month in which subscriptions started, for games without histories.

    A month after one without any needs a share of the rows of the last one before, so that a
    mistyped day does not count.

    Args:
        rows: The subscriptions that started in each month, by first day.
        share: The share; see `raw.arrived_share`.

    Returns:
        The month; None if there are no rows.
    """
    newest: date | None = None
    months = sorted(month for month, count in rows.items() if count > 0)
    for month in months:
        if (
            newest is None
            or newest == shift_months(month, -1)
            or rows[month] >= share * rows[newest]
        ):
            newest = month
    if newest is None:
        return None
    return Arrival(newest, rows[newest], {m: rows[m] for m in months if m > newest})


def default_day(
    days: Mapping[str, Mapping[date, int]], tables: RawTables, share: float = ARRIVED_SHARE
) -> date | None:
    """The day of a run that names none.

    Args:
        days: The rows of the raw tables by the day on which they became known, by table.
        tables: The raw tables of the game.
        share: The share of the rows of the month before with which a month has arrived.

    Returns:
        The first day of the latest month that has arrived in all histories; beside a monthly
        history, a daily one that reaches the last day of a month has arrived for the next. Without
        histories, the first day of the month after the latest start of a subscription. None if a
        table has no rows.
    """
    histories = tables.of_kind("history")
    if histories:
        is_one_monthly = any(spec.every == "month" for spec in histories)
        found = [
            _latest_first(days.get(spec.name, {}), spec, share, beside_monthly=is_one_monthly)
            for spec in histories
        ]
        known = [day for day in found if day]
        return min(known) if len(known) == len(found) else None
    start = latest_start(rows_by_month(days.get(tables.subscriptions.name, {})), share)
    return shift_months(start.month, 1) if start else None


def _latest_first(
    days: Mapping[date, int], spec: TableSpec, share: float, *, beside_monthly: bool
) -> date | None:
    """The first day of the latest month for which a history has arrived."""
    arrival = latest_arrival(rows_by_month(days, spec.known_after_days), share)
    if arrival is None:
        return None
    newest = max(days) - timedelta(days=spec.known_after_days)
    is_whole = beside_monthly and spec.every == "day" and newest >= last_day(arrival.month)
    return shift_months(arrival.month, 1) if is_whole else arrival.month


def latest_day(tables: Mapping[str, pl.LazyFrame], settings: Settings) -> date:
    """The default day of a run, from the tables of a game; see `default_day`.

    Rows of later months are not read by a run of that day: a month is incomplete with fewer than a
    share of the rows of the month before it, or its dates are wrong.

    Args:
        tables: The checked raw tables of the game by name, as `read_tables` gives them.
        settings: The settings of the game.

    Raises:
        DataError: A table is missing, or a history has no rows.
    """
    raw = raw_tables(settings)
    dated = raw.of_kind("history") or (raw.subscriptions,)
    require(tables, [spec.name for spec in dated], "the tables")
    days = {spec.name: _days_known(tables[spec.name], spec) for spec in dated}
    day = default_day(days, raw, settings.raw.arrived_share)
    if day is None:
        raise no_day(settings.game, next(name for name, rows in days.items() if not rows))
    return day


def _days_known(table: pl.LazyFrame, spec: TableSpec) -> dict[date, int]:
    days = table.select(spec.known_on.alias("day")).drop_nulls().group_by("day").len()
    return dict(days.collect().iter_rows())


def no_day(game: str, table: str) -> DataError:
    """The error that a history has no rows to derive the day of a run from."""
    return DataError(
        f"{game}: {table} has no rows, so the day of the run cannot be derived from it. Deliver "
        "the table, or name the day with --as-of."
    )


def rows_by_month(days: Mapping[date, int], delay_days: int = 0) -> dict[date, int]:
    """Adds up rows by day to rows by month, by its first day.

    Args:
        days: The rows by the day on which they became known.
        delay_days: The days from that of a fact to that one; see `known_after_days`.
    """
    delay = timedelta(days=delay_days)
    months: dict[date, int] = {}
    for day, count in days.items():
        month = first_day(day - delay)
        months[month] = months.get(month, 0) + count
    return months
