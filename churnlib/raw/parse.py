"""Parsing raw values to their column's type, and marking those that cannot be parsed."""

from collections.abc import Collection
from typing import Any

import dataframely as dy
import polars as pl

from churnlib.raw.cells import cleaned
from churnlib.schemas.spec import TableSpec

ROW = "source_row"
TYPE_RULE = "every_value_of_its_type"
REFERENCE_RULE = "reference_known"
EXACT = 2**53
"""Below this, every whole number is exactly representable as a float."""
THOUSANDS = r"^[+-]?[1-9]\d{0,2}\.000$"
"""Text that may be thousands with a point between them, or a whole number with decimals."""
MOST_DAYS = 90_000_000
"""The most days between 1970 and a day that is looked at."""
UNITS_A_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
"""How often a day has a unit of time."""
DAY = r"^(\d{4}-\d{2}-\d{2})(?:[T ]00:00(?::00(?:\.0+)?)?(?:Z|\+00:?00)?)?$"
"""The text of a day, also as a timestamp of its midnight."""


class Parsed(dy.Schema):
    """Columns that the careful reader adds; checked tables do not have them."""

    source_row = dy.UInt32(description="Line of a CSV file where it starts, row of a Parquet file")
    unparsable = dy.String(nullable=True, description="Columns whose value is not of their type")

    @dy.rule()
    def every_value_of_its_type(cls) -> pl.Expr:
        """Every value must be of its column's type."""
        return pl.col("unparsable").is_null()


class Referenced(dy.Schema):
    """The column that is added to a table that refers to another."""

    orphan = dy.Bool(description="Whether the key it refers to is unknown")

    @dy.rule()
    def reference_known(cls) -> pl.Expr:
        """The key that a row refers to must exist."""
        return ~pl.col("orphan")


def typed(raw: pl.LazyFrame, spec: TableSpec, ragged: Collection[int] = ()) -> pl.LazyFrame:
    """Parses each value to its column's type.

    Args:
        raw: As `churnlib.raw.read.scan_raw` returns it.
        spec: The raw table's record.
        ragged: The `source_row` of rows without a readable value; see `churnlib.raw.csv_lines`.

    Returns:
        The rows of `raw`, typed by the schema. A value that cannot be parsed becomes null, and
        `unparsable` names its column (several are joined by commas; null if there is none). Text
        is trimmed, and the values that mean null are null.
    """
    source_types = raw.collect_schema()
    values, marks = {}, []
    is_lost = pl.col(ROW).is_in(sorted(ragged)) if ragged else pl.lit(False)
    for name, dtype in spec.types.items():
        cell, source = _cell(name, source_types[name], dtype, spec)
        parsed = _parsed(cell, source, dtype)
        values[name] = pl.when(~is_lost).then(parsed) if ragged else parsed
        marks.append(pl.when(is_lost | (cell.is_not_null() & parsed.is_null())).then(pl.lit(name)))
    marked = pl.concat_str(marks, separator=",", ignore_nulls=True)
    return raw.with_columns(
        unparsable=pl.when(marked != "").then(marked),
        **values,
    ).with_columns(pl.col(ROW).cast(pl.UInt32))


def parsed_value(text: str | None, name: str, spec: TableSpec) -> tuple[Any, Any]:
    """Parses a single text as the cells of a column; see `typed`.

    Returns:
        The text, None where it means null, and the value; None if it cannot be parsed.
    """
    cell, source = _cell(name, pl.String(), spec.types[name], spec)
    row = pl.DataFrame({name: [text]}, schema={name: pl.String})
    value = _parsed(cell, source, spec.types[name])
    cells = row.select(cell=cell, value=value)
    return cells["cell"][0], cells["value"][0]


def _cell(
    name: str, source: pl.DataType, target: pl.DataType, spec: TableSpec
) -> tuple[pl.Expr, pl.DataType]:
    """The cells of a column, null where they mean it, and their type."""
    cell, as_text = pl.col(name), target == pl.String and not source.is_nested()
    if as_text or isinstance(source, pl.Categorical | pl.Enum):
        cell, source = cell.cast(pl.String), pl.String()
    cell = cleaned(cell, source, spec)
    if target == pl.Date and source == pl.String:
        day = pl.coalesce(cell.str.extract(DAY), cell)
        cell = day.replace(spec.no_date, None) if spec.no_date else day
    return cell, source


def _parsed(value: pl.Expr, source: pl.DataType, target: pl.DataType) -> pl.Expr:
    if target == pl.String:
        return pl.lit(None, pl.String) if source.is_nested() else value.cast(pl.String)
    if target == pl.Date:
        return _as_date(value, source)
    if not (source.is_numeric() or source in (pl.String, pl.Null)):
        return pl.lit(None, target)
    number = value.cast(pl.Float64, strict=False)
    if target.is_float():
        return pl.when(number.is_finite()).then(number)
    if source.is_integer():
        return value.cast(target, strict=False)
    if source.is_decimal():
        exact = value.cast(target, strict=False)
        return pl.when(exact.cast(source, strict=False) == value).then(exact)
    # A whole number may be written as 12.0; from 2**53 on, rounding may have changed it.
    is_whole = (number == number.round()) & (number.abs() < EXACT)
    if source == pl.String:
        is_whole = is_whole & ~value.str.contains(THOUSANDS)
    whole = pl.when(is_whole).then(number).cast(target, strict=False)
    return pl.coalesce(value.cast(target, strict=False), whole) if source == pl.String else whole


def days_since_1970(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Days or times as days since 1970, whatever the year: other functions of Polars may panic."""
    unit = dtype.time_unit if isinstance(dtype, pl.Datetime) else ""
    return value.to_physical().cast(pl.Int64) // UNITS_A_DAY.get(unit, 1)


def has_year(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Whether days or times lie in the years that Polars can write, about 250,000 either way."""
    return days_since_1970(value, dtype).is_between(-MOST_DAYS, MOST_DAYS)


def _as_date(value: pl.Expr, source: pl.DataType) -> pl.Expr:
    if source == pl.String:
        return value.str.extract(DAY).str.to_date("%Y-%m-%d", strict=False)
    if source == pl.Date:
        return value
    if isinstance(source, pl.Datetime):
        value = pl.when(has_year(value, source)).then(value)
        return pl.when(value == value.dt.truncate("1d")).then(value.dt.date())
    return pl.lit(None, pl.Date)
