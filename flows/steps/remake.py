"""Whether the predictions of a past batch are made again, because more of its day is known."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from churnlib.errors import ChurnlibError
from churnlib.io.footer import fact
from churnlib.io.storage import is_folder
from churnlib.raw.past_batches import PastBatch, read_batch, rows_since_text
from churnlib.raw.quality_warnings import ROWS_BY_DAY, ByDay
from flows.engine.cache import run_logger
from flows.engine.publication import published_together
from flows.steps.run import Run
from flows.steps.table_checks import check_tables


@dataclass(frozen=True)
class Remake:
    """How predictions are made again.

    Attributes:
        why: Why; empty if they are kept.
        parameters: The parameters of the flow that makes them: the version that made them, if it
            still exists.
    """

    why: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)


def find_remake(run: Run, month: date, as_of: date) -> Remake:
    """Finds out whether existing predictions are made again.

    They are kept if they are of another day or window than the run would predict, if an earlier
    version wrote them without a note of their rows, or if the raw tables cannot be read.

    Args:
        run: The run.
        month: The month of the batch.
        as_of: The day on which it is due.
    """
    try:
        batch = read_batch(run.catalog.predictions(month), month)
        is_same = (batch.as_of, batch.window) == (as_of, _window(run, as_of))
        counts = known_rows(run, batch) if is_same else {}
    except ChurnlibError as error:
        run_logger().warning("%s: kept as it is: %s", f"{month:%Y-%m}", error)
        return Remake()
    if not batch.rows_since(counts):
        return Remake()
    why = rows_since_text(batch, counts)
    if batch.model_version and is_folder(run.catalog.model(batch.model_version).uri):
        return Remake(why, {"model": batch.model_version})
    return Remake(f"{why}; by the champion, because {batch.model_version} does not exist any more")


def _window(run: Run, as_of: date) -> tuple[date, date]:
    return run.settings.windows.batch_predict.span(as_of)


def known_rows(run: Run, batch: PastBatch) -> dict[str, ByDay]:
    """The counts by day of the tables that a batch was made of, as they are now.

    Raises:
        ChurnlibError: See `flows.steps.table_checks.check_tables`.
    """
    specs = [spec for spec in run.raw.values() if spec.name in (batch.made_of or {})]
    with published_together():  # If one is refused, the others stay as they were, too.
        checked = check_tables(run.settings, run.catalog, specs, run.as_of)
    return {spec.name: fact(checked[spec.name].now, ROWS_BY_DAY) for spec in specs}
