"""What is late, missing or incomplete in the data of a game, from the footers of its files."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import partial

from churnlib.errors import DataError
from churnlib.io.catalog import Catalog, month_name
from churnlib.io.commands import churn_command
from churnlib.io.datasets import Dataset
from churnlib.io.footer import facts
from churnlib.io.storage import exists, written_at
from churnlib.months import first_day
from churnlib.raw.availability import default_day
from churnlib.raw.late_feeds import find_late, read_monthly_rows
from churnlib.raw.past_batches import (
    due_batch_name,
    missing_months,
    read_batches,
    rows_since_text,
    small_batches,
    small_text,
)
from churnlib.raw.quality_warnings import ROWS_BY_DAY, ByDay, rows_by_day
from churnlib.schemas.raw_tables import raw_tables
from churnlib.settings import Settings
from flows.steps.raw_tables import ACTIVITY_KINDS


def data_faults(settings: Settings, data_dir: str | None) -> Iterator[tuple[str, str]]:
    """Yields what is late, missing or incomplete, as a label and a text.

    Raw tables are judged as they were last checked.

    Args:
        settings: The game's settings.
        data_dir: The data folder that suggested commands name; none if it is None.
    """
    catalog = Catalog(settings.data_dir, settings.game)
    try:
        counts = dict(_counts(settings, catalog))
        day = settings.as_of or _latest_day(settings, counts)
        if day is None:
            return
        for spec in raw_tables(settings).of_kind("subscriptions", "misses", *ACTIVITY_KINDS):
            if spec.name in counts:
                checked = catalog.checked(spec.name)
                if late := find_late(spec, read_monthly_rows(checked, spec), day):
                    yield "late", f"{late} (as of {day}, {_when_checked(checked)})"
        yield from _batch_faults(settings, data_dir, counts, day)
    except DataError as error:
        yield "not known", str(error)


def _when_checked(checked: Dataset) -> str:
    """When a flow last read a raw table; a later delivery is not known."""
    written = written_at(checked.uri)
    on = f" on {datetime.fromtimestamp(written / 1e9):%Y-%m-%d %H:%M}" if written else ""
    return f"by the table as last checked by a flow{on}"


def _counts(settings: Settings, catalog: Catalog) -> Iterator[tuple[str, ByDay]]:
    for name in raw_tables(settings):
        checked = catalog.checked(name)
        if exists(checked.uri):
            yield name, facts(checked, ROWS_BY_DAY)[0]


def _latest_day(settings: Settings, counts: Mapping[str, ByDay]) -> date | None:
    days = {name: rows_by_day(by_day) for name, by_day in counts.items()}
    return default_day(days, raw_tables(settings), settings.raw.arrived_share)


def _batch_faults(
    settings: Settings, data_dir: str | None, counts: Mapping[str, ByDay], day: date
) -> Iterator[tuple[str, str]]:
    batches = read_batches(Catalog(settings.data_dir, settings.game))
    backfill = partial(_backfill, settings.game, data_dir)
    window = settings.windows.batch_predict
    if window.is_relative:
        start, end = window.span(day)
        newest = first_day(start)
        missing = missing_months([batch.month for batch in batches], newest)
        if missing:
            names = ", ".join(due_batch_name(window, month) for month in missing)
            yield "batches missing", f"{names}: {backfill(missing)}"
        if settings.cohort.last_day(end) > day:
            yield (
                "batch incomplete",
                f"windows.batch_predict ends on {end}, after the data, on {day}",
            )
    for batch in batches:
        if batch.rows_since(counts):
            again = backfill([batch.month])
            text = f"{batch.name}: {rows_since_text(batch, counts)}: {again}"
            yield "batch incomplete", text
    for batch, expected in small_batches(batches):
        yield "batch too small", f"{batch.name}: {small_text(batch, expected)}"


def _backfill(game: str, data_dir: str | None, months: list[date]) -> str:
    first, last = month_name(months[0]), month_name(months[-1])
    arguments = ("--flow", "batch-predict", "--from", first, "--to", last)
    return churn_command("backfill", game, data_dir, *arguments)
