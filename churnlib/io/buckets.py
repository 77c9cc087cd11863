"""Characters in buckets, so that tables of any size are worked through in bounded memory.

A character's bucket follows from a hash of `char_id`, so that all its rows of every table share it.
Tables that flows write are in the order of that hash: a bucket is a run of rows, of which the
footer knows where it begins, and however many buckets there are, their rows one behind another are
the same table. A table is cut finer only when read; on disk nothing depends on it.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.io.plugins import register_io_source

from churnlib.io import datasets
from churnlib.io.datasets import Dataset, DatasetRef, fact, footer

FINEST_BITS = 10
FINEST = 2**FINEST_BITS
"""How many buckets there are at most: 100,000 characters each, of 100 million."""
AT_ONCE = 64
"""How many files are written at once when rows are put aside; each has a buffer of its own."""
ROWS_PER_BATCH = 2**13
"""Rows that are gathered for each such file before they are written."""
BUILDING, CHECKING = 6, 3
"""Times the size of its rows, the memory that building features from a bucket takes, or checking
it; as measured."""
FACT = "rows_by_bucket"
"""How many rows each of the finest buckets has, in the footer of a table."""
BUCKET = "_bucket"

Hashes = NDArray[np.uint64]


def hashes(ids: pl.Series) -> Hashes:
    """Hashes ids, evenly over all 64 bits; the same on every machine and with every version.

    Args:
        ids: Whole numbers, by the finalizer of MurmurHash3, which maps no two to one hash; or text,
            by BLAKE2b. A null has the hash of 0 or of the empty text.

    >>> hashes(pl.Series([1, 2])).tolist()
    [12994781566227106604, 4233148493373801447]
    """
    if ids.dtype == pl.String:
        texts = ids.fill_null("")
        begins = (texts != texts.shift()).fill_null(True)
        found = np.array([_digest(text) for text in texts.filter(begins)], dtype=np.uint64)
        return found.take(np.cumsum(begins.to_numpy()) - 1)
    mixed = ids.fill_null(0).cast(pl.Int64).to_numpy().astype(np.uint64)
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed ^= mixed >> np.uint64(33)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(33)
    return mixed


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def buckets_of(ids: pl.Series, count: int) -> pl.Series:
    """The bucket of each id, of so many.

    Args:
        ids: The ids.
        count: How many buckets there are: a power of two, up to `FINEST`.
    """
    finest = (hashes(ids) >> np.uint64(64 - FINEST_BITS)).astype(np.uint16)
    return pl.Series(ids.name, finest // np.uint16(FINEST // count))


def by_hash(column: str = "char_id") -> pl.Expr:
    """The hash of each id, to sort by: see `in_order`."""
    return pl.col(column).map_batches(
        lambda ids: pl.Series(hashes(ids)), return_dtype=pl.UInt64, is_elementwise=True
    )


def in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Puts characters in the order of their hashes; the rows of one keep theirs.

    Args:
        rows: A table with `char_id`; quick where each character's rows are together.
    """
    ids = rows["char_id"]
    begins = (ids != ids.shift()).fill_null(True).arg_true()
    found = hashes(ids.gather(begins))
    if (found[1:] > found[:-1]).all():
        return rows
    first, order = begins.to_numpy().astype(np.int64), np.argsort(found, kind="stable")
    lengths = np.diff(np.append(first, len(rows)))[order]
    shifts = first[order] - (np.cumsum(lengths) - lengths)
    return _taken(rows, np.repeat(shifts, lengths) + np.arange(len(rows)))


def _taken(rows: pl.DataFrame, order: NDArray[np.int64]) -> pl.DataFrame:
    """Takes rows in an order; numbers by NumPy, which is several times faster."""
    quick = [column for column in rows.iter_columns() if _is_quick(column)]
    others = rows.drop(column.name for column in quick)[pl.Series(order.astype(np.uint32))]
    return others.with_columns(_taken_numbers(column, order) for column in quick).select(
        rows.columns
    )


