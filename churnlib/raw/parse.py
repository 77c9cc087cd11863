"""Parsing raw values to their column's type, and marking those that cannot be parsed."""

from collections.abc import Collection
from typing import Any

import dataframely as dy
import polars as pl

from churnlib.raw.cells import cleaned, days_of
from churnlib.raw.flags import flag_of
from churnlib.raw.times import DAY, TIME, day_of, is_plain_day, time_of
from churnlib.schemas.reading import fill_value
from churnlib.schemas.spec import TableSpec

ROW = "source_row"
TYPE_RULE = "every_value_of_its_type"
REFERENCE_RULE = "reference_known"
EXACT = 2**53
"""Below this, every whole number is exactly representable as a float."""
THOUSANDS = r"^[+-]?[1-9]\d{0,2}\.000$"
"""Text that may be thousands with a point between them, or a whole number with decimals."""


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
        is trimmed, the values that mean null are null, and null is filled where the record says so.
    """
    source_types = raw.collect_schema()
    values, marks = {}, []
    is_lost = pl.col(ROW).is_in(sorted(ragged)) if ragged else pl.lit(False)
    for name in spec.types:
        cell, parsed = read_column(name, source_types[name], spec)
        filled = pl.when(cell.is_null()).then(fill(name, spec)).otherwise(parsed)
        value = filled if name in spec.reading.fill else parsed
        values[name] = pl.when(~is_lost).then(value) if ragged else value
        marks.append(pl.when(is_lost | (cell.is_not_null() & parsed.is_null())).then(pl.lit(name)))
    marked = pl.concat_str(marks, separator=",", ignore_nulls=True)
    return raw.with_columns(
        unparsable=pl.when(marked != "").then(marked),
        **values,
    ).with_columns(pl.col(ROW).cast(pl.UInt32))


def fill(name: str, spec: TableSpec) -> pl.Expr:
    """What replaces null in a column."""
    dtype, value = spec.types[name], spec.reading.fill.get(name)
    return pl.lit(None if value is None else fill_value(value, dtype), dtype)


def parsed_value(text: str | None, name: str, spec: TableSpec) -> tuple[Any, Any]:
    """Parses a single text as the cells of a column; see `read_column`.

    Returns:
        The text, None where it means null, and the value; None if it cannot be parsed.
    """
    cell, value = read_column(name, pl.String(), spec)
    row = pl.DataFrame({name: [text]}, schema={name: pl.String})
    cells = row.select(cell=cell, value=value)
    return cells["cell"][0], cells["value"][0]


def read_column(name: str, source: pl.DataType, spec: TableSpec) -> tuple[pl.Expr, pl.Expr]:
    """Parses the values of a column, which is named as in the record.

    Args:
        name: The column.
        source: The type of its values in the file.
        spec: The raw table's record.

    Returns:
        The cells, null where they mean it, and the values; null where a cell cannot be parsed.
    """
    cell, target = pl.col(name), spec.types[name]
    as_text = target == pl.String and not source.is_nested()
    if as_text or isinstance(source, pl.Categorical | pl.Enum):
        cell, source = cell.cast(pl.String), pl.String()
    cell = cleaned(cell, source, spec)
    if target == pl.Date and source == pl.String and is_plain_day(spec):
        day = pl.coalesce(cell.str.extract(DAY), cell)
        cell = day.replace(spec.no_date, None) if spec.no_date else day
        return cell, cell.str.extract(DAY).str.to_date("%Y-%m-%d", strict=False)
    if target in (pl.Date, pl.Datetime):
        return _read_time(cell, source, target, spec)
    return cell, ordering(_parsed(cell, source, target, spec.reading.decimal), name, spec)


def ordering(value: pl.Expr, name: str, spec: TableSpec) -> pl.Expr:
    """Replaces -0.0 by the equal 0.0 in a column by which rows are ordered."""
    is_float = name in spec.order and spec.types[name].is_float()
    return pl.when(value == 0).then(0.0).otherwise(value) if is_float else value


def _read_time(
    cell: pl.Expr, source: pl.DataType, target: pl.DataType, spec: TableSpec
) -> tuple[pl.Expr, pl.Expr]:
    if source == target == pl.Date:
        return cell, cell
    time = time_of(cell, source, spec.reading)
    value = day_of(time) if target == pl.Date else time
    if not spec.no_date:
        return cell, value
    is_none = time.dt.date().is_in(list(days_of(spec.no_date))).fill_null(False)
    if source == pl.String:
        day = pl.coalesce(cell.str.extract(TIME), cell)
        is_none = is_none | day.is_in(spec.no_date).fill_null(False)
    return pl.when(~is_none).then(cell), pl.when(~is_none).then(value)


def _parsed(value: pl.Expr, source: pl.DataType, target: pl.DataType, decimal: str) -> pl.Expr:
    if target == pl.String:
        return pl.lit(None, pl.String) if source.is_nested() else value.cast(pl.String)
    if target == pl.Boolean:
        return flag_of(value, source)
    if not (source.is_numeric() or source in (pl.String, pl.Null)):
        return pl.lit(None, target)
    if source == pl.String and decimal != ".":
        has_point = value.str.contains(".", literal=True)
        value = pl.when(~has_point).then(value.str.replace(decimal, ".", literal=True))
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
