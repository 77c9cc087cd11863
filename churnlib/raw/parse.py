"""Parsing raw values: each as its column's type, or marked as one that is not."""

from collections.abc import Collection

import dataframely as dy
import polars as pl

from churnlib.schemas.spec import TableSpec

ROW = "source_row"
TYPE_RULE = "every_value_of_its_type"
REFERENCE_RULE = "reference_known"
EXACT = 2**53
"""Below it, a float that is whole can stand for no other number."""


class Parsed(dy.Schema):
    """What a careful reading marks in every row; the marks are gone from checked tables."""

    source_row = dy.UInt32(description="Line of a CSV file where it starts, row of a Parquet file")
    unparsable = dy.String(nullable=True, description="Columns whose value is not of their type")

    @dy.rule()
    def every_value_of_its_type(cls) -> pl.Expr:
        """Every value must be of its column's type."""
        return pl.col("unparsable").is_null()


class Referenced(dy.Schema):
    """What is marked in the rows of a table that refers to another."""

    orphan = dy.Bool(description="Whether the key it refers to is unknown")

    @dy.rule()
    def reference_known(cls) -> pl.Expr:
        """The key that a row refers to must exist."""
        return ~pl.col("orphan")


def typed(raw: pl.LazyFrame, spec: TableSpec, ragged: Collection[int] = ()) -> pl.LazyFrame:
    """Reads each value as its column's type.

    Args:
        raw: As `churnlib.raw.read.scan_raw` returns it.
        spec: Which raw table it is.
        ragged: The `source_row` of rows without a readable value; see `churnlib.raw.csv_lines`.

    Returns:
        The rows of `raw`, typed by the schema; a value that is not of its type becomes null, and
        `unparsable` names its column (several joined by commas; null where there is none). An
        empty text is null.
    """
    given = raw.collect_schema()
    values, marks = {}, []
    is_lost = pl.col(ROW).is_in(sorted(ragged)) if ragged else pl.lit(False)
    for name, dtype in spec.types.items():
        value = not_blank(pl.col(name), given[name])
        parsed = _parsed(value, given[name], dtype)
        values[name] = pl.when(~is_lost).then(parsed) if ragged else parsed
        marks.append(pl.when(is_lost | (value.is_not_null() & parsed.is_null())).then(pl.lit(name)))
    marked = pl.concat_str(marks, separator=",", ignore_nulls=True)
    return raw.with_columns(
        unparsable=pl.when(marked != "").then(marked),
        **values,
    ).with_columns(pl.col(ROW).cast(pl.UInt32))


def not_blank(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Takes an empty text for null; other types stay as they are."""
    return pl.when(value != "").then(value) if dtype == pl.String else value


def _parsed(value: pl.Expr, given: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    if wanted == pl.String:
        return pl.lit(None, pl.String) if given.is_nested() else value.cast(pl.String)
    if wanted == pl.Date:
        return _as_date(value, given)
    if not (given.is_numeric() or given in (pl.String, pl.Null)):
        return pl.lit(None, wanted)
    number = value.cast(pl.Float64, strict=False)
    if wanted.is_float():
        return pl.when(number.is_finite()).then(number)
    if given.is_integer():
        return value.cast(wanted, strict=False)
    if given.is_decimal():
        exact = value.cast(wanted, strict=False)
        return pl.when(exact.cast(given, strict=False) == value).then(exact)
    # A whole number may come written as 12.0; from 2**53 on it may be another's neighbour.
    is_whole = (number == number.round()) & (number.abs() < EXACT)
    whole = pl.when(is_whole).then(number).cast(wanted, strict=False)
    return pl.coalesce(value.cast(wanted, strict=False), whole) if given == pl.String else whole


def _as_date(value: pl.Expr, given: pl.DataType) -> pl.Expr:
    if given == pl.String:
        iso = pl.when(value.str.contains(r"^\d{4}-\d{2}-\d{2}$")).then(value)
        return iso.str.to_date("%Y-%m-%d", strict=False)
    if given == pl.Date:
        return value
    if isinstance(given, pl.Datetime):
        return pl.when(value == value.dt.truncate("1d")).then(value.dt.date())
    return pl.lit(None, pl.Date)
