"""The flow `backfill`: a batch flow for many months, one after another."""

from flows import FLOWS, find_flow, run_command

if __name__ == "__main__":  # Before the other imports, which would delay the first line.
    run_command("backfill")

import time
from datetime import date
from functools import partial

from churnlib.io.catalog import batch_name, month_name
from churnlib.io.storage import written_at
from churnlib.settings import Settings
from flows.engine.artifacts import Progress, show_table
from flows.engine.cache import run_logger
from flows.engine.events import labelled_as_deployed
from flows.engine.node import Kinds, pipeline_of
from flows.engine.run_logger import told_once
from flows.engine.tries import changes_of_try, labelled_as_try
from flows.standard_features import standard_features
from flows.steps.batch_list import list_if_missing
from flows.steps.database_tables import read_once
from flows.steps.export import deliver_if_missing
from flows.steps.flow import ChurnFlow
from flows.steps.months import (
    MonthResult,
    Outcome,
    check_due,
    due_day,
    months_between,
    output_of,
    raise_failed,
)
from flows.steps.parameters import AsOf, BatchFlow, Game, Month, Overrides
from flows.steps.remake import Remake, find_remake
from flows.steps.run import Run, open_run
from flows.steps.run_warnings import warn
from flows.task import refreshing


@partial(
    ChurnFlow,
    flow_run_name="{game}: {batch_flow}, {first_month} to {last_month}",
    persist_result=False,
)
def backfill(
    game: Game,
    batch_flow: BatchFlow,
    first_month: Month,
    last_month: Month,
    from_raw: bool = False,
    as_of: AsOf = None,
    overrides: Overrides = None,
    data_dir: str | None = None,
    refresh: bool = False,
    replace: bool = False,
) -> list[MonthResult]:
    """Runs a batch flow for each month of a range.

    A month that fails does not stop the others. Existing predictions are kept, whichever model made
    them, unless they were made of fewer rows than are known by now; unchanged scores are taken from
    the cache.

    Args:
        game: The game, the name of its file under games/.
        batch_flow: The flow to run, batch_predict or batch_score.
        first_month: The month of the first batch, as in the names of its files, such as 2024-01.
        last_month: The month of the last batch.
        from_raw: Build the standard features first, once, if batch_score needs them.
        as_of: The last day of the data to use. If empty, the first day of the latest month that has
            arrived in the histories.
        overrides: Settings by dotted path, such as {"train.seed": 7}.
        data_dir: The data folder, or the URI of one in an object store, such as s3://bucket/data;
            the one in the settings if empty. A run of a deployment may only name a folder inside
            that.
        refresh: Run every task again, whether or not its output exists or is cached.
        replace: Replace delivered predictions that were made by another model, for another window
            or with another campaign.
    """
    results: list[MonthResult] = []
    kinds = partial(_kinds, batch_flow=batch_flow, from_raw=from_raw)
    with (
        refreshing(refresh),
        labelled_as_deployed(changed=True),
        labelled_as_try(changes_of_try(game, overrides, data_dir)),
        told_once(),
        read_once(),
        open_run(game, as_of, overrides, data_dir, kinds=kinds) as run,
    ):
        warn(run.day_warnings)
        months = list(months_between(first_month, last_month))
        days = [due_day(run, batch_flow, month) for month in months]
        if from_raw and batch_flow == "batch_score":
            standard_features(**run.parameters)
        progress = Progress(game, f"{batch_flow}: {first_month} to {last_month}")
        try:
            for month, day in zip(months, days, strict=True):
                results.append(
                    run_month(run, batch_flow, month, day, refresh=refresh, replace=replace)
                )
                progress.at(len(results) / len(months))
        finally:
            show_table(game, "months", [result.row for result in results])
        raise_failed(f"{game}: {batch_flow}", results)
    return results


def _kinds(settings: Settings, batch_flow: BatchFlow, from_raw: bool) -> Kinds:
    """The kinds of the raw tables that the months need."""
    flows = [find_flow(batch_flow), *([standard_features] if from_raw else [])]
    return tuple(kind for each in flows for kind in pipeline_of(each).kinds(settings))


def run_month(
    run: Run,
    batch_flow: BatchFlow,
    month: date,
    as_of: date,
    *,
    refresh: bool,
    replace: bool,
) -> MonthResult:
    """Runs a batch flow for a month; keeps predictions that exist, unless refreshed or incomplete.

    Predictions that were made of fewer rows than are known by now are made again, by the version
    that made them if it still exists.
    """
    output = output_of(run, batch_flow, month)
    batch = batch_name(*getattr(run.settings.windows, batch_flow).span(as_of))
    before, started = written_at(output.uri), time.perf_counter()
    error: Exception | None = None
    again = Remake()
    try:
        check_due(run, month, as_of)
        exists = batch_flow == "batch_predict" and before is not None
        if exists and not refresh:
            again = find_remake(run, month, as_of)
        # A later champion must not replace these predictions.
        if refresh or replace or not exists or again.why:
            subflow = find_flow(batch_flow)
            named = subflow.with_options(flow_run_name=f"{run.settings.game} {batch}")
            more = {"replace": replace} if FLOWS[batch_flow].is_delivery else {}
            named(**{**run.parameters, **more, "as_of": as_of}, **again.parameters)
        elif exists:
            list_if_missing(run, month)
            deliver_if_missing(run, output)
    except Exception as raised:  # Continue with the other months.
        error = raised
    seconds = time.perf_counter() - started
    is_written = before != written_at(output.uri)
    done: Outcome = "done before" if not is_written else "made again" if again.why else "done"
    kind: Outcome = "failed" if error else done
    why = again.why if kind == "made again" else ""
    result = MonthResult(month_name(month), as_of, kind, seconds, error, why)
    run_logger().info("%s, as of %s: %s (%.1f s)", batch, as_of, result.row["outcome"], seconds)
    return result
