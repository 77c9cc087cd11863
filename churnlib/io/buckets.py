"""Buckets of characters, by which tables of any size are processed in bounded memory.

The bucket of a character is determined by a hash of `char_id`, so all its rows, in all tables, are
in the same bucket. Tables that flows write are sorted by that hash: a bucket is a range of rows,
whose start is in the footer, and the concatenated buckets are the same table however many there
are. The number of buckets is chosen when a table is read; nothing on disk depends on it.
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
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import fact, footer

FINEST_BITS = 10
FINEST = 2**FINEST_BITS
"""The maximum number of buckets: of 100 million characters, each has 100,000."""
AT_ONCE = 64
"""The number of files that are spilled to at a time; each has its own buffer."""
ROWS_PER_BATCH = 2**13
"""The number of rows that are buffered for each of these files."""
BUILDING, CHECKING = 6, 3
"""The memory for building features from a bucket, and for validating it, as measured, in multiples
of the size of its rows."""
FACT = "rows_by_bucket"
"""The fact in a table's footer that has the number of rows of each of `FINEST` buckets."""
BUCKET = "_bucket"

Hashes = NDArray[np.uint64]


def hashes(ids: pl.Series) -> Hashes:
    """Hashes ids to 64 bits, uniformly, and the same on every machine and in every version.

    Args:
        ids: Whole numbers, hashed by the finalizer of MurmurHash3, without collisions; or text,
            hashed by BLAKE2b. The hash of a null is that of 0 or of empty text.

    >>> hashes(pl.Series([1, 2])).tolist()
    [12994781566227106604, 4233148493373801447]
    """
    if ids.dtype == pl.String:
        texts = ids.fill_null("")
        begins = (texts != texts.shift()).fill_null(True)
        digests = np.array([_digest(text) for text in texts.filter(begins)], dtype=np.uint64)
        return digests.take(np.cumsum(begins.to_numpy()) - 1)
    mixed = ids.fill_null(0).cast(pl.Int64).to_numpy().astype(np.uint64)
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed ^= mixed >> np.uint64(33)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(33)
    return mixed


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def buckets_of(ids: pl.Series, count: int) -> pl.Series:
    """Returns the bucket of each id.

    Args:
        ids: The ids.
        count: The number of buckets, a power of two up to `FINEST`.
    """
    finest = (hashes(ids) >> np.uint64(64 - FINEST_BITS)).astype(np.uint16)
    return pl.Series(ids.name, finest // np.uint16(FINEST // count))


def by_hash(column: str = "char_id") -> pl.Expr:
    """Returns an expression for the hash of each id, to sort by; see `in_order`."""
    return pl.col(column).map_batches(
        lambda ids: pl.Series(hashes(ids)), return_dtype=pl.UInt64, is_elementwise=True
    )


def in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Sorts characters by hash; the rows of each keep their order.

    Args:
        rows: A table with `char_id`, which is sorted fast if the rows of a character are adjacent.
    """
    ids = rows["char_id"]
    begins = (ids != ids.shift()).fill_null(True).arg_true()
    hashed = hashes(ids.gather(begins))
    if (hashed[1:] > hashed[:-1]).all():
        return rows
    first, order = begins.to_numpy().astype(np.int64), np.argsort(hashed, kind="stable")
    lengths = np.diff(np.append(first, len(rows)))[order]
    shifts = first[order] - (np.cumsum(lengths) - lengths)
    return _taken(rows, np.repeat(shifts, lengths) + np.arange(len(rows)))


def _taken(rows: pl.DataFrame, order: NDArray[np.int64]) -> pl.DataFrame:
    """Gathers rows by index; numbers by NumPy, which is several times faster."""
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
    taken = column.to_physical().to_numpy().take(order)  # Nulls become NaN.
    has_nulls = column.null_count() > 0
    return pl.Series(column.name, taken, nan_to_null=has_nulls).cast(column.dtype)


def count_for(memory_mib: int, *sizes: int, times: int = BUILDING) -> int:
    """Returns the number of buckets that lets one be processed within some memory.

    Args:
        memory_mib: The memory.
        sizes: The size of each table in memory, in bytes; see `size_of`.
        times: The memory for processing, in multiples of these sizes.

    >>> count_for(256, 20_000_000), count_for(256, 3_500_000_000)
    (1, 128)
    """
    needed = -(-sum(sizes) * times // (memory_mib * 2**20))
    power = max(needed - 1, 0).bit_length()
    return int(min(FINEST, 2**power))


def size_of(table: DatasetRef, *columns: str) -> int:
    """Estimates the size of a table in memory, or of some of its columns, in bytes."""
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
        number: The bucket, from 0.
        count: The number of buckets.

    Raises:
        DataError: The table is missing or damaged, or was written by something else.
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
    """Applies a function to tables, bucket by bucket, and writes the result.

    The number of buckets depends on the memory; the bytes of the file do not.

    Args:
        function: See `make`.
        tables: Tables that `write` wrote.
        target: Where the result is written.
        facts: Facts for its footer.
        memory_mib: The memory for processing a bucket, approximately.
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
    """Applies a function to one bucket of tables.

    Args:
        function: Takes a frame for each table and returns one with `char_id`; the result for a
            character depends on its rows only.
        tables: Tables that `write` wrote.
        number: The bucket, from 0.
        count: The number of buckets.

    Returns:
        The result, sorted by hash.
    """
    return in_order(function(*(bucket(t, number, count) for t in tables)).collect())


def join(
    frames: Iterable[pl.DataFrame],
    function: Callable[..., pl.LazyFrame],
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
    return write(frames, target, schema, facts)


def write(
    frames: Iterable[pl.DataFrame],
    target: Dataset,
    schema: Mapping[str, Any],
    facts: Mapping[str, str] | None = None,
) -> DatasetRef:
    """Writes concatenated frames as one table; the same rows give the same bytes.

    Args:
        frames: Rows with `char_id`, sorted by hash over all frames.
        target: Where the table is written.
        schema: The columns of all frames.
        facts: Facts for the footer, in addition to the number of rows by bucket.
    """
    rows = np.zeros(FINEST, dtype=np.int64)

    def counted() -> Iterator[pl.DataFrame]:
        for frame in frames:
            numbers = buckets_of(frame["char_id"], FINEST)
            rows[:] += np.bincount(numbers.to_numpy(), minlength=FINEST)
            yield from frame.iter_slices(datasets.ROWS_PER_GROUP)  # Few rows are buffered.

    def footer_at_the_end() -> dict[str, str]:
        return {**(facts or {}), **footer(**{FACT: rows.tolist()})}

    return datasets.write_parquet(lazily(counted(), schema), target, footer_at_the_end)


def lazily(frames: Iterable[pl.DataFrame], schema: Mapping[str, Any]) -> pl.LazyFrame:
    """Returns a lazy frame over an iterable of frames, which can be collected once.

    Args:
        frames: The frames.
        schema: Their columns.
    """

    def source(
        columns: list[str] | None, predicate: pl.Expr | None, limit: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        for frame in frames:
            rows = frame if predicate is None else frame.filter(predicate)
            rows = rows if columns is None else rows.select(columns)
            yield rows if limit is None else rows.head(limit)
            if limit is not None and (limit := limit - len(rows)) <= 0:
                return

    return register_io_source(source, schema=pl.Schema(schema))


def spill(frame: pl.LazyFrame, column: str, count: int, folder: Path) -> list[pl.LazyFrame]:
    """Spills a frame to files, one for each bucket of a column, reading it once.

    Args:
        frame: The rows.
        column: A column of ids, of characters or others.
        count: The number of buckets; if 1, nothing is read and the frame itself is returned.
        folder: A folder for the files of this frame only.

    Returns:
        The rows of each bucket, in their original order.
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
