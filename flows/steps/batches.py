"""The batches of a game beside the one of a run: what is new, missing or incomplete."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from churnlib.errors import ChurnlibError, DataError
from churnlib.io.catalog import month_name
from churnlib.io.footer import fact
from churnlib.months import first_day
from churnlib.raw.late_feeds import last_complete, newest_month
from churnlib.raw.past_batches import (
    PastBatch,
    due_batch_name,
    missing_months,
    predicted_months,
    read_batch,
    read_batches,
    rows_since_text,
    small_batches,
    small_text,
)
from churnlib.raw.quality_warnings import ROWS_BY_DAY
from flows.engine.artifacts import show_table
from flows.engine.events import BatchMissing
from flows.steps.prediction import BatchFacts
from flows.steps.raw_tables import RawTable
from flows.steps.run import Run, SubscriptionWindow
from flows.steps.run_day import derive_day
from flows.steps.run_warnings import warn


def batch_facts(
    run: Run,
    window: SubscriptionWindow,
    tables: Sequence[RawTable],
    warnings: tuple[str, ...],
) -> BatchFacts:
    """Collects the facts that are stored with the predictions of a batch.

    Args:
        run: The run.
        window: The subscriptions of the batch.
        tables: The raw tables that it is made of.
        warnings: Warnings for the reader of its score.
    """
    return BatchFacts(
        window=window.span,
        as_of=run.as_of,
        made_of={table.checked.name: table.facts["rows"] for table in tables},
        newest={name: str(month) for name, month in newest_months(run, tables).items()},
        fingerprints={table.checked.name: table.checked.fingerprint for table in tables},
        horizon_months=run.settings.horizon_months,
        outcome=run.settings.outcome,
        cohort=run.settings.cohort,
        is_past=is_past(run),
        warnings=warnings,
    )


def is_past(run: Run) -> bool:
    """Whether later months have arrived than that of the day of a run."""
    if run.derived:
        return False
    try:
        return run.as_of < derive_day(run.settings, run.catalog).day
    except ChurnlibError:  # The tables of the run itself are sound.
        return False


def newest_months(run: Run, tables: Sequence[RawTable]) -> dict[str, date]:
    """The latest complete month with rows of each dated table, on the day of a run."""
    found = {}
    for table in tables:
        spec = run.raw[table.checked.name]
        newest = newest_month(table.months, last_complete(spec, run.as_of))
        if newest and spec.kind != "entity":
            found[spec.name] = newest
    return found


def beyond_warnings(run: Run, window: SubscriptionWindow) -> tuple[str, ...]:
    """Warns of a window in which there are days of rows after the day of the run."""
    cohort = run.settings.cohort
    if cohort.last_day(window.last) <= run.as_of:
        return ()
    left_out = "later months" if cohort.is_monthly else "subscriptions that start later"
    return (
        f"{window.setting} runs to {window.last}, after {run.as_of}, the day of the run: "
        f"{left_out} are not in this batch",
    )


def news_warnings(
    run: Run, window: SubscriptionWindow, tables: Sequence[RawTable]
) -> tuple[str, ...]:
    """Warns of tables that have brought no new month since the last batch.

    The last batch is this one, if the day of the run was derived from the data and has not moved;
    else that of the latest month before.
    """
    earlier = [month for month in predicted_months(run.catalog) if month <= window.first]
    same = bool(earlier) and month_name(earlier[-1]) == month_name(window.first)
    if same and not run.derived:
        earlier = earlier[:-1]
    if not earlier:
        return ()
    last = read_batch(run.catalog.predictions(earlier[-1]), earlier[-1])
    return tuple(_no_news(run, window, last, newest_months(run, tables)))


def _no_news(
    run: Run, window: SubscriptionWindow, last: PastBatch, newest: Mapping[str, date]
) -> Iterator[str]:
    then = last.newest
    if then is None or not newest or any(str(day) > then.get(t, "") for t, day in newest.items()):
        return
    tables = (f"{month_name(day)} in {table}" for table, day in newest.items())
    since = f"no new month since {', '.join(tables)}"
    if last.as_of == run.as_of:
        again = f"so this is batch {last.name} again"
        yield f"{since}: the day of the run is {run.as_of} as before, {again}"
    elif last.month < window.first:
        yield f"{since}, when batch {last.name} was predicted: what happened later is unknown"


def announce_gaps(run: Run, window: SubscriptionWindow, tables: Sequence[RawTable]) -> None:
    """Warns of batches that are missing, incomplete or far too small; shows them; emits an event.

    Args:
        run: The run.
        window: The window of the newest batch that is due.
        tables: The raw tables, which show what is known by now.
    """
    if not run.settings.windows.batch_predict.is_relative:
        return
    counts = {table.checked.name: fact(table.checked, ROWS_BY_DAY) for table in tables}
    try:
        batches = read_batches(run.catalog)
    except DataError as error:
        warn([f"which batches are missing or incomplete is not known: {error}"])
        return
    missing = missing_months([batch.month for batch in batches], first_day(window.first))
    incomplete = {
        batch.month: rows_since_text(batch, counts) for batch in batches if batch.rows_since(counts)
    }
    small = {
        batch.month: small_text(batch, expected)
        for batch, expected in small_batches(batches)
        if batch.month == first_day(window.first)
    }
    faults = [
        *((month, "missing") for month in missing),
        *incomplete.items(),
        *small.items(),
        *((first_day(window.first), text) for text in beyond_warnings(run, window)),
    ]
    names, due = {batch.month: batch.name for batch in batches}, run.settings.windows.batch_predict
    shown = [
        {"batch": names.get(month) or due_batch_name(due, month), "fault": fault}
        for month, fault in faults
    ]
    warn(f"batch {fault['batch']}: {fault['fault']}" for fault in shown)
    show_table(run.settings.game, "gaps", shown)
    if faults:
        _announce(run, sorted(month for month, _ in faults), missing, [*incomplete])


def _announce(
    run: Run, months: Sequence[date], missing: Sequence[date], incomplete: Sequence[date]
) -> None:
    """Says how batches with a fault are made, and emits an event."""
    if to_make := sorted([*missing, *incomplete]):
        span = ("--from", month_name(to_make[0]), "--to", month_name(to_make[-1]))
        made_by = run.command("backfill", "--flow", "batch-predict", *span)
        warn([f"batches that are missing or incomplete are made by: {made_by}"])
    BatchMissing(
        game=run.settings.game,
        first_month=month_name(months[0]),
        last_month=month_name(months[-1]),
        missing=tuple(map(month_name, missing)),
        incomplete=tuple(map(month_name, incomplete)),
        too_small="yes" if len(months) > len(to_make) else "no",
    ).emit()
