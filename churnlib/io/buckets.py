"""Buckets of characters, by which tables of any size are processed in bounded memory.

Tables that flows write are sorted by `char_id`, and a bucket is a range of ids: it has all rows of
its characters, in all tables. Ranges are cut where row groups of the largest table begin, so that
each has about the same number of rows. They are chosen when tables are read; neither the files nor
the results depend on them.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import polars as pl

from churnlib.io import datasets
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import fact
from churnlib.io.table_writer import ROW_GROUPS, write_table
from churnlib.schemas.columns import CHAR_ID

AT_ONCE = 2
"""The number of buckets that are built concurrently."""
BUILDING = 12
"""The memory for building `AT_ONCE` buckets while an earlier one is written, as measured, in
multiples of the size of the rows of one."""

Function = Callable[..., pl.LazyFrame]
"""Takes a frame for each table and returns one with `char_id`, sorted by it; the result for a
character depends on its rows only."""


@dataclass(frozen=True)
class Bucket:
    """A range of characters.

    Attributes:
        first: The first id; None if all ids below `end` belong to it.
        end: The id after its last one; None if all ids from `first` on belong to it.
    """

    first: Any = None
    end: Any = None

    def rows(self, table: pl.LazyFrame) -> pl.LazyFrame:
        """The rows of a table that belong to it."""
        if self.first is not None:
            table = table.filter(pl.col(CHAR_ID) >= self.first)
        return table if self.end is None else table.filter(pl.col(CHAR_ID) < self.end)


def size_of(table: DatasetRef) -> int:
    """Estimates the size of a table in memory, in bytes."""
    frame = datasets.scan(table)
    rows = frame.select(pl.len()).collect().item() if table.rows is None else table.rows
    return int(rows) * _row_width(frame)


def _row_width(frame: pl.LazyFrame) -> int:
    return sum(map(_width, frame.collect_schema().dtypes()))


def _width(dtype: pl.DataType) -> int:
    widths = {"Boolean": 1, "Date": 4, "Int32": 4, "UInt32": 4, "String": 24}
    return widths.get(str(dtype), 8)


def count_for(
    memory_mib: int, tables: Sequence[DatasetRef], function: Function | None = None, rows: int = 0
) -> int:
    """The number of buckets that lets `AT_ONCE` be built within some memory, approximately.

    Args:
        memory_mib: The memory.
        tables: The tables that features are built from.
        function: Builds them; needed if the result has more rows than each table.
        rows: The number of rows of the result then; 0 otherwise.
    """
    built = 0
    if function and rows:
        built = rows * _row_width(function(*map(datasets.scan, tables)))
    needed = (sum(map(size_of, tables)) + built) * BUILDING
    return max(1, -(-needed // (memory_mib * 2**20)))


def cut(tables: Sequence[DatasetRef], count: int) -> list[Bucket]:
    """Cuts characters into buckets with about the same number of rows.

    Args:
        tables: Tables that `churnlib.io.table_writer` wrote.
        count: The number of buckets; there are fewer if the largest table has fewer row groups.

    Raises:
        DataError: A table is missing or damaged, or was written by something else.
    """
    if count == 1:
        return [Bucket()]
    groups = max(map(row_groups, tables), key=lambda groups: sum(rows for _, rows in groups))
    total, before, cuts = sum(rows for _, rows in groups), 0, [None]
    for first, rows in groups:
        if before >= len(cuts) * total / count:
            cuts.append(first)
        before += rows
    return [Bucket(*ends) for ends in zip(cuts, [*cuts[1:], None], strict=True)]


@lru_cache(maxsize=16)
def row_groups(table: DatasetRef) -> tuple[tuple[Any, int], ...]:
    """The first `char_id` and the number of rows of each row group of a table."""
    return tuple((first, rows) for first, rows in fact(table, ROW_GROUPS))


def build(
    function: Function,
    tables: Sequence[DatasetRef],
    target: Dataset,
    facts: Mapping[str, str],
    memory_mib: int,
    rows: int = 0,
) -> DatasetRef:
    """Applies a function to tables, bucket by bucket, and writes the result.

    The number of buckets depends on the memory; the bytes of the file do not.

    Args:
        function: See `Function`.
        tables: Tables that `churnlib.io.table_writer` wrote.
        target: Where the result is written.
        facts: Facts for its footer.
        memory_mib: The memory for the buckets that are built at a time, approximately.
        rows: See `count_for`.
    """
    buckets = cut(tables, count_for(memory_mib, tables, function, rows))
    builds = [partial(make, function, tables, bucket) for bucket in buckets]
    with closing(at_once(builds)) as frames:
        return join(frames, function, tables, target, facts)


def make(function: Function, tables: Sequence[DatasetRef], bucket: Bucket) -> pl.DataFrame:
    """Applies a function to one bucket of tables.

    Args:
        function: See `Function`.
        tables: Tables that `churnlib.io.table_writer` wrote.
        bucket: The bucket.
    """
    return function(*(bucket.rows(datasets.scan(table)) for table in tables)).collect()


def at_once(builds: Iterable[Callable[[], pl.DataFrame]]) -> Generator[pl.DataFrame, None, None]:
    """Yields the frames that functions build, in their order, while `AT_ONCE` others are built."""
    waiting = deque[Future[pl.DataFrame]]()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for each in builds:
            waiting.append(threads.submit(each))
            if len(waiting) > AT_ONCE:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def join(
    frames: Iterable[pl.DataFrame],
    function: Function,
    tables: Sequence[DatasetRef],
    target: Dataset,
    facts: Mapping[str, str],
) -> DatasetRef:
    """Writes the concatenated results of all buckets.

    Args:
        frames: The result of `make` for each bucket, in order.
        function: The function that was applied, from which the columns follow.
        tables: The tables that it was applied to.
        target: Where the result is written.
        facts: Facts for its footer.
    """
    schema = function(*map(datasets.scan, tables)).collect_schema()
    return write_table(frames, target, schema, facts)
