"""Datasets: reading and writing them, and recognizing them by their content."""

from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from churnlib.errors import ChurnlibError, DataError, reason
from churnlib.io.object_store_client import store_error
from churnlib.io.storage import (
    fingerprint,
    is_file,
    is_folder,
    local_copy,
    reader_options,
    replacing,
)

if TYPE_CHECKING:
    import dataframely as dy
    import polars as pl

ROWS_PER_GROUP = 2**16
"""The most rows of a Parquet row group. Fixed, because a file's bytes depend on it; small, because
several are in memory while a file is written, and a bucket is read in whole groups."""
REBUILD = "Remove it, and make it again with the flow that writes it."
"""What to do about a dataset that is not as a flow wrote it."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset by its place: a file, or for a model a folder.

    Attributes:
        name: Its name in the catalog, such as `standard_features`.
        game: The game it belongs to.
        uri: Its path or URI.
    """

    name: str
    game: str
    uri: str


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """A dataset with the content that was found or written there.

    Tasks pass these to each other instead of frames.

    Attributes:
        name: Its name in the catalog.
        game: The game it belongs to.
        uri: Its path or URI.
        fingerprint: Identifies its content; see `churnlib.io.storage.fingerprint`.
        rows: Its number of rows; None if not a table, or not counted.
    """

    name: str
    game: str
    uri: str
    fingerprint: str
    rows: int | None = None


def ref(dataset: Dataset, rows: int | None = None) -> DatasetRef:
    """Refers to the present content of a dataset.

    Raises:
        DataError: There is none.
        UnreadableError: It cannot be read.
    """
    try:
        content = fingerprint(dataset.uri)
    except DataError as error:
        raise type(error)(f"{dataset.game}: {error}") from error
    return DatasetRef(dataset.name, dataset.game, dataset.uri, content, rows)


def is_unchanged(dataset: DatasetRef) -> bool:
    """Whether a dataset still has the content of its fingerprint; not, if it cannot be read."""
    try:
        return fingerprint(dataset.uri) == dataset.fingerprint
    except DataError:
        return False


def scan(
    source: Dataset | DatasetRef,
    schema: "type[dy.Schema] | None" = None,
    *,
    newer: Container[str] = (),
) -> "pl.LazyFrame":
    """Opens a Parquet dataset lazily.

    Args:
        source: The dataset.
        schema: Columns that it must have, with their types; further columns are allowed. If None,
            nothing is checked.
        newer: Columns of the schema that may be missing, because earlier versions did not write
            them.

    Raises:
        DataError: The file is missing, is not a Parquet file, or does not match the schema.
    """
    import polars as pl

    frame = pl.scan_parquet(file_of(source), glob=False, **reader_options(source.uri))
    try:
        columns = frame.collect_schema()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise read_error(source, error) from None
    problems = [
        f"has {name} as {columns[name]} and not as {column.dtype}"
        if name in columns
        else f"lacks the column {name}"
        for name, column in ({} if schema is None else schema.columns()).items()
        if columns.get(name) != column.dtype and (name in columns or name not in newer)
    ]
    if problems:
        raise DataError(
            f"{source.game}: {source.name}: {source.uri} {'; '.join(problems)}. {REBUILD}"
        )
    return frame


def read(source: Dataset | DatasetRef, schema: "type[dy.Schema] | None" = None) -> "pl.DataFrame":
    """Reads a Parquet dataset whole; see `scan`.

    Raises:
        DataError: See `scan`; or the file is damaged.
    """
    with attribute_read_errors(source):
        return scan(source, schema).collect()


@contextmanager
def attribute_read_errors(*sources: Dataset | DatasetRef) -> Iterator[None]:
    """Names the damaged Parquet dataset if the block fails because it cannot be read.

    A lazy frame reads a damaged page only when it is collected, and its error names no file.

    Args:
        sources: The datasets that the block may read; those that are not Parquet files are ignored.

    Raises:
        DataError: A dataset is damaged.
        StoreError: A dataset cannot be read from its object store.
    """
    import polars as pl

    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        for source in sources:
            if source.uri in str(error) and _is_of_store(error):
                raise read_error(source, error) from None
            if source.uri.endswith(".parquet"):
                _read_to_end(source)
        raise


def _read_to_end(source: Dataset | DatasetRef) -> None:
    import polars as pl

    try:
        scan(source).select(pl.all().null_count()).collect(engine="streaming")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise read_error(source, error) from None


def file_of(source: Dataset | DatasetRef) -> str:
    """Returns the path or URI of a dataset that is a file.

    Raises:
        DataError: There is none, or it is a folder.
    """
    if is_file(source.uri):
        return source.uri
    where = f"{source.game}: {source.name}"
    if is_folder(source.uri):
        raise DataError(f"{where}: {source.uri} is a folder, not a file. {REBUILD}")
    raise DataError(f"{where} is missing: there is no {source.uri}.")


def _is_of_store(error: Exception) -> bool:
    return "object-store error" in str(error)


def read_error(source: Dataset | DatasetRef, error: Exception) -> ChurnlibError:
    """Returns the error to raise for an exception of Polars while it reads a dataset."""
    where = f"{source.game}: {source.name}"
    if _is_of_store(error):
        failure = store_error(source.uri, error)
        return type(failure)(f"{where}: {failure}")
    return DataError(
        f"{where}: {source.uri} cannot be read as Parquet ({reason(error)}). {REBUILD}"
    )


def write_parquet(
    frame: "pl.LazyFrame",
    target: Dataset,
    metadata: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
) -> DatasetRef:
    """Streams a lazy frame into a Parquet file, which is written whole or not at all.

    The same rows in the same order give the same bytes.

    Args:
        frame: The rows, in their final order.
        target: Where to write them.
        metadata: Facts for the file's footer, or a function that is called once all rows are
            written.

    Returns:
        The dataset, with its number of rows.
    """

    def file_metadata(_: object) -> dict[str, str]:
        return dict(metadata() if callable(metadata) else metadata or {})

    with replacing(target.uri) as path:
        frame.sink_parquet(
            path, row_group_size=ROWS_PER_GROUP, metadata=file_metadata, engine="streaming"
        )
        rows = count_rows(path)
    return ref(target, rows)


def count_rows(file: str | Path) -> int:
    """Reads the number of rows from the footer of a Parquet file on this machine."""
    import pyarrow.parquet as pq

    rows: int = pq.read_metadata(file).num_rows
    return rows


def write_ipc(frame: "pl.DataFrame", target: Dataset) -> DatasetRef:
    """Writes a frame as an Arrow file, which is fast to write and to read."""
    with replacing(target.uri) as path:
        frame.write_ipc(path, compression="lz4")
    return ref(target, len(frame))


def read_ipc(source: DatasetRef) -> "pl.DataFrame":
    """Reads a file that `write_ipc` wrote.

    Raises:
        DataError: The file is missing.
    """
    import polars as pl

    with local_copy(file_of(source)) as file:
        return pl.read_ipc(file)
