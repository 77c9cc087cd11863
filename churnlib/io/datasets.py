"""Reading and writing datasets: whole or not at all, and known again by their content."""

import json
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnlib.errors import ChurnlibError, DataError, StoreError, reason
from churnlib.io.object_store_client import fault
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

ROWS_PER_GROUP = 2**15
"""Rows a Parquet row group; fixed, because the bytes of a file depend on it. Small, because several
are in memory at once while a file is written, and a bucket is read in whole groups."""
AGAIN = "Remove it, and make it again with the flow that writes it."
"""What to do about a dataset that is not as a flow wrote it."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A place for data: what it is called, whose it is, and where it lies.

    Attributes:
        name: Its name in the catalog, such as `standard_features`.
        game: The game it belongs to.
        uri: The file, or for a model the folder.
    """

    name: str
    game: str
    uri: str


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """A dataset as it was found or written: the place, and what lay there.

    Tasks pass these to each other instead of frames.

    Attributes:
        name: Its name in the catalog.
        game: The game it belongs to.
        uri: The file, or for a model the folder.
        fingerprint: What tells its content from another; see `churnlib.io.storage.fingerprint`.
        rows: How many rows it has; None where rows make no sense or were not counted.
    """

    name: str
    game: str
    uri: str
    fingerprint: str
    rows: int | None = None


def ref(dataset: Dataset, rows: int | None = None) -> DatasetRef:
    """Takes note of what lies at a dataset's place now.

    Raises:
        DataError: Nothing lies there.
    """
    return DatasetRef(dataset.name, dataset.game, dataset.uri, fingerprint(dataset.uri), rows)


def is_unchanged(found: DatasetRef) -> bool:
    """Tells whether a dataset is still there, with the content that was noted."""
    try:
        return fingerprint(found.uri) == found.fingerprint
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
        source: Which.
        schema: The columns that it must have, of their types; others may be there besides. Any
            will do if null.
        newer: Those that it may lack, because earlier versions of this package knew none of them.

    Raises:
        DataError: The file is missing, is no Parquet file, or is not of the schema.
    """
    import polars as pl

    frame = pl.scan_parquet(_place(source), glob=False, **reader_options(source.uri))
    try:
        found = frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(source, error) from None
    wanted = {} if schema is None else schema.columns()
    faults = [
        f"lacks the column {name}"
        if name not in found
        else f"has {name} as {found[name]} and not as {column.dtype}"
        for name, column in wanted.items()
        if found.get(name) != column.dtype and not (name in newer and name not in found)
    ]
    if faults:
        raise DataError(f"{source.game}: {source.name}: {source.uri} {'; '.join(faults)}. {AGAIN}")
    return frame


def read(source: Dataset | DatasetRef, schema: "type[dy.Schema] | None" = None) -> "pl.DataFrame":
    """Reads a Parquet dataset whole; see `scan`.

    Raises:
        DataError: See `scan`; or the file cannot be read to its end.
    """
    with attribute_read_errors(source):
        return scan(source, schema).collect()


@contextmanager
def attribute_read_errors(*sources: Dataset | DatasetRef) -> Iterator[None]:
    """Where the block fails because a Parquet dataset cannot be read to its end, says so.

    A lazy frame meets a damaged page only when it is collected, and does not tell in which file.

    Args:
        sources: The datasets that the block may read; those that are no Parquet file do not matter.

    Raises:
        DataError: Names the dataset that is damaged.
    """
    import polars as pl

    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        for source in sources:
            if source.uri in str(error) and _is_of_store(error):
                raise _damaged(source, error) from None
            if source.uri.endswith(".parquet"):
                _read_to_end(source)
        raise


def _read_to_end(source: Dataset | DatasetRef) -> None:
    import polars as pl

    try:
        scan(source).select(pl.all().null_count()).collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(source, error) from None


def _place(source: Dataset | DatasetRef) -> str:
    if is_file(source.uri):
        return source.uri
    where = f"{source.game}: {source.name}"
    if is_folder(source.uri):
        raise DataError(f"{where}: {source.uri} is a folder, not a file. {AGAIN}")
    raise DataError(f"{where} is missing: there is no {source.uri}.")


def _is_of_store(error: Exception) -> bool:
    return "object-store error" in str(error)


def _damaged(source: Dataset | DatasetRef, error: Exception) -> ChurnlibError:
    if _is_of_store(error):
        return StoreError(f"{source.game}: {source.name}: {fault(source.uri, error)}")
    return DataError(
        f"{source.game}: {source.name}: {source.uri} cannot be read as Parquet "
        f"({reason(error)}). {AGAIN}"
    )


def write_parquet(
    frame: "pl.LazyFrame",
    target: Dataset,
    metadata: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
) -> DatasetRef:
    """Writes a lazy frame as a Parquet file, streaming, whole or not at all.

    The same rows in the same order give the same bytes.

    Args:
        frame: What to write, already in its final order.
        target: Where to.
        metadata: Facts about the whole table, kept in the file's footer; or what tells them once
            all rows are written.

    Returns:
        What was written, with its rows counted.
    """

    def at_the_end(_: object) -> dict[str, str]:
        return dict(metadata() if callable(metadata) else metadata or {})

    with replacing(target.uri) as beside:
        frame.sink_parquet(
            beside, row_group_size=ROWS_PER_GROUP, metadata=at_the_end, engine="streaming"
        )
        rows = count_rows(beside)
    return ref(target, rows)


def write_ipc(frame: "pl.DataFrame", target: Dataset) -> DatasetRef:
    """Writes a frame as an Arrow file, which is quickly written and read again."""
    with replacing(target.uri) as beside:
        frame.write_ipc(beside, compression="lz4")
    return ref(target, len(frame))


def read_ipc(source: DatasetRef) -> "pl.DataFrame":
    """Reads what `write_ipc` wrote.

    Raises:
        DataError: The file is missing.
    """
    import polars as pl

    with local_copy(_place(source)) as file:
        return pl.read_ipc(file)


def count_rows(file: str | Path) -> int:
    """Reads the number of rows from the footer of a Parquet file on this machine."""
    import pyarrow.parquet as pq

    rows: int = pq.read_metadata(file).num_rows
    return rows


def read_metadata(source: Dataset | DatasetRef) -> dict[str, str]:
    """Reads the facts about a whole table that `write_parquet` left in the footer.

    Raises:
        DataError: The file is missing, or is no Parquet file.
    """
    import polars as pl

    try:
        metadata = pl.read_parquet_metadata(_place(source), **reader_options(source.uri))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(source, error) from None
    return {key: value for key, value in metadata.items() if not key.startswith("ARROW:")}


def footer(**facts: Any) -> dict[str, str]:
    """Makes the footer of a dataset.

    What is not made of the rows alone belongs elsewhere: the footer is part of the content, so a
    change in it counts as one of the data. What a dataset was made of lies in a file beside it.

    Args:
        facts: Facts about the whole, by name; plain data and days.
    """
    return {name: json.dumps(value, default=str) for name, value in facts.items()}


def fact(source: DatasetRef, name: str) -> Any:
    """Reads a fact about the whole of a dataset; days come as text.

    Raises:
        DataError: Its footer does not tell; something else wrote the file.
    """
    metadata = read_metadata(source)
    if name not in metadata:
        raise DataError(
            f"{source.game}: {source.uri} does not tell its {name}, so it was not written by this "
            "version. Build it again."
        )
    return json.loads(metadata[name])


def optional_fact(source: DatasetRef, name: str) -> Any:
    """Reads a fact that earlier versions did not tell; null where the footer does not."""
    return json.loads(read_metadata(source).get(name, "null"))
