"""The day of a run if none is stated: that of the latest month that has arrived."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date

from churnlib.io.catalog import Catalog, month_name
from churnlib.raw.availability import (
    Arrival,
    default_day,
    latest_arrival,
    latest_start,
    no_day,
    rows_by_month,
)
from churnlib.schemas.raw_tables import raw_tables
from churnlib.settings import Settings
from churnlib.settings.tables import TableKind
from flows.steps.table_checks import check_tables, days_of_rows


@dataclass(frozen=True)
class DerivedDay:
    """A day of a run that was derived from the histories.

    Attributes:
        day: The first day of the latest month that has arrived in every history.
        warnings: Warnings of rows of later months, which are not read.
        later: The histories with such rows.
    """

    day: date
    warnings: tuple[str, ...] = ()
    later: tuple[str, ...] = ()


_SHARED: ContextVar[DerivedDay | None] = ContextVar("derived_day", default=None)


@contextmanager
def shared_day(derived: DerivedDay | None) -> Iterator[None]:
    """Tells the sub-flows in the block, which are given their day, how it was derived."""
    token = _SHARED.set(derived)
    try:
        yield
    finally:
        _SHARED.reset(token)


def find_shared_day(day: date) -> DerivedDay | None:
    """Returns how an enclosing flow derived a day; None if it was given that day."""
    derived = _SHARED.get()
    return derived if derived and derived.day == day else None


def kinds_of_day(settings: Settings) -> tuple[TableKind, ...]:
    """The kinds of the raw tables that the day of a run is derived from."""
    return ("history",) if raw_tables(settings).of_kind("history") else ("subscriptions",)


def derive_day(settings: Settings, catalog: Catalog) -> DerivedDay:
    """Derives the day of a run from the histories, or else from the subscriptions.

    Raises:
        DataError: A table has no rows, or those known on that day break rules.
    """
    tables = raw_tables(settings)
    specs = tables.of_kind(*kinds_of_day(settings))
    counted = {spec.name: days_of_rows(settings, catalog, spec) for spec in specs}
    days = {name: rows for name, (rows, _) in counted.items()}
    share = settings.raw.arrived_share
    for spec in specs:
        if not days[spec.name]:
            check_tables(settings, catalog, [spec], None)  # Refuses rows that are not readable.
            raise no_day(settings.game, spec.name)
    day = default_day(days, tables, share)
    assert day is not None
    faulty = [spec for spec in specs if counted[spec.name][1]]
    check_tables(settings, catalog, faulty, day)  # Their dates may be wrong, and so the day.
    find = latest_arrival if tables.of_kind("history") else latest_start
    arrivals = {
        name: find(rows_by_month(rows, tables[name].known_after_days), share)
        for name, rows in days.items()
    }
    later = {
        name: arrival
        for name, arrival in arrivals.items()
        if arrival and max(arrival.later, default=day) > day
    }
    warnings = (_warning(table, arrival, share, day) for table, arrival in later.items())
    return DerivedDay(day, tuple(warnings), tuple(later))


def _warning(table: str, arrival: Arrival, share: float, day: date) -> str:
    rows, (first, *_, last) = sum(arrival.later.values()), [*arrival.later, *arrival.later]
    months = month_name(first) if first == last else f"{month_name(first)} to {month_name(last)}"
    is_one = rows == 1
    return (
        f"{table}: {rows:,} {'row' if is_one else 'rows'} of {months} {'is' if is_one else 'are'} "
        f"not read: too few for a month to have arrived after {month_name(arrival.month)}, which "
        f"has {arrival.rows:,} (raw.arrived_share = {share:g}). So the day of the run is {day}; "
        "correct the dates, wait for the rest of the month, or name another day with --as-of"
    )
