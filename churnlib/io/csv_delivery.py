"""Delivering a batch as a CSV file."""

import polars as pl

from churnlib.errors import DataError
from churnlib.io import storage
from churnlib.io.batches import DELIVERY, VERSION, Batch, replaced_message
from churnlib.uris import join


def csv_file(batch: Batch, folder: str) -> str:
    """The path or URI of a batch's file."""
    return join(folder, batch.game, f"predictions_{batch.month:%Y-%m}.csv")


def deliver_csv(batch: Batch, folder: str, *, replaces: bool = False) -> str:
    """Writes the file of a batch, whole or not at all; returns its path or URI.

    Args:
        batch: The batch.
        folder: The folder of all games, or its URI.
        replaces: Whether a file of the batch that another model version predicted may be replaced.

    Raises:
        DataError: The file holds the batch by another version, or cannot be read or written.
    """
    file = csv_file(batch, folder)
    held = set() if replaces else _values(file, VERSION)
    if others := sorted(held - {batch.version}):
        raise DataError(replaced_message(file, batch, others))
    with storage.replacing(file) as path:
        batch.rows.sink_csv(path)
    return file


def holds_csv(batch: Batch, folder: str) -> bool:
    """Whether the file of a batch has its present content."""
    return _values(csv_file(batch, folder), DELIVERY) == {batch.delivery}


def _values(file: str, column: str) -> set[str]:
    """The values of a column of a delivered file; empty if there is none."""
    if not storage.is_file(file):
        return set()
    try:
        with storage.local_copy(file) as path:
            found = pl.scan_csv(path, infer_schema=False).select(pl.col(column).unique()).collect()
    except pl.exceptions.PolarsError:
        raise DataError(
            f"{file} is not a delivered batch: it has no column {column}. Remove it, or name "
            "another folder in delivery.to"
        ) from None
    return {str(value) for value in found[column]}
