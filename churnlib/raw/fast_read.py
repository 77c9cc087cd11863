"""Raw tables without a fault, read the fast way: most are, and then nothing need be marked.

What is found clean here breaks no rule and is read to the same values by `churnlib.raw.validate`,
which takes over wherever there is a doubt, and says what is wrong.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.storage import open_bytes, reader_options
from churnlib.raw.csv_lines import header
from churnlib.raw.read import is_csv
from churnlib.schemas.tables import RAW_SCHEMAS, raw_columns, with_ids
from churnlib.settings import IdType, RawSettings

PADDED = re.compile(rb"[,\n][ \t]")
AT_A_TIME = 2**20
"""Bytes that are looked at in one go."""


class UncleanError(Exception):
    """A raw table may have a fault, so it must be read with care."""


def scan_clean(source: Dataset | DatasetRef, table: str, id_type: IdType) -> pl.LazyFrame:
    """Opens a raw table as what its columns should be.

    Args:
        source: The file.
        table: Which raw table it is.
        id_type: What ids are.

    Returns:
        The columns of the table, typed; reading raises where a value is of another type.

    Raises:
        UncleanError: The file asks for a careful reading.
    """
    columns = with_ids(RAW_SCHEMAS[table], id_type).columns()
    types = {name: columns[name].dtype for name in raw_columns(table)}
    options = reader_options(source.uri)
    if not is_csv(source):
        frame = pl.scan_parquet(source.uri, glob=False, **options)
        found = frame.collect_schema()
        if not all(_is_like(found[name], dtype) for name, dtype in types.items()):
            raise UncleanError
        return frame.select(pl.col(name).cast(dtype) for name, dtype in types.items())
    names, marks = header(source.uri), look_at(source.uri)
    if (
        marks.quotes
        or marks.padded
        or marks.commas != (len(names) - 1) * marks.lines
        or len(set(names)) < len(names)
    ):
        raise UncleanError
    as_read = {n: pl.String() if d == pl.Date else d for n, d in types.items()}
    schema = {name: as_read.get(name, pl.String()) for name in names}
    read = pl.scan_csv(source.uri, schema=schema, glob=False, **options)
    days = (_day(name, careful=marks.signs) for name, dtype in types.items() if dtype == pl.Date)
    return read.select(*types).with_columns(days)


def _is_like(given: pl.DataType, wanted: pl.DataType) -> bool:
    """Whether values of a type may be taken for those of another, unless they lie out of range."""
    is_whole = given.is_integer() and wanted.is_integer()
    return given == wanted or is_whole or (given.is_float() and wanted.is_float())


def _day(name: str, *, careful: bool) -> pl.Expr:
    """A day as in 2024-12-31; reading another text raises."""
    text = pl.col(name)
    # Signs and blanks apart, nothing else of ten bytes is taken for a day.
    is_day = text.str.contains(r"^\d{4}-\d{2}-\d{2}$") if careful else text.str.len_bytes() == 10
    return (
        pl.when(is_day | text.is_null()).then(text).otherwise(pl.lit("?")).str.to_date("%Y-%m-%d")
    )


@dataclass(frozen=True)
class Marks:
    """How often some signs stand in a file.

    Attributes:
        lines: Lines, an unended last one included.
        commas: Commas.
        quotes: Whether there is a quote.
        signs: Whether there is a plus or a blank.
        padded: Whether a value begins with a blank.
    """

    lines: int
    commas: int
    quotes: bool
    signs: bool
    padded: bool


def look_at(uri: str) -> Marks:
    """Counts the signs of a file that tell how its lines are to be read."""
    counts = dict.fromkeys(b'\n,"+ \t', 0)
    last, padded = ord("\n"), False
    with open_bytes(uri) as file:
        while part := file.read(AT_A_TIME):
            values = np.frombuffer(part, dtype=np.uint8)
            for sign in counts:
                counts[sign] += int(np.count_nonzero(values == sign))
            if counts[ord(" ")] or counts[ord("\t")]:
                padded = padded or PADDED.search(bytes([last]) + part) is not None
            last = part[-1]
    lines = counts[ord("\n")] + (last != ord("\n"))
    signs = any(counts[sign] for sign in b"+ \t")
    return Marks(lines, counts[ord(",")], counts[ord('"')] > 0, signs, padded)


def hold_clean(rows: pl.DataFrame, table: str, settings: RawSettings) -> pl.DataFrame:
    """Gives rows back if they break no rule.

    Args:
        rows: Rows of a raw table as `scan_clean` reads them, all of a key together, and `orphan`
            where the table refers to another.
        table: Which raw table it is.
        settings: Which categories are closed.

    Raises:
        UncleanError: A row breaks a rule.
    """
    schema = with_ids(RAW_SCHEMAS[table], settings.id_type)
    columns, key = schema.columns(), schema.primary_key()
    values = [rows[name] for name in raw_columns(table)]
    is_clean = all(
        (columns[c.name].nullable or not c.null_count())
        and (not c.dtype.is_float() or c.is_finite().all())
        and (c.dtype != pl.String or (c != "").all())
        and (getattr(columns[c.name], "resolution", None) is None or (c.dt.day() == 1).all())
        and (c.name not in settings.categories or c.is_in(settings.categories[c.name]).all())
        for c in values
    )
    if is_clean and table == "sub_miss":
        is_clean = bool((rows["end_date"] >= rows["start_date"]).all())
    if is_clean and "orphan" in rows.columns:
        is_clean = not rows["orphan"].any()
    if not is_clean:
        raise UncleanError
    return hold_unique(rows, key)


def hold_unique(rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Gives rows back if no two have the same key.

    Raises:
        UncleanError: Two have.
    """
    if not (is_ascending(rows, key) or rows.select(key).is_unique().all()):
        raise UncleanError
    return rows


def is_ascending(rows: pl.DataFrame, key: Sequence[str]) -> bool:
    """Tells whether rows stand in the order of a key, no two with the same."""
    ascends, same = pl.lit(False), pl.lit(True)
    for name in key:
        value, before = pl.col(name), pl.col(name).shift()
        ascends, same = ascends | (same & (value > before)), same & (value == before)
    return bool(rows.lazy().select(ascends.slice(1).all()).collect().item())
