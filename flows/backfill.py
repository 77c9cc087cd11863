"""The flow `backfill`: a batch flow for many months, one after another."""

from flows import run_command

if __name__ == "__main__":  # Before the other imports, which would delay the first line.
    run_command("backfill")

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from prefect import Flow, flow

from churnlib.errors import ChurnlibError, DataError, SettingsError
from churnlib.io.catalog import month_name
from churnlib.io.datasets import Dataset
from churnlib.io.storage import written_at
from churnlib.months import shift_months
from flows.batch_predict import batch_predict
from flows.batch_score import batch_score
from flows.engine.artifacts import Progress, show_table
from flows.engine.cache import run_logger
from flows.engine.events import labelled_as_deployed
from flows.standard_features import standard_features
from flows.steps.parameters import AsOf, BatchFlow, Game, Month, Overrides
from flows.steps.run import Run, open_run
from flows.task import refreshing

BATCH_FLOWS: dict[str, Flow[..., Any]] = {
    "batch_predict": batch_predict,
    "batch_score": batch_score,
}
"""The flows that have a month of their own."""


@dataclass(frozen=True)
class Outcome:
    """What came of one month.

    Attributes:
        month: The month of the batch, as its files are named.
        as_of: The day on which that batch is the one to work on.
        kind: Whether outputs were written, stood already, or could not be made.
        seconds: How long it took.
        fault: What stood in the way.
    """

    month: str
    as_of: date
    kind: Literal["done", "done before", "failed"]
    seconds: float
    fault: Exception | None = None


@flow(flow_run_name="{game}: {batch_flow}, {first_month} to {last_month}", persist_result=False)
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
) -> list[Outcome]:
    """Runs a batch flow for each month of a span.

    A month that fails does not stop the others. Predictions that stand are left as they are, by
    whichever model they were made; a score that stands is taken from the cache.

    Args:
        game: The game, as its file under games/ is named.
        batch_flow: What to run, batch_predict or batch_score.
        first_month: The month of the first batch, as its files are named, such as 2024-01.
        last_month: That of the last.
        from_raw: Build the standard features first, once, where batch_score needs them.
        as_of: The day that the months reach to. The latest currency date if empty.
        overrides: Settings by dotted path, such as {"train.seed": 7}.
        data_dir: The data folder, or an object store's URI such as s3://bucket/data; that of the
            settings if empty.
        refresh: Run every task anew, whatever stands and whatever the cache holds.
    """
    outcomes: list[Outcome] = []
    with refreshing(refresh), labelled_as_deployed(changed=True):
        run = open_run(game, as_of, overrides, data_dir)
        months = list(months_between(first_month, last_month))
        days = [day_of(run, batch_flow, month) for month in months]
        if from_raw and batch_flow == "batch_score":
            standard_features(**run.parameters)
        progress = Progress(game, f"{batch_flow}: {first_month} to {last_month}")
        try:
            for month, day in zip(months, days, strict=True):
                outcomes.append(run_month(run, batch_flow, month, day, anew=refresh))
                progress.at(len(outcomes) / len(months))
        finally:
            show_table(game, "months", [row_of(outcome) for outcome in outcomes])
    refuse_failed(f"{game}: {batch_flow}", outcomes)
    return outcomes


def months_between(first: str, last: str) -> Iterator[date]:
    """Yields the first days of the months of a span, both ends included.

    Raises:
        SettingsError: The span ends before it starts.

    >>> [str(month) for month in months_between("2023-12", "2024-01")]
    ['2023-12-01', '2024-01-01']
    """
    month, end = (date.fromisoformat(f"{name}-01") for name in (first, last))
    if month > end:
        raise SettingsError(f"the months from {first} to {last}: the first lies after the last.")
    while month <= end:
        yield month
        month = shift_months(month, 1)


def run_month(run: Run, batch_flow: BatchFlow, month: date, as_of: date, *, anew: bool) -> Outcome:
    """Runs a batch flow for a month's batch.

    Args:
        run: What all months share.
        batch_flow: What to run.
        month: The month of the batch.
        as_of: The day on which it is the one to work on.
        anew: Predict also where predictions stand.
    """
    output = output_of(run, batch_flow, month)
    name, before, started = month_name(month), written_at(output.uri), time.perf_counter()
    fault: Exception | None = None
    try:
        refuse_undue(run, month, as_of)
        # Another champion must not rewrite what was predicted then.
        if anew or before is None or batch_flow != "batch_predict":
            part = BATCH_FLOWS[batch_flow].with_options(flow_run_name=f"{run.settings.game} {name}")
            part(**{**run.parameters, "as_of": as_of})
    except Exception as error:  # The other months do not depend on this one.
        fault = error
    seconds = time.perf_counter() - started
    done: Literal["done", "done before"] = (
        "done before" if before == written_at(output.uri) else "done"
    )
    outcome = Outcome(name, as_of, "failed" if fault else done, seconds, fault)
    run_logger().info("%s, as of %s: %s (%.1f s)", name, as_of, outcome.kind, seconds)
    return outcome


def day_of(run: Run, batch_flow: BatchFlow, month: date) -> date:
    """The day as of which the window of a batch flow starts with a month.

    Raises:
        SettingsError: The window does not move with the day.
    """
    window = getattr(run.settings.windows, batch_flow)
    if not window.is_relative:
        raise SettingsError(
            f"{run.settings.game}: windows.{batch_flow} names days, {window.start} to "
            f"{window.end}, so it is the same batch in every month. State it in months relative "
            f"to as_of: --set windows.{batch_flow}.start=-1 --set windows.{batch_flow}.end=-1"
        )
    return shift_months(month, -window.start)


def output_of(run: Run, batch_flow: BatchFlow, month: date) -> Dataset:
    """The file that a batch flow writes for a month."""
    if batch_flow == "batch_predict":
        return run.catalog.predictions(month)
    return run.catalog.report("batch_score_report", month)


def refuse_undue(run: Run, month: date, as_of: date) -> None:
    """Refuses a month of which the data do not tell enough yet.

    Raises:
        DataError: Names the day that the data would have to reach.
    """
    if as_of > run.as_of:
        raise DataError(
            f"{run.settings.game}: the batch of {month_name(month)} is due on {as_of}, after "
            f"{run.as_of}, the day that the data reach to."
        )


def row_of(outcome: Outcome) -> dict[str, str]:
    """An outcome as a row of the run's table."""
    return {
        "month": outcome.month,
        "as of": str(outcome.as_of),
        "outcome": outcome.kind,
        "seconds": f"{outcome.seconds:.1f}",
        "fault": str(outcome.fault or ""),
    }


def refuse_failed(what: str, outcomes: Sequence[Outcome]) -> None:
    """Ends the run badly where a month failed, and lists those that did.

    Raises:
        ChurnlibError: Some months failed, each by the user's fault.
        RuntimeError: Some months failed, at least one of them otherwise.
    """
    failed = [outcome for outcome in outcomes if outcome.fault]
    if not failed:
        return
    lines = [f"  {outcome.month}: {outcome.fault}" for outcome in failed]
    text = "\n".join([f"{what}: {len(failed)} of {len(outcomes)} months failed:", *lines])
    if all(isinstance(outcome.fault, ChurnlibError) for outcome in failed):
        raise ChurnlibError(text)
    raise RuntimeError(text)
