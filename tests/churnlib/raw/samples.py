"""Raw tables without faults, and functions to write, change and check them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.raw.external_sort import Workspace
from churnlib.raw.prepare import prepare_clean, prepare_valid
from churnlib.raw.validate import CheckedTable, check_table
from churnlib.raw.validator import Validator
from churnlib.schemas.spec import TableSpec
from churnlib.settings import RawSettings
from tests.base import declared, raw_tables

Rows = list[dict[str, Any]]
FORMATS = ("csv", "parquet")
Reader = Literal["clean", "careful"]
READERS: tuple[Reader, ...] = get_args(Reader)
AMPLE = 2**40
"""More memory than any sample needs."""


def character(char_id: int = 1, **other: Any) -> dict[str, Any]:
    return {
        "char_id": char_id,
        "gender": "female",
        "race": "elf",
        "class": "mage",
        "territory": "west",
        "creation_date": date(2021, 1, 5),
        "class_mastery_date": date(2022, 3, 1),
        "total_kills": 12,
        "total_deaths": 3,
    } | other


def currency(char_id: int = 1, month: int = 1, **other: Any) -> dict[str, Any]:
    return {
        "char_id": char_id,
        "date": date(2021, month, 1),
        "sub_hard": 0.0,
        "sub_soft": 10.5,
        "hard_balance": 257.0,
        "soft_balance": 766.0,
    } | other


def sub(sub_id: int = 101, char_id: int = 1, **other: Any) -> dict[str, Any]:
    return {
        "sub_id": sub_id,
        "char_id": char_id,
        "sub_start_date": date(2024, 1, 18),
        "sub_type": "premium",
        "sub_months": 6,
        "sub_size": "large",
        "price": 22.48,
        "num_hard_currency": 180.0,
        "num_soft_currency": 375.0,
    } | other


def miss(sub_id: int = 101, month: int = 3, **other: Any) -> dict[str, Any]:
    return {
        "sub_id": sub_id,
        "start_date": date(2024, month, 1),
        "end_date": date(2024, month + 1, 1),
    } | other


ROW: Mapping[str, Callable[..., dict[str, Any]]] = {
    "character_data": character,
    "character_currency": currency,
    "sub_data": sub,
    "sub_miss": miss,
}
GOOD: Mapping[str, Rows] = {
    "character_data": [character(n) for n in (1, 2, 3)],
    "character_currency": [currency(c, m) for c in (1, 2) for m in (1, 2, 3)],
    "sub_data": [
        sub(101, 1, sub_months=12),
        sub(102, 1, sub_start_date=date(2024, 9, 1)),
        sub(201, 2),
    ],
    "sub_miss": [miss(101, 3), miss(101, 6), miss(201, 5)],
}
"""Tables without faults and without data warnings."""


def as_frame(rows: Rows) -> pl.DataFrame:
    """Makes a frame of rows; where values of a column differ in type, all are text."""
    columns = []
    for name in rows[0]:
        values = [row[name] for row in rows]
        try:
            columns.append(pl.Series(name, values))
        except TypeError:
            columns.append(pl.Series(name, [None if v is None else str(v) for v in values]))
    return pl.DataFrame(columns)


def write(folder: Path, table: str, rows: Rows | pl.DataFrame, form: str = "csv") -> Dataset:
    """Writes a table as a game delivers it."""
    frame = rows if isinstance(rows, pl.DataFrame) else as_frame(rows)
    path = folder / f"{table}.{form}"
    if form == "csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)
    return Dataset(table, "hawk", str(path))


def write_text(folder: Path, table: str, text: str | bytes) -> Dataset:
    path = folder / f"{table}.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return Dataset(table, "hawk", str(path))


def check(source: Dataset, *, parent: Rows | None = None, **raw: Any) -> CheckedTable:
    above = None if parent is None else pl.LazyFrame(parent)
    return by_key(
        check_table(source, source.name, declared(RawSettings(**raw)), parent=above), source.name
    )


def prepare(
    source: Dataset,
    spec: TableSpec,
    reader: Reader,
    *,
    parent: Rows | pl.LazyFrame | None = None,
    settings: RawSettings | None = None,
    memory: int = AMPLE,
    output: Path | None = None,
) -> DatasetRef:
    """Prepares a raw table by one of the readers, to a file beside it or in another folder."""
    place = (output or Path(source.uri).parent) / "checked.parquet"
    target = Dataset(source.name, "hawk", str(place))
    above = pl.LazyFrame(parent) if isinstance(parent, list) else parent
    with TemporaryDirectory() as scratch:
        space = Workspace(memory, Path(scratch))
        if reader == "clean":
            return prepare_clean(source, spec, above, target, space).table
        validator = Validator(spec, settings or RawSettings())
        return prepare_valid(source, validator, above, target, space).table


def by_key(checked: CheckedTable, table: str) -> CheckedTable:
    """The same in the order of the key, with the table's own columns."""
    spec = raw_tables()[table]
    rows = checked.rows.select(*spec.columns).sort(spec.key)
    return replace(checked, rows=rows)


def refusal(source: Dataset, *, parent: Rows | None = None, **raw: Any) -> str:
    """The error message for a table that is refused."""
    with pytest.raises(DataError) as caught:
        check(source, parent=parent, **raw)
    return str(caught.value)


def lines(table: str, *rows: str) -> str:
    """The text of a CSV file: the header of a table, and the given rows."""
    return "\n".join([",".join(ROW[table]()), *rows, ""])
