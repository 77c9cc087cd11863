"""Writing tables in the order of characters, in row groups that never divide a character."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import polars as pl
import pyarrow.parquet as pq

from churnlib.io.datasets import ROWS_PER_GROUP, Dataset, DatasetRef, ref
from churnlib.io.footer import footer
from churnlib.io.storage import replacing
from churnlib.schemas.columns import CHAR_ID

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUPS = "row_groups"
"""The fact in a table's footer that has the first `char_id` and the rows of each row group."""
ORDER = "char_id"
"""The order of tables, for manifests; in those without it, tables were in the order of a hash."""
FORMAT: Mapping[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,
    "dictionary_pagesize_limit": 2**17,
}

WAITING = 3
"""The most row groups that are held until they are written."""


class TableWriter:
    """Writes a table to a Parquet file. The bytes depend on the rows alone.

    Attributes:
        path: The file.
        rows: The number of rows so far.
        groups: The first `char_id` and the number of rows of each row group so far.
    """

    def __init__(self, path: Path, schema: Mapping[str, Any]) -> None:
        """Opens the file.

        Args:
            path: The file.
            schema: The columns of the table.
        """
        self.path, self.rows = path, 0
        self.groups: list[tuple[Any, int]] = []
        self._last: Any = None
        self._waiting = pl.DataFrame(schema=schema)
        self._writer = pq.ParquetWriter(path, _arrow(self._waiting).schema, **FORMAT)
        self._thread = ThreadPoolExecutor(1)
        self._writes = deque[Future[None]]()

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the file."""
        self._thread.shutdown(cancel_futures=True)  # After `finish`, there are none.
        self._writer.close()

    def add(self, rows: pl.DataFrame) -> None:
        """Adds rows.

        Args:
            rows: Rows behind those before, sorted by `char_id`.

        Raises:
            ValueError: The rows are not behind those before.
        """
        if rows.is_empty():
            return
        ids = rows[CHAR_ID]
        is_behind = self._last is None or ids[0] >= self._last
        if not (is_behind and ids.is_sorted()):
            raise ValueError(f"{self.path}: the rows are not sorted by {CHAR_ID}.")
        self.rows, self._last = self.rows + len(rows), ids[-1]
        self._waiting = pl.concat([self._waiting, rows]) if len(self._waiting) else rows
        while len(self._waiting) > ROWS_PER_GROUP:
            end = group_end(self._waiting[CHAR_ID])
            if end is None:
                return
            self._write_group(self._waiting[:end])
            self._waiting = self._waiting[end:]

    def finish(self, facts: Mapping[str, str]) -> None:
        """Writes the rest, and facts to the footer.

        Args:
            facts: The facts, as `churnlib.io.footer.footer` encodes them.
        """
        if len(self._waiting):
            self._write_group(self._waiting)
        while self._writes:
            self._writes.popleft().result()
        self._writer.add_key_value_metadata({**facts, **footer(**{ROW_GROUPS: self.groups})})

    def _write_group(self, group: pl.DataFrame) -> None:
        """Writes a row group in another thread; waits while `WAITING` are held."""
        self.groups.append((group[CHAR_ID][0], len(group)))
        while len(self._writes) >= WAITING:
            self._writes.popleft().result()
        self._writes.append(
            self._thread.submit(lambda: self._writer.write_table(_arrow(group), len(group)))
        )


def _arrow(rows: pl.DataFrame) -> "pa.Table":
    return rows.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())


def group_end(ids: pl.Series) -> int | None:
    """The end of the first row group: the last change of the id up to `ROWS_PER_GROUP`.

    Args:
        ids: The sorted ids of more than `ROWS_PER_GROUP` rows.

    Returns:
        The row after the group; None if the first id may go on after the last row.
    """
    change = ids.search_sorted(ids[ROWS_PER_GROUP], side="left")
    end = int(change) or int(ids.search_sorted(ids[0], side="right"))
    return end if end < len(ids) else None


def whole_characters(
    frames: Iterable[pl.DataFrame], column: str = CHAR_ID
) -> Iterator[pl.DataFrame]:
    """Regroups sorted frames so that the rows of an id are never divided.

    Args:
        frames: Frames that are sorted by the id, over all frames.
        column: The id.

    Yields:
        The same rows. No frame is empty.
    """
    held: list[pl.DataFrame] = []
    for frame in frames:
        if frame.is_empty():
            continue
        last = frame[column][-1]
        others = _before(frame[column], last)
        if others:
            yield pl.concat([*held, frame[:others]])
            held = []
        elif held and held[-1][column][-1] != last:
            yield pl.concat(held)
            held = []
        held.append(frame[others:])
    if held:
        yield pl.concat(held)


def _before(ids: pl.Series, last: Any) -> int:
    """The number of sorted ids before the last one; null comes first."""
    return 0 if last is None else int((ids < last).fill_null(True).sum())


def write_table(
    frames: Iterable[pl.DataFrame],
    target: Dataset,
    schema: Mapping[str, Any],
    facts: Mapping[str, str] | None = None,
) -> DatasetRef:
    """Writes frames as one table, whole or not at all; the same rows give the same bytes.

    Args:
        frames: Rows sorted by `char_id` over all frames.
        target: Where the table is written.
        schema: The columns of all frames.
        facts: Facts for the footer, in addition to the row groups.
    """
    with replacing(target.uri) as path, TableWriter(path, schema) as writer:
        for frame in frames:
            writer.add(frame)
        writer.finish(facts or {})
    return ref(target, writer.rows)
