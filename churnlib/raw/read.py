"""Reading raw tables: every value by its column's type, or marked as one that is not."""

from collections.abc import Collection, Sequence

import polars as pl

from churnlib.errors import DataError, closest, reason
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.storage import is_file, is_folder, reader_options, size
from churnlib.raw.csv_lines import Lines, header, line_not_utf8
from churnlib.schemas.tables import RAW_SCHEMAS, raw_columns, with_ids
from churnlib.settings import IdType
from churnlib.uris import name_of

ROW = "source_row"
OTHER_SEPARATORS = (";", "\t", "|")
EXACT = 2**53
"""Below it, a float that is whole can stand for no other number."""


def scan_raw(source: Dataset | DatasetRef, table: str) -> pl.LazyFrame:
    """Opens a raw table as it lies there: the text of a CSV file, the types of a Parquet file.

    Args:
        source: The file, CSV or Parquet by its suffix; columns beyond the schema are left out.
        table: Which raw table it is.

    Returns:
        `source_row` and the columns of the table. It counts rows, in a CSV file from 2 on; see
        `by_line`.

    Raises:
        DataError: The file cannot be read, or a column is missing or there twice.
    """
    if is_folder(source.uri):
        raise DataError(
            f"{source.game}: {source.uri} is a folder, not a file. Put the file in its place."
        )
    options = reader_options(source.uri)
    if is_csv(source):
        frame = pl.scan_csv(
            source.uri, infer_schema=False, truncate_ragged_lines=True, glob=False, **options
        )
    else:
        frame = pl.scan_parquet(source.uri, glob=False, **options)
    try:
        there = frame.collect_schema().names()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise unreadable(source, error) from None
    wanted = raw_columns(table)
    names = header(source.uri) if is_csv(source) else there
    if twice := [name for name in wanted if names.count(name) > 1]:
        raise DataError(
            f"{source.game}: {name_of(source.uri)} has the column {twice[0]} twice. "
            "Remove or rename the one that is not meant."
        )
    if missing := [name for name in wanted if name not in there]:
        raise DataError(
            f"{source.game}: {name_of(source.uri)} lacks the column"
            f"{'s' if len(missing) > 1 else ''} {', '.join(missing)}. "
            f"{_hint(missing, there, wanted)}".rstrip()
        )
    return frame.select(wanted).with_row_index(ROW, offset=2 if is_csv(source) else 1)


def _hint(missing: Sequence[str], there: Sequence[str], wanted: Sequence[str]) -> str:
    """What may be the reason why columns are missing."""
    for mark in OTHER_SEPARATORS:
        if any(set(name.split(mark)) >= set(missing) for name in there):
            return f"The separator seems to be {mark!r} and must be ','."
    others = [name for name in there if name not in wanted]
    return closest(missing[0], others) if others else ""


def by_line(raw: pl.LazyFrame, lines: Lines) -> pl.LazyFrame:
    """Leaves out what stands for no row, and counts `source_row` in lines of the file.

    Args:
        raw: As `scan_raw` gives it.
        lines: What was found out of the lines of the file.
    """
    if lines.blank:
        raw = raw.filter(~pl.col(ROW).is_in(lines.blank))
    if lines.starts is None:
        return raw
    line = pl.lit(lines.starts).gather(pl.col(ROW) - 1, null_on_oob=True)
    return raw.with_columns(pl.coalesce(line, ROW).alias(ROW))


def typed(
    raw: pl.LazyFrame, table: str, ragged: Collection[int] = (), id_type: IdType = "integer"
) -> pl.LazyFrame:
    """Reads each value as its column's type.

    Args:
        raw: As `scan_raw` gives it.
        table: Which raw table it is.
        ragged: The `source_row` of rows without a readable value; see `churnlib.raw.csv_lines`.
        id_type: What ids are.

    Returns:
        The rows of `raw`, typed by the schema; a value that is not of its type becomes null, and
        `unparsable` names its column (several joined by commas; null where all is well). An empty
        text is null.
    """
    given = raw.collect_schema()
    columns = with_ids(RAW_SCHEMAS[table], id_type).columns()
    values, marks = {}, []
    lost = pl.col(ROW).is_in(sorted(ragged)) if ragged else pl.lit(False)
    for name in raw_columns(table):
        value = pl.col(name)
        if given[name] == pl.String:
            value = pl.when(value != "").then(value)
        parsed = _parsed(value, given[name], columns[name].dtype)
        values[name] = pl.when(~lost).then(parsed) if ragged else parsed
        marks.append(pl.when(lost | (value.is_not_null() & parsed.is_null())).then(pl.lit(name)))
    marked = pl.concat_str(marks, separator=",", ignore_nulls=True)
    return raw.with_columns(
        unparsable=pl.when(marked != "").then(marked),
        **values,
    ).with_columns(pl.col(ROW).cast(pl.UInt32))


def is_csv(source: Dataset | DatasetRef) -> bool:
    """Tells by the suffix whether a raw table is a CSV file."""
    return source.uri.endswith(".csv")


def raw_size(source: Dataset | DatasetRef) -> int:
    """About how many bytes the rows of a raw table take in memory."""
    if is_csv(source):
        return 2 * size(source.uri)
    rows = pl.scan_parquet(source.uri, glob=False, **reader_options(source.uri)).select(pl.len())
    return 64 * int(rows.collect().item())


def row_word(source: Dataset | DatasetRef) -> str:
    """What `source_row` counts: lines of a CSV file, rows of a Parquet file."""
    return "line" if is_csv(source) else "row"


def unreadable(source: Dataset | DatasetRef, error: Exception) -> DataError:
    """Words a fault that the reader of the file met."""
    first = reason(error)
    readable = is_csv(source) and is_file(source.uri)
    if readable and (line := line_not_utf8(source.uri)):
        first = f"line {line} is no UTF-8 text. Save the file as UTF-8"
    return DataError(f"{source.game}: {source.uri} cannot be read: {first}.")


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
