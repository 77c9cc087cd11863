"""The predicted batches of a game: what they were made of, and which are missing or incomplete."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from churnlib.errors import DataError
from churnlib.io.catalog import Catalog, batch_name, month_name
from churnlib.io.datasets import REBUILD, Dataset, scan
from churnlib.io.footer import facts, read_metadata
from churnlib.io.storage import exists, list_files
from churnlib.months import MONTH_PATTERN, shift_months
from churnlib.raw.quality_warnings import ByDay, count_known
from churnlib.raw.shortfall import find_shortfall
from churnlib.settings import Window
from churnlib.uris import folder_of

MADE_OF = ("as_of", "window", "model_version", "made_of", "newest")
"""The facts in the footer of predictions about what they were made of."""


@dataclass(frozen=True)
class PastBatch:
    """A predicted batch.

    Attributes:
        month: The first day of the month in the name of its file.
        rows: The number of its predictions.
        as_of: The day of its run; None if an earlier version wrote it.
        window: The first and the last start of its subscriptions; None likewise.
        model_version: The version that predicted; None likewise.
        made_of: The rows of each raw table that were known on the day; None likewise.
        newest: The latest complete month with rows of each dated table then; None likewise.
    """

    month: date
    rows: int
    as_of: date | None = None
    window: tuple[date, date] | None = None
    model_version: str | None = None
    made_of: Mapping[str, int] | None = None
    newest: Mapping[str, str] | None = None

    @property
    def name(self) -> str:
        """Its name for people; see `churnlib.io.catalog.batch_name`."""
        return batch_name(*self.window) if self.window else month_name(self.month)

    def rows_since(self, tables: Mapping[str, ByDay]) -> dict[str, tuple[int, int]]:
        """Finds the tables of which more rows are known by now for the day of the batch.

        Args:
            tables: The present counts by day of each table.

        Returns:
            The rows known then and now, by table.
        """
        if self.as_of is None or self.made_of is None:
            return {}
        known = {table: count_known(by_day, self.as_of)[0] for table, by_day in tables.items()}
        return {
            table: (then, known[table])
            for table, then in self.made_of.items()
            if known.get(table, 0) > then
        }


def read_batch(predictions: Dataset, month: date) -> PastBatch:
    """Reads what a batch was made of from the footer of its predictions.

    Raises:
        DataError: The file is missing, cannot be read, or has a damaged footer.
    """
    rows = scan(predictions).select(pl.len()).collect().item()
    if not {*MADE_OF} <= {*read_metadata(predictions)}:
        return PastBatch(month, rows)
    as_of, window, version, made_of, newest = facts(predictions, *MADE_OF)
    try:
        first, last = map(date.fromisoformat, window)
        day = date.fromisoformat(as_of)
    except (TypeError, ValueError):
        raise DataError(
            f"{predictions.game}: the footer of {predictions.uri} is damaged: as_of = {as_of!r} "
            f"and window = {window!r} are not days. {REBUILD}"
        ) from None
    return PastBatch(month, rows, day, (first, last), version, made_of, newest)


def predicted_months(catalog: Catalog) -> list[date]:
    """Lists the months of the batches that have been predicted, in order."""
    folder = folder_of(catalog.predictions(date(2000, 1, 1)).uri)
    months = (file.name.removeprefix("predictions_")[:7] for file in list_files(folder))
    return [
        month
        for name in sorted({*months})
        if re.fullmatch(MONTH_PATTERN, name)
        and exists(catalog.predictions(month := date.fromisoformat(f"{name}-01")).uri)
    ]


def read_batches(catalog: Catalog) -> list[PastBatch]:
    """Reads all predicted batches of a game, in order."""
    months = predicted_months(catalog)
    return [read_batch(catalog.predictions(month), month) for month in months]


def missing_months(predicted: Sequence[date], newest: date) -> list[date]:
    """Lists the months without predictions after the first predicted one, up to the newest.

    >>> missing_months([date(2024, 10, 1), date(2024, 12, 1)], date(2025, 1, 1))
    [datetime.date(2024, 11, 1), datetime.date(2025, 1, 1)]
    """
    if not predicted:
        return []
    months, month = [], predicted[0]
    while month <= newest:
        months.append(month)
        month = shift_months(month, 1)
    return [each for each in months if each not in {*predicted}]


def due_batch_name(window: Window, month: date) -> str:
    """Names the batch of a month that is due but not predicted; see `PastBatch.name`.

    Args:
        window: The window of batches, in months relative to the day of the run.
        month: The first day of its first month.

    >>> due_batch_name(Window(start=-2, end=-1), date(2024, 7, 1))
    '2024-07 (2024-07-01 to 2024-08-31)'
    """
    assert isinstance(window.start, int)
    return batch_name(*window.span(shift_months(month, -window.start)))


def small_batches(batches: Sequence[PastBatch]) -> list[tuple[PastBatch, int]]:
    """Finds batches that are far smaller than those before.

    Args:
        batches: The batches of a game, in order.

    Returns:
        Each such batch, and the size to be expected; see `churnlib.raw.shortfall`.
    """
    small = []
    for place, batch in enumerate(batches):
        sizes = [each.rows for each in batches[: place + 1]]
        short = find_shortfall([sizes])
        if short and short.months == 1:
            small.append((batch, round(short.expected)))
    return small


def rows_since_text(batch: PastBatch, tables: Mapping[str, ByDay]) -> str:
    """Says of how many fewer rows a batch was made than are known by now for its day.

    >>> day = date(2024, 7, 1)
    >>> batch = PastBatch(date(2024, 6, 1), 11, day, made_of={"sub_data": 4100})
    >>> rows_since_text(batch, {"sub_data": {"rows": [("2024-06-30", 4240)]}})
    'made of 4,100 rows of sub_data, of which 4,240 are known by now for 2024-07-01'
    """
    rows = (
        f"{then:,} rows of {table}, of which {now:,} are"
        for table, (then, now) in batch.rows_since(tables).items()
    )
    return f"made of {', '.join(rows)} known by now for {batch.as_of}"


def small_text(batch: PastBatch, expected: int) -> str:
    """Says that a batch is far smaller than those before."""
    return f"{batch.rows:,} predictions, where about {expected:,} were to be expected"
