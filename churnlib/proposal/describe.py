"""Reads all rows of a file, to find out what type each column has and what it ranges over."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from churnlib.errors import DataError, reason
from churnlib.proposal.columns import DIRTY_SHARE, Column, File
from churnlib.proposal.sources import Opened
from churnlib.proposal.values import DATE_FORMATS, NO_DAYS, NULL_WORDS, Reader, fits, readers_of

SAMPLE = 5_000
"""Rows by which the type of a column is guessed, before all rows are read."""
FEW = 20
"""Values of them by which most types are ruled out."""
SHOWN = 50
"""Cells that are not of the guessed type, from which another is guessed."""
LONGEST_MARK = max(map(len, (*NULL_WORDS, *NO_DAYS)))


def describe(opened: Opened) -> File:
    """Reads all rows of a source.

    Args:
        opened: The source.

    Raises:
        DataError: It has no rows, or cannot be read.
    """
    try:
        schema = opened.rows.collect_schema()
        samples = _samples(opened.rows, schema.names())
        readers = {name: _guess(dtype, samples[name]) for name, dtype in schema.items()}
        columns = _checked(opened.rows, schema, readers, samples)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"cannot be read: {reason(error)}") from None
    rows = next((column.rows for column in columns.values()), 0)
    if not rows:
        raise DataError("has no rows")
    frame = opened.rows.select(c.values.alias(name) for name, c in columns.items())
    if opened.is_in_memory:
        frame = frame.collect().lazy()
    return File(opened.source, opened.text, rows, columns, frame)


def _samples(rows: pl.LazyFrame, names: Sequence[str]) -> dict[str, pl.Series]:
    """Different values of each column, of the first rows or else of the first that are not null."""
    head = rows.head(SAMPLE).collect()
    samples = {name: head[name].drop_nulls().unique() for name in names}
    poor = [name for name in names if len(samples[name]) < 2]
    if poor and len(head) == SAMPLE:
        first = [pl.col(name).drop_nulls().unique().head(SAMPLE).implode() for name in poor]
        found = rows.select(first).collect()
        samples |= {name: found[name].explode() for name in poor}
    return samples


def _guess(dtype: pl.DataType, sample: pl.Series) -> Reader:
    """The most special way to read all values of a sample.

    Of several formats of days, it is one by which all are firsts of months, if there is one.
    """
    first = sample.head(FEW)
    ways = (r for r in readers_of(dtype, first) if fits(r, first) and fits(r, sample))
    found = next(ways, None)
    if found is None or found.type == "text":
        last = list(readers_of(dtype, first))[-1]  # Also where there is no value.
        ways = (r for r in readers_of(dtype, first) if r.type in ("whole", "number", "time"))
        return next((way for way in ways if fits(way, sample, DIRTY_SHARE)), last)
    if found.date_format is None or _is_monthly(found, sample):
        return found
    return next((way for way in ways if _is_monthly(way, sample)), found)


def _is_monthly(reader: Reader, sample: pl.Series) -> bool:
    """Whether a format other than ISO 8601 gives firsts of months, so that it is meant."""
    if reader.type != "time" or reader.date_format is None:
        return False
    cells = sample.to_frame("value").select(reader.cell("value", sample.dtype))
    days = cells.select(reader.values(pl.first(), sample.dtype).dt.day()).to_series()
    return len(days.drop_nulls()) > 1 and bool((days.drop_nulls() == 1).all())


def _checked(
    rows: pl.LazyFrame,
    schema: pl.Schema,
    readers: dict[str, Reader],
    samples: Mapping[str, pl.Series],
) -> dict[str, Column]:
    """Reads all rows, and guesses again where a cell is not of the guessed type."""
    columns: dict[str, Column] = {}
    known = dict(samples)
    left = list(schema)
    while left:
        found = _read(rows, schema, {name: readers[name] for name in left})
        again = []
        for name in left:
            column, odd = found[name]
            columns[name] = column
            if not column.faults:
                continue
            known[name] = pl.concat([known[name], odd]).unique()
            better = _guess(schema[name], known[name])
            is_dirty = column.faults <= DIRTY_SHARE * (column.rows - column.nulls)
            if better != readers[name] and not (better.type == "text" and is_dirty):
                readers[name] = better
                again.append(name)
        left = again
    return columns


def _read(
    rows: pl.LazyFrame, schema: pl.Schema, readers: Mapping[str, Reader]
) -> dict[str, tuple[Column, pl.Series]]:
    """Reads columns, each with cells that are not of its type."""
    parsed, facts = [], []
    for place, (name, reader) in enumerate(readers.items()):
        cell, value = reader.cell(name, schema[name]), f"value {place}"
        parsed += [cell.alias(f"cell {place}"), reader.values(cell, schema[name]).alias(value)]
        found = _facts(f"cell {place}", value, schema[name], reader)
        facts.append(pl.struct(*found, _marks(name, schema[name])).alias(name))
    marked = rows.with_columns(parsed).select(facts).collect(engine="streaming")
    return {name: _column(name, schema[name], readers[name], marked[name][0]) for name in readers}


def _facts(cell_name: str, value_name: str, dtype: pl.DataType, reader: Reader) -> list[pl.Expr]:
    cell, value = pl.col(cell_name), pl.col(value_name)
    is_odd = cell.is_not_null() & value.is_null()
    is_time, is_number = reader.type == "time", reader.type == "number"
    return [
        pl.len().alias("rows"),
        cell.null_count().alias("nulls"),
        is_odd.sum().alias("faults"),
        value.drop_nulls().n_unique().alias("distinct"),
        value.min().alias("least"),
        value.max().alias("greatest"),
        (value == value.dt.truncate("1d") if is_time else pl.lit(False)).all().alias("is_days"),
        (value.dt.day() == 1 if is_time else pl.lit(False)).all().alias("is_months"),
        _swapped(cell, value, dtype, reader).alias("is_ambiguous"),
        (value == value.floor() if is_number else pl.lit(True)).all().alias("is_whole"),
        cell.filter(is_odd).unique().head(SHOWN).implode().alias("odd"),
    ]


def _marks(name: str, dtype: pl.DataType) -> pl.Expr:
    """The words among the values of a column that may mean null."""
    if dtype != pl.String:
        return pl.lit([], pl.List(pl.String)).alias("marks")
    words = pl.col(name).filter(pl.col(name).str.len_bytes() <= LONGEST_MARK).str.strip_chars()
    return words.filter(words.is_in([*NULL_WORDS, *NO_DAYS])).unique().implode().alias("marks")


def _swapped(cell: pl.Expr, value: pl.Expr, dtype: pl.DataType, reader: Reader) -> pl.Expr:
    """Whether all days also fit the format with day and month the other way round."""
    written = reader.date_format or ""
    other = re.sub("%([dm])", lambda found: "%m" if found[1] == "d" else "%d", written)
    if written.startswith("%Y") or other not in DATE_FORMATS:
        return pl.lit(False)
    swapped = Reader("time", other).values(cell, dtype)
    return (value.is_null() | swapped.is_not_null()).all()


def _column(
    name: str, dtype: pl.DataType, reader: Reader, facts: Mapping[str, Any]
) -> tuple[Column, pl.Series]:
    marks = facts["marks"] if reader.type in ("number", "whole", "time") else []
    values = reader.values(reader.cell(name, dtype), dtype)
    column = Column(
        name=name,
        reader=reader,
        rows=facts["rows"],
        nulls=facts["nulls"],
        faults=facts["faults"],
        distinct=facts["distinct"],
        least=facts["least"],
        greatest=facts["greatest"],
        is_days=facts["is_days"],
        is_months=facts["is_days"] and facts["is_months"],
        is_whole=reader.type == "whole" or facts["is_whole"],
        null_words=tuple(sorted(word for word in marks if word in NULL_WORDS)),
        no_days=tuple(sorted(word for word in marks if word in NO_DAYS)),
        is_ambiguous=facts["is_ambiguous"],
        values=values.dt.date() if reader.type == "time" and facts["is_days"] else values,
    )
    return column, pl.Series(name, facts["odd"], dtype=dtype)
