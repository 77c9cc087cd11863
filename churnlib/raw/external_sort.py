"""Sorting more rows than fit in memory: sorted runs are spilled, then merged range by range."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from churnlib.errors import DataError, reason
from churnlib.io.table_writer import TableWriter
from churnlib.raw.row_order import sort_rows

BLOCK = 2**13
"""Rows of a spilled run that are read at a time."""


@dataclass(frozen=True)
class Workspace:
    """Memory and temporary storage for the rows of a raw table while it is checked.

    Attributes:
        memory: The size of the rows that are sorted at a time, in bytes.
        folder: An empty folder, which is used if there are more rows than that.
    """

    memory: int
    folder: Path

    def share(self, parts: int) -> "Workspace":
        """One of several parts that are used at the same time."""
        return replace(self, memory=self.memory // parts)


def no_space(folder: Path, error: OSError) -> DataError:
    """The error to raise if a folder cannot hold temporary files."""
    return DataError(
        f"{folder} cannot hold the temporary files of a large table: {reason(error)}. "
        "Set engine.scratch_dir to a folder with enough space."
    )


class Run(Protocol):
    """Sorted rows that are read block by block.

    Attributes:
        starts: The first id of each block.
        sizes: The number of rows of each block.
    """

    starts: pl.Series
    sizes: list[int]

    def read(self, block: int) -> pl.DataFrame:
        """Reads a block."""


class _InMemory:
    """A run in memory."""

    def __init__(self, rows: pl.DataFrame, column: str) -> None:
        self._rows, self.starts = rows, rows[column].gather_every(BLOCK)
        self.sizes = [min(BLOCK, len(rows) - at) for at in range(0, len(rows), BLOCK)]

    def read(self, block: int) -> pl.DataFrame:
        return self._rows[block * BLOCK :][:BLOCK]


class _Spilled(_InMemory):
    """A run in a temporary file."""

    def __init__(self, rows: pl.DataFrame, column: str, path: Path) -> None:
        super().__init__(rows, column)
        self._file = str(path)
        del self._rows
        table = rows.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())  # Whole blocks.
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        try:
            with pa.ipc.new_file(self._file, table.schema, options=options) as writer:
                writer.write_table(table, max_chunksize=BLOCK)
        except OSError as error:
            raise no_space(path.parent, error) from None

    def read(self, block: int) -> pl.DataFrame:
        with pa.memory_map(self._file) as file:
            batch = pa.ipc.open_file(file).get_batch(block)
            return pl.DataFrame(pa.Table.from_batches([batch]))


class WrittenRun:
    """The rows of a table that has been written."""

    def __init__(self, table: TableWriter, dtype: pl.DataType) -> None:
        """Opens the table for reading.

        Args:
            table: The writer, which has been closed.
            dtype: The type of `char_id`.
        """
        self.starts = pl.Series([first for first, _ in table.groups], dtype=dtype)
        self.sizes = [rows for _, rows in table.groups]
        self._file = pq.ParquetFile(table.path)

    def read(self, block: int) -> pl.DataFrame:
        """Reads a row group."""
        return pl.DataFrame(self._file.read_row_group(block))


class ExternalSorter:
    """Sorts any number of rows in bounded memory; rows with equal keys keep their order."""

    def __init__(self, order: Sequence[str], workspace: Workspace) -> None:
        """Starts with no rows.

        Args:
            order: The columns to sort by, the first of which is an id; null comes first.
            workspace: Memory and temporary storage.
        """
        self._order, self._workspace = tuple(order), workspace
        self._waiting: list[pl.DataFrame] = []
        self._waiting_size = 0
        self._size = self._rows = 0
        self._runs: list[Run] = []

    @property
    def is_empty(self) -> bool:
        """Whether no row was added."""
        return not self._rows

    def add(self, rows: pl.DataFrame) -> None:
        """Adds rows in any order."""
        if rows.is_empty():
            return
        if pl.String in rows.dtypes:  # Else filtered text keeps the memory of all rows.
            rows = pl.DataFrame(rows.to_arrow(compat_level=pl.CompatLevel.oldest()))
        size = int(rows.estimated_size())
        self._waiting.append(rows)
        self._waiting_size += size
        self._size += size
        self._rows += len(rows)
        if self._waiting_size > self._workspace.memory:
            file = self._workspace.folder / f"{uuid4().hex}.arrow"
            self._runs.append(_Spilled(self._sorted(), self._order[0], file))

    def _sorted(self) -> pl.DataFrame:
        rows = sort_rows(pl.concat(self._waiting), self._order)
        self._waiting, self._waiting_size = [], 0
        return rows

    def merge(self, *others: Run) -> Iterator[pl.DataFrame]:
        """Yields all rows in order, a range of ids at a time.

        Args:
            others: Further sorted runs, before the added rows.
        """
        if self.is_empty and not others:
            return
        runs = [*others, *self._runs]
        if self._waiting:
            runs.append(_InMemory(self._sorted(), self._order[0]))
        width = max(1, self._size // max(self._rows, 1))
        cursors = [_Cursor(run, self._order[0]) for run in runs]
        for bound in [*_bounds(runs, self._workspace.memory // width // 4), None]:
            parts = [rows for cursor in cursors if len(rows := cursor.before(bound))]
            if parts:
                yield sort_rows(pl.concat(parts), self._order)


class _Cursor:
    """Reads a run from its beginning to its end."""

    def __init__(self, run: Run, column: str) -> None:
        self._run, self._column = run, column
        self._next, self._held = 0, list[pl.DataFrame]()

    def before(self, bound: Any) -> pl.DataFrame:
        """Reads on to the first id that is not below a bound; to the end if None."""
        starts, parts = self._run.starts, self._held
        while self._next < len(starts):
            start = starts[self._next]
            if not (bound is None or start is None or start < bound):
                break
            parts.append(self._run.read(self._next))
            self._next += 1
        if not parts:
            return pl.DataFrame()
        rows = pl.concat(parts)
        below = len(rows) if bound is None else _count_below(rows[self._column], bound)
        self._held = [rows[below:]] if below < len(rows) else []
        return rows[:below]


def _count_below(ids: pl.Series, bound: Any) -> int:
    return int((ids < bound).fill_null(True).sum())


def _bounds(runs: Sequence[Run], rows: int) -> list[Any]:
    """The ids that cut the rows of all runs into ranges of about `rows` rows each."""
    blocks = pl.DataFrame(
        {
            "start": pl.concat([run.starts for run in runs]),
            "rows": [size for run in runs for size in run.sizes],
        }
    ).sort("start")
    number = (pl.col("rows").cum_sum() - pl.col("rows")) // max(rows, 1)
    cuts = blocks.filter((number != number.shift()) & pl.col("start").is_not_null())
    return cuts["start"].unique(maintain_order=True).to_list()
