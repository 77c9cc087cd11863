"""The months of a backfill: their order, the days their batches are due, and their results."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from churnlib.errors import ChurnlibError, DataError, SettingsError
from churnlib.io.catalog import month_name
from churnlib.io.datasets import Dataset
from churnlib.months import shift_months
from flows.steps.parameters import BatchFlow
from flows.steps.run import Run

Outcome = Literal["done", "done before", "made again", "failed"]


@dataclass(frozen=True)
class MonthResult:
    """The result of a month.

    Attributes:
        month: The month of the batch, as in the names of its files.
        as_of: The day on which the batch is due.
        kind: Whether its output was written, existed already, was made again, or could not be
            written.
        seconds: How long it took.
        error: Why it could not be written.
        why: Why it was made again.
    """

    month: str
    as_of: date
    kind: Outcome
    seconds: float
    error: Exception | None = None
    why: str = ""

    @property
    def row(self) -> dict[str, str]:
        """The result as a row of a table."""
        return {
            "month": self.month,
            "as of": str(self.as_of),
            "outcome": f"{self.kind}: {self.why}" if self.why else self.kind,
            "seconds": f"{self.seconds:.1f}",
            "fault": str(self.error or ""),
        }


def months_between(first: str, last: str) -> Iterator[date]:
    """Yields the first days of the months from one to another, both included.

    Raises:
        SettingsError: The last month is before the first.

    >>> [str(month) for month in months_between("2023-12", "2024-01")]
    ['2023-12-01', '2024-01-01']
    """
    month, end = (date.fromisoformat(f"{name}-01") for name in (first, last))
    if month > end:
        raise SettingsError(f"the months from {first} to {last}: the last is before the first.")
    while month <= end:
        yield month
        month = shift_months(month, 1)


def due_day(run: Run, batch_flow: BatchFlow, month: date) -> date:
    """The day of the run on which the window of a batch flow starts with a month.

    Raises:
        SettingsError: The window does not move with the day of the run.
    """
    window = getattr(run.settings.windows, batch_flow)
    if not window.is_relative:
        raise SettingsError(
            f"{run.settings.game}: windows.{batch_flow} is set to days, {window.start} to "
            f"{window.end}, so it is the same batch in every month. Set it in months relative to "
            f"as_of: --set windows.{batch_flow}.start=-1 --set windows.{batch_flow}.end=-1"
        )
    return shift_months(month, -window.start)


def check_due(run: Run, month: date, as_of: date) -> None:
    """Checks that the data reach to the day on which a batch is due.

    Raises:
        DataError: They do not; the message names the day.
    """
    if as_of > run.as_of:
        raise DataError(
            f"{run.settings.game}: the batch of {month_name(month)} is due on {as_of}, after "
            f"{run.as_of}, the last day of the data."
        )


def output_of(run: Run, batch_flow: BatchFlow, month: date) -> Dataset:
    """The file that a batch flow writes for a month."""
    if batch_flow == "batch_predict":
        return run.catalog.predictions(month)
    return run.catalog.batch_report(month)


def raise_failed(what: str, results: Sequence[MonthResult]) -> None:
    """Raises an error that lists the months that failed; does nothing if none did.

    Raises:
        ChurnlibError: Some months failed, each by a mistake of the user.
        RuntimeError: Some months failed, at least one of them for another reason.
    """
    failed = [result for result in results if result.error]
    if not failed:
        return
    lines = [f"  {result.month}: {result.error}" for result in failed]
    text = "\n".join([f"{what}: {len(failed)} of {len(results)} months failed:", *lines])
    if all(isinstance(result.error, ChurnlibError) for result in failed):
        raise ChurnlibError(text)
    raise RuntimeError(text)
