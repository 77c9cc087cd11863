"""Reading raw tables: every value by its column's type, or marked as one that is not."""

from pathlib import Path

import polars as pl

from churnlib.datasets import Dataset, DatasetRef
from churnlib.errors import DataError, closest
from churnlib.schemas import RAW_SCHEMAS, raw_columns

ROW = "source_row"


def scan_raw(source: Dataset | DatasetRef, table: str) -> pl.LazyFrame:
    """Opens a raw table as it lies there: the text of a CSV file, the types of a Parquet file.

    Args:
        source: The file, CSV or Parquet by its suffix; columns beyond the schema are left out.
        table: Which raw table it is.

    Returns:
        `source_row` (see `row_word`) and the columns of the table.

    Raises:
        DataError: The file cannot be read, or a column is missing.
    """
    if is_csv(source):
        frame = pl.scan_csv(
            source.uri,
            infer_schema=False,
            row_index_name=ROW,
            row_index_offset=2,
            glob=False,
        )
    else:
        frame = pl.scan_parquet(source.uri, row_index_name=ROW, row_index_offset=1, glob=False)
    try:
        there = frame.collect_schema().names()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise unreadable(source, error) from None
    wanted = raw_columns(table)
    if missing := [name for name in wanted if name not in there]:
        others = [name for name in there if name not in wanted and name != ROW]
        hint = closest(missing[0], others) if others else ""
        raise DataError(
            f"{source.game}: {Path(source.uri).name} lacks the column"
            f"{'s' if len(missing) > 1 else ''} {', '.join(missing)}. {hint}".rstrip()
        )
    return frame.select(ROW, *wanted)


def typed(raw: pl.LazyFrame, table: str) -> pl.LazyFrame:
    """Reads each value as its column's type.

    Args:
        raw: As `scan_raw` gives it.
        table: Which raw table it is.

    Returns:
        The rows of `raw`, typed by the schema; a value that is not of its type becomes null, and
        `unparsable` names its column (several joined by commas; null where all is well).
    """
    given = raw.collect_schema()
    columns = RAW_SCHEMAS[table].columns()
    values = {name: _parsed(name, given[name], columns[name].dtype) for name in raw_columns(table)}
    marks = [
        pl.when(pl.col(name).is_not_null() & value.is_null()).then(pl.lit(name))
        for name, value in values.items()
    ]
    marked = pl.concat_str(marks, separator=",", ignore_nulls=True)
    return raw.with_columns(
        unparsable=pl.when(marked != "").then(marked),
        **values,
    ).with_columns(pl.col(ROW).cast(pl.UInt32))


def is_csv(source: Dataset | DatasetRef) -> bool:
    """Tells by the suffix whether a raw table is a CSV file."""
    return source.uri.endswith(".csv")


def row_word(source: Dataset | DatasetRef) -> str:
    """What `source_row` counts: lines of a CSV file from the header on, rows of a Parquet file."""
    return "line" if is_csv(source) else "row"


def unreadable(source: Dataset | DatasetRef, error: Exception) -> DataError:
    """Words a fault that the reader of the file met."""
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return DataError(f"{source.game}: {source.uri} cannot be read: {first}")


def _parsed(name: str, given: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    value = pl.col(name)
    if wanted == pl.String:
        return value.cast(pl.String)
    if wanted == pl.Date:
        return _as_date(value, given)
    if not (given.is_numeric() or given in (pl.String, pl.Null)):
        return pl.lit(None, wanted)
    number = value.cast(pl.Float64, strict=False)
    if wanted.is_float():
        return pl.when(number.is_finite()).then(number)
    if given.is_integer():
        return value.cast(wanted, strict=False)
    # A whole number may come written as 12.0; beyond 2**53 a float no longer holds every one.
    whole = pl.when(number == number.round()).then(number).cast(wanted, strict=False)
    return pl.coalesce(value.cast(wanted, strict=False), whole) if given == pl.String else whole


def _as_date(value: pl.Expr, given: pl.DataType) -> pl.Expr:
    if given == pl.String:
        return value.str.to_date("%Y-%m-%d", strict=False)
    if given == pl.Date:
        return value
    if isinstance(given, pl.Datetime):
        return pl.when(value == value.dt.truncate("1d")).then(value.cast(pl.Date))
    return pl.lit(None, pl.Date)