def _is_quick(column: pl.Series) -> bool:
    if not column.null_count():
        return column.dtype == pl.Date or column.dtype.is_numeric()
    return column.dtype.is_float() and not column.is_nan().any()


def _taken_numbers(column: pl.Series, order: NDArray[np.int64]) -> pl.Series:
    taken = column.to_physical().to_numpy().take(order)  # Nulls become NaN on the way.
    has_nulls = column.null_count() > 0
    return pl.Series(column.name, taken, nan_to_null=has_nulls).cast(column.dtype)


def count_for(memory_mib: int, *sizes: int, times: int = BUILDING) -> int:
    """How many buckets are needed so that the work on one fits into memory.

    Args:
        memory_mib: The memory for it.
        sizes: The bytes of each table's rows in memory, as by `size_of`.
        times: How much more the work on them takes.

    >>> count_for(256, 20_000_000), count_for(256, 3_500_000_000)
    (1, 128)
    """
    needed = -(-sum(sizes) * times // (memory_mib * 2**20))
    power = max(needed - 1, 0).bit_length()
    return int(min(FINEST, 2**power))


def size_of(table: DatasetRef, *columns: str) -> int:
    """About how many bytes the rows of a table take in memory, or some of its columns."""
    frame = datasets.scan(table).select(columns or pl.all())
    rows = frame.select(pl.len()).collect().item() if table.rows is None else table.rows
    return int(rows) * sum(map(_width, frame.collect_schema().dtypes()))


def _width(dtype: pl.DataType) -> int:
    widths = {"Boolean": 1, "Date": 4, "Int32": 4, "UInt32": 4, "String": 24}
    return widths.get(str(dtype), 8)


def bucket(table: DatasetRef, number: int, count: int) -> pl.LazyFrame:
    """Opens a bucket of a table that `write` wrote.

    Args:
        table: The table.
        number: Which bucket, from 0.
        count: Of how many.

    Raises:
        DataError: The table is missing or damaged, or something else wrote it.
    """
    frame = datasets.scan(table)
    if count == 1:
        return frame
    rows = np.asarray(_rows_by_bucket(table)).reshape(count, -1).sum(axis=1)
    return frame.slice(int(rows[:number].sum()), int(rows[number]))


def build(
    function: Callable[..., pl.LazyFrame],
    tables: Sequence[DatasetRef],
    target: Dataset,
    facts: Mapping[str, str],
    memory_mib: int,
) -> DatasetRef:
    """Writes what a function makes of tables, in as many buckets as memory asks for.

    The file is the same, to the byte, however many there are.

    Args:
        function: See `make`.
        tables: Tables that `write` wrote.
        target: Where the result goes.
        facts: Facts about the whole of it.
        memory_mib: About how much memory the rows of a bucket may take.
    """
    count = count_for(memory_mib, *map(size_of, tables))
    frames = (make(function, tables, number, count) for number in range(count))
    return join(frames, function, tables, target, facts)


@lru_cache(maxsize=16)
def _rows_by_bucket(table: DatasetRef) -> tuple[int, ...]:
    return tuple(fact(table, FACT))


def make(
    function: Callable[..., pl.LazyFrame], tables: Sequence[DatasetRef], number: int, count: int
) -> pl.DataFrame:
    """Applies a function of tables to one bucket.

    Args:
        function: Takes a frame for each table and gives one whose rows have a `char_id`; it treats
            each character by itself.
        tables: Tables that `write` wrote.
        number: Which bucket, from 0.
        count: Of how many.

    Returns:
        What it gives of the bucket, in the order of hashes.
    """
    return in_order(function(*(bucket(t, number, count) for t in tables)).collect())


def join(
    frames: Iterable[pl.DataFrame],
    function: Callable[..., pl.LazyFrame],
    tables: Sequence[DatasetRef],
    target: Dataset,
    facts: Mapping[str, str],
) -> DatasetRef:
    """Writes the frames of all buckets, one behind another.

    Args:
        frames: What `make` gives of each bucket, in their order.
        function: What made them, which tells their columns.
        tables: What they were made of.
        target: Where the result goes.
        facts: Facts about the whole of it.
    """
    schema = function(*map(datasets.scan, tables)).collect_schema()
    return write(frames, target, schema, facts)


def write(
    frames: Iterable[pl.DataFrame],
    target: Dataset,
    schema: Mapping[str, Any],
    facts: Mapping[str, str] | None = None,
) -> DatasetRef:
    """Writes frames one behind another as one table; the same rows give the same bytes.

    Args:
        frames: Rows with a `char_id`, in the order of hashes over all frames.
        target: Where to.
        schema: The columns of all frames.
        facts: Facts about the whole for the footer, besides the number of rows by bucket.
    """
    rows = np.zeros(FINEST, dtype=np.int64)

    def counted() -> Iterator[pl.DataFrame]:
        for frame in frames:
            found = buckets_of(frame["char_id"], FINEST)
            rows[:] += np.bincount(found.to_numpy(), minlength=FINEST)
            yield from frame.iter_slices(datasets.ROWS_PER_GROUP)  # Few wait to be written.

    def known_at_the_end() -> dict[str, str]:
        return {**(facts or {}), **footer(**{FACT: rows.tolist()})}

    return datasets.write_parquet(lazily(counted(), schema), target, known_at_the_end)


def lazily(frames: Iterable[pl.DataFrame], schema: Mapping[str, Any]) -> pl.LazyFrame:
    """Makes a lazy frame of frames that come one after another; it can be collected once.

    Args:
        frames: The frames.
        schema: Their columns.
    """

    def source(
        columns: list[str] | None, predicate: pl.Expr | None, limit: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        for frame in frames:
            found = frame if predicate is None else frame.filter(predicate)
            found = found if columns is None else found.select(columns)
            yield found if limit is None else found.head(limit)
            if limit is not None and (limit := limit - len(found)) <= 0:
                return

    return register_io_source(source, schema=pl.Schema(schema))


def spill(frame: pl.LazyFrame, column: str, count: int, folder: Path) -> list[pl.LazyFrame]:
    """Puts the rows of a frame aside by the bucket of a column; the frame is read once.

    Args:
        frame: What to put aside.
        column: Ids, of characters or others.
        count: How many buckets; of one, the frame itself is given back, and nothing read.
        folder: Where to; it holds files of this frame alone.

    Returns:
        The rows of each bucket, in the order in which they came.
    """
    if count == 1:
        return [frame]
    schema = frame.collect_schema()
    coarse = min(count, AT_ONCE)
    _spill(frame, column, coarse, folder)
    parts = [_of_bucket(folder, number, schema) for number in range(coarse)]
    if count == coarse:
        return parts
    finer: list[pl.LazyFrame] = []
    for number, part in enumerate(parts):
        below, share = folder / str(number), count // coarse
        _spill(part, column, count, below)
        shutil.rmtree(folder / f"{BUCKET}={number}", ignore_errors=True)
        finer += [_of_bucket(below, share * number + n, schema) for n in range(share)]
    return finer


def _spill(frame: pl.LazyFrame, column: str, count: int, folder: Path) -> None:
    number = pl.col(column).map_batches(
        partial(buckets_of, count=count), return_dtype=pl.UInt16, is_elementwise=True
    )
    places = pl.PartitionBy(
        folder, key={BUCKET: number}, include_key=False, approximate_bytes_per_file=None
    )
    frame.sink_ipc(
        places, compression="lz4", mkdir=True, engine="streaming", record_batch_size=ROWS_PER_BATCH
    )


def _of_bucket(folder: Path, number: int, schema: pl.Schema) -> pl.LazyFrame:
    files = sorted((folder / f"{BUCKET}={number}").glob("*"))
    return pl.scan_ipc(files) if files else pl.LazyFrame(schema=schema)
