"""Reading and writing datasets: whole or not at all, and known again by their content."""

import hashlib
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from churnlib.datasets import Dataset, DatasetRef
from churnlib.errors import DataError

if TYPE_CHECKING:
    import dataframely as dy
    import polars as pl

ROWS_PER_GROUP = 100_000
"""Rows a Parquet row group; fixed, because the bytes of a file depend on it."""
AGAIN = "Remove it, and make it again with the flow that writes it."
"""What to do about a dataset that is not as a flow wrote it."""


def fingerprint(uri: str) -> str:
    """Digests what lies at a place.

    Args:
        uri: A file, or a folder, of which every file counts with its name.

    Returns:
        SHA-256 in hex.

    Raises:
        DataError: Nothing lies there, or it may not be read.
    """
    path = Path(uri)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        parts = (f"{p.relative_to(path).as_posix()} {fingerprint(str(p))}\n" for p in files)
        return hashlib.sha256("".join(parts).encode()).hexdigest()
    try:
        stat = path.stat()
        # The time of change, unlike that of modification, cannot be set back by whoever copies.
        return _digest(uri, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error


@lru_cache(maxsize=4096)
def _digest(uri: str, *_stat: int) -> str:
    with Path(uri).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def ref(dataset: Dataset, rows: int | None = None) -> DatasetRef:
    """Takes note of what lies at a dataset's place now.

    Raises:
        DataError: Nothing lies there.
    """
    return DatasetRef(dataset.name, dataset.game, dataset.uri, fingerprint(dataset.uri), rows)


def stands(found: DatasetRef) -> bool:
    """Tells whether a dataset is still there, with the content that was noted."""
    return Path(found.uri).exists() and fingerprint(found.uri) == found.fingerprint


@contextmanager
def replacing(target: str | Path) -> Iterator[Path]:
    """Yields a place beside the target; what is made there takes the target's place at the end.

    Where the block raises, what it made is removed and the target stays as it was.

    Args:
        target: The file, or a folder that does not exist yet.

    Raises:
        DataError: The system does not let it be written: no right, no room, no folder.
    """
    target = Path(target)
    beside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield beside
            beside.replace(target)
        finally:
            if beside.is_dir():
                shutil.rmtree(beside)
            else:
                beside.unlink(missing_ok=True)
    except Exception as error:
        # Polars words a fault of the system as one of its own.
        if not (isinstance(error, OSError) or "(os error " in str(error)):
            raise
        raise DataError(
            f"{target} cannot be written ({reason(error)}). Make room or give the right to write "
            "there, or name another data folder with --data-dir."
        ) from error


def write_text(text: str, target: str | Path) -> None:
    """Replaces a text file as a whole."""
    write_texts({target: text})


def write_texts(texts: Mapping[str | Path, str]) -> None:
    """Replaces text files that belong together: none before all are written.

    Args:
        texts: What to write, by place.
    """
    with ExitStack() as replaced:
        for target, text in texts.items():
            replaced.enter_context(replacing(target)).write_text(text, encoding="utf-8")


def scan(source: Dataset | DatasetRef, schema: "type[dy.Schema] | None" = None) -> "pl.LazyFrame":
    """Opens a Parquet dataset lazily.

    Args:
        source: Which.
        schema: The columns that it must have, of their types; others may be there besides. Any
            will do if null.

    Raises:
        DataError: The file is missing, is no Parquet file, or is not of the schema.
    """
    import polars as pl

    frame = pl.scan_parquet(_place(source), glob=False)
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
        if found.get(name) != column.dtype
    ]
    if faults:
        raise DataError(f"{source.game}: {source.name}: {source.uri} {'; '.join(faults)}. {AGAIN}")
    return frame


def read(source: Dataset | DatasetRef, schema: "type[dy.Schema] | None" = None) -> "pl.DataFrame":
    """Reads a Parquet dataset whole; see `scan`.

    Raises:
        DataError: See `scan`; or the file cannot be read to its end.
    """
    with blaming(source):
        return scan(source, schema).collect()


@contextmanager
def blaming(*sources: Dataset | DatasetRef) -> Iterator[None]:
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
    except (pl.exceptions.PolarsError, OSError):
        for source in sources:
            if source.uri.endswith(".parquet"):
                _read_to_end(source)
        raise


def _read_to_end(source: Dataset | DatasetRef) -> None:
    import polars as pl

    try:
        scan(source).select(pl.all().null_count()).collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(source, error) from None


def _place(source: Dataset | DatasetRef) -> Path:
    path = Path(source.uri)
    if not path.exists():
        raise DataError(f"{source.game}: {source.name} is missing: there is no {source.uri}.")
    if path.is_dir():
        raise DataError(f"{source.game}: {source.name}: {path} is a folder, not a file. {AGAIN}")
    return path


def _damaged(source: Dataset | DatasetRef, error: Exception) -> DataError:
    return DataError(
        f"{source.game}: {source.name}: {source.uri} cannot be read as Parquet "
        f"({reason(error)}). {AGAIN}"
    )


def reason(error: Exception) -> str:
    """Words what a reader met in one line, without the point at its end."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


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
    return ref(target, count_rows(target.uri))


def count_rows(uri: str) -> int:
    """Reads the number of rows from a Parquet file's footer."""
    import pyarrow.parquet as pq

    rows: int = pq.read_metadata(uri).num_rows
    return rows


def read_metadata(source: Dataset | DatasetRef) -> dict[str, str]:
    """Reads the facts about a whole table that `write_parquet` left in the footer.

    Raises:
        DataError: The file is missing, or is no Parquet file.
    """
    import polars as pl

    try:
        metadata = pl.read_parquet_metadata(_place(source))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(source, error) from None
    return {key: value for key, value in metadata.items() if not key.startswith("ARROW:")}
