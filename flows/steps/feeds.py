"""Late feeds: whether the raw tables of a run hold the rows that were due by its day."""

from collections.abc import Iterable, Mapping, Sequence

from churnlib.errors import DataError
from churnlib.io.catalog import month_name
from churnlib.months import months_apart
from churnlib.raw.gaps import find_gap
from churnlib.raw.late_feeds import LateFeed, MonthlyRows, find_late, newest_month
from churnlib.settings import Settings, WindowName
from churnlib.settings.tables import TableKind
from flows.engine.events import FeedLate
from flows.engine.waiting import is_another_run_waiting
from flows.steps.earlier_day import can_run_as_of
from flows.steps.raw_tables import ACTIVITY_KINDS, RawTable, batch_kinds
from flows.steps.run import Run

Feeds = Mapping[str, MonthlyRows]
"""The rows by month of raw tables, by name."""

LABEL_FEEDS: tuple[TableKind, ...] = ("subscriptions", "misses")
"""The tables without which labels are wrong."""
BATCH_FEEDS: tuple[TableKind, ...] = ("subscriptions", *ACTIVITY_KINDS)
"""The tables without which a batch is incomplete, or its features out of date; where it reads the
misses, they are, too."""


def feeds_of(run: Run, tables: Iterable[RawTable]) -> Feeds:
    """The rows by month of the dated ones among tables that a run has opened."""
    named = {table.checked.name: table.months for table in tables}
    return {name: months for name, months in named.items() if run.raw[name].kind != "entity"}


def check_feeds(run: Run, feeds: Feeds, flow: WindowName | None) -> tuple[str, ...]:
    """Refuses a run whose tables are late, or warns of them; emits an event.

    Args:
        run: The run.
        feeds: The tables to judge.
        flow: The flow, which stops for the tables that it needs, and warns of others; None for
            `standard-features`.

    Returns:
        Warnings for log and reports.

    Raises:
        DataError: A needed table is late, and `raw.on_late` is `fail`. Names it, its months, the
            rows found and expected, and what to do.
    """
    late = find_late_feeds(run, feeds)
    empty = _empty_misses(run, feeds) if flow == "batch_predict" else ()
    if empty and run.settings.raw.on_late == "fail":
        raise DataError(
            f"{run.settings.game}: {empty[0]}. Deliver the table, or go on without its rows: --set "
            "raw.on_late=warn"
        )
    needed = needed_kinds(run.settings, flow) if run.settings.raw.on_late == "fail" else ()
    refused = [feed for feed in late if run.raw[feed.table].kind in needed]
    if late:
        _event(run, late, is_refused=bool(refused)).emit()
    if refused:
        day = min(feed.safe_day for feed in refused)
        earlier = ""
        if flow is None or can_run_as_of(run, flow, day):
            earlier = f", run as of a day before them (--as-of {day})"
        raise DataError(
            f"{run.settings.game}: {'; '.join(map(str, refused))}. Wait until the missing rows "
            f"have been delivered{earlier}, or go on without them: --set raw.on_late=warn"
        )
    gaps = (find_gap(run.raw[table], rows, run.as_of) for table, rows in feeds.items())
    silent = _silence_warnings(run, feeds, late)
    return (*map(str, late), *empty, *map(str, filter(None, gaps)), *silent)


def needed_kinds(settings: Settings, flow: WindowName | None) -> tuple[TableKind, ...]:
    """The kinds of tables that may not be late in a flow; None is `standard-features`."""
    if flow != "batch_predict":
        return LABEL_FEEDS
    return tuple(kind for kind in batch_kinds(settings) if kind in {*BATCH_FEEDS, *LABEL_FEEDS})


def refuse_late(run: Run, feeds: Feeds, flow: WindowName | None) -> None:
    """Refuses a run whose needed tables are late, before it writes anything; see `check_feeds`.

    Raises:
        DataError: A table is late, and `raw.on_late` is `fail`.
    """
    if run.settings.raw.on_late == "fail":
        kinds = needed_kinds(run.settings, flow)
        check_feeds(run, {t: rows for t, rows in feeds.items() if run.raw[t].kind in kinds}, flow)


def find_late_feeds(run: Run, feeds: Feeds) -> list[LateFeed]:
    """Finds the tables that are late on the day of a run."""
    found = (find_late(run.raw[table], rows, run.as_of) for table, rows in feeds.items())
    return [feed for feed in found if feed]


def _empty_misses(run: Run, feeds: Feeds) -> tuple[str, ...]:
    """Warns of a table of misses without rows, by which a batch leaves out who has churned."""
    return tuple(
        f"{table} has no rows known by {run.as_of}, so that the batch has all subscriptions that "
        "have churned"
        for table, rows in feeds.items()
        if run.raw[table].kind == "misses" and newest_month(rows, run.as_of) is None
    )


def _silence_warnings(run: Run, feeds: Feeds, late: list[LateFeed]) -> tuple[str, ...]:
    """Warns of a day after the end of tables that are too small or young to be called late."""
    newest = max(
        filter(None, (newest_month(rows, run.as_of) for rows in feeds.values())), default=None
    )
    if late or newest is None or (months := months_apart(newest, run.as_of)) <= 1:
        return ()
    return (
        f"the latest rows of {', '.join(feeds)} are of {month_name(newest)}, {months} months "
        f"before the day of the run, {run.as_of}: if later ones are missing, labels are 0 that "
        "should be 1 or null, and features are out of date",
    )


def _event(run: Run, late: Sequence[LateFeed], *, is_refused: bool) -> FeedLate:
    return FeedLate(
        game=run.settings.game,
        tables=", ".join(feed.table for feed in late),
        first_month=month_name(min(feed.first for feed in late)),
        last_month=month_name(max(feed.last for feed in late)),
        rows=sum(feed.found for feed in late),
        expected=sum(feed.expected for feed in late),
        refused="yes" if is_refused else "no",
        run_waiting="yes" if is_refused and is_another_run_waiting() else "no",
    )
