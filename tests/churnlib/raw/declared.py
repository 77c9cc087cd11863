"""A table that a game declares itself, with a column of every kind, and functions to read it."""

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from churnlib.io.datasets import Dataset, read
from churnlib.schemas.reading import Reading
from churnlib.schemas.spec import TableSpec, column
from tests.churnlib.raw.samples import READERS, Reader, prepare

LOGINS = TableSpec(
    name="logins",
    kind="events",
    description="A row per login.",
    columns={
        "char_id": column("id", "The character"),
        "at": column("time", "When it began"),
        "day": column("date", "The day of its account", nullable=True),
        "minutes": column("number", "How long it took", nullable=True),
        "platform": column("category", "Where", nullable=True),
        "paid": column("flag", "Whether it was paid for", nullable=True),
    },
    order=("char_id", "at", "day", "minutes", "platform", "paid"),
    dated="at",
    known_on=pl.col("at").dt.date(),
)

LOGIN: dict[str, Any] = {
    "char_id": 1,
    "at": datetime(2024, 5, 6, 7, 8, 9),
    "day": date(2024, 5, 1),
    "minutes": 12.5,
    "platform": "pc",
    "paid": True,
}


def reading(**how: Any) -> TableSpec:
    """The table, whose files are read in another way."""
    return replace(LOGINS, reading=Reading(**how))


def read_by(source: Dataset, spec: TableSpec, reader: Reader) -> pl.DataFrame:
    """The checked rows by one of the readers."""
    return read(prepare(source, spec, reader))


def read_by_both(source: Dataset, spec: TableSpec) -> pl.DataFrame:
    """The checked rows, which are the same by both readers."""
    first, second = (read_by(source, spec, reader) for reader in READERS)
    assert first.equals(second)
    assert first.schema == second.schema == spec.checked_types
    return first


def write_logins(
    folder: Path, text: str, name: str = "logins.csv", encoding: str = "utf-8"
) -> Dataset:
    """Writes the text of a CSV file."""
    (folder / name).write_bytes(text.encode(encoding))
    return Dataset("logins", "hawk", str(folder / name))
