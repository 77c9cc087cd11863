"""Reading and writing datasets: whole or not at all, and known again by their content."""

import hashlib
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from churnlib.datasets import Dataset, DatasetRef
from churnlib.errors import DataError

if TYPE_CHECKING:
    import polars as pl

ROWS_PER_GROUP = 100_000
"""Rows a Parquet row group; fixed, because the bytes of a file depend on it."""


def fingerprint(uri: str) -> str:
    """Digests what lies at a place.

    Args:
        uri: A file, or a folder, of which every file counts with its name.

    Returns:
        SHA-256 in hex.

    Raises:
        DataError: Nothing lies there.
    """
    path = Path(uri)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        parts = (f"{p.relative_to(path).as_posix()} {fingerprint(str(p))}\n" for p in files)
        return hashlib.sha256("".join(parts).encode()).hexdigest()
    try:
        stat = path.stat()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    # The time of change, unlike that of modification, cannot be set back by whoever copies files.
    return _digest(uri, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


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
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        yield beside
        beside.replace(target)
    finally:
        if beside.is_dir():
            shutil.rmtree(beside)
        else:
            beside.unlink(missing_ok=True)


def write_text(text: str, target: str | Path) -> None:
    """Replaces a text file as a whole."""
    with replacing(target) as beside:
        beside.write_text(text, encoding="utf-8")


def scan(source: Dataset | DatasetRef) -> "pl.LazyFrame":
    """Opens a Parquet dataset lazily.

    Raises:
        DataError: The file is missing.
    """
    import polars as pl

    if not Path(source.uri).exists():
        raise DataError(f"{source.game}: {source.name} is missing: there is no {source.uri}.")
    return pl.scan_parquet(source.uri, glob=False)


def write_parquet(
    frame: "pl.LazyFrame", target: Dataset, metadata: Mapping[str, str] | None = None
) -> DatasetRef:
    """Writes a lazy frame as a Parquet file, streaming, whole or not at all.

    The same rows in the same order give the same bytes.

    Args:
        frame: What to write, already in its final order.
        target: Where to.
        metadata: Facts about the whole table, kept in the file's footer.

    Returns:
        What was written, with its rows counted.
    """
    with replacing(target.uri) as beside:
        frame.sink_parquet(
            beside, row_group_size=ROWS_PER_GROUP, metadata=dict(metadata or {}), engine="streaming"
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
        DataError: The file is missing.
    """
    import polars as pl

    if not Path(source.uri).exists():
        raise DataError(f"{source.game}: {source.name} is missing: there is no {source.uri}.")
    metadata = pl.read_parquet_metadata(source.uri)
    return {key: value for key, value in metadata.items() if not key.startswith("ARROW:")}
