"""Opening raw tables: with their types by the fast reader, or unparsed by the careful one."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import polars as pl

from churnlib.errors import DataError, most_similar, reason
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.storage import is_file, is_folder, reader_options
from churnlib.raw.csv_lines import Lines, header, line_not_utf8, profile
from churnlib.raw.parse import ROW, not_blank
from churnlib.schemas.spec import TableSpec
from churnlib.uris import name_of

OTHER_SEPARATORS = (";", "\t", "|")


class UncleanError(Exception):
    """A raw table may have a fault, so the careful reader must be used."""


def scan_clean(source: Dataset | DatasetRef, spec: TableSpec) -> pl.LazyFrame:
    """Opens a raw table, assuming that every value is of its column's type.

    Args:
        source: The file.
        spec: The raw table's record.

    Returns:
        The columns of the table, with the values that `churnlib.raw.parse.typed` returns; reading
        raises a `PolarsError` if a value is of another type.

    Raises:
        DataError: The file cannot be read, or a column is missing or duplicated.
        UncleanError: The careful reader must be used.
    """
    types = spec.types
    if not is_csv(source):
        frame = _open_parquet(source, spec)
        source_types = frame.collect_schema()
        if not all(_is_compatible(source_types[name], dtype) for name, dtype in types.items()):
            raise UncleanError
        return frame.select(
            _converted(pl.col(name), source_types[name], dtype) for name, dtype in types.items()
        )
    with explain_open_errors(source):
        csv = profile(source.uri)
    _check_columns(source, spec, csv.names)
    if not csv.is_plain:
        raise UncleanError
    as_read = {n: pl.String() if d == pl.Date else d for n, d in types.items()}
    schema = {name: as_read.get(name, pl.String()) for name in csv.names}
    read = pl.scan_csv(source.uri, schema=schema, glob=False, **reader_options(source.uri))
    days = (_day(n, is_strict=csv.has_signs) for n, dtype in types.items() if dtype == pl.Date)
    return read.select(*types).with_columns(days)


def _is_compatible(source: pl.DataType, target: pl.DataType) -> bool:
    """Whether values of a type can be cast to another, unless they are out of range."""
    if isinstance(source, pl.Datetime):
        return source.time_zone is None and target == pl.Date
    if source == pl.Null:
        return True
    is_whole = source.is_integer() and target.is_integer()
    return source == target or is_whole or (source.is_numeric() and target.is_float())


def _converted(value: pl.Expr, source: pl.DataType, target: pl.DataType) -> pl.Expr:
    """Casts the values of a Parquet file; one that cannot be cast raises when it is read."""
    if isinstance(source, pl.Datetime):
        is_midnight = value == value.dt.truncate("1d")
        day = pl.when(is_midnight | value.is_null()).then(value.dt.epoch("d").cast(pl.Int64))
        return day.otherwise(2**40).cast(pl.Int32).cast(pl.Date).alias(value.meta.output_name())
    return not_blank(value, target).cast(target)


def _day(name: str, *, is_strict: bool) -> pl.Expr:
    """A day such as 2024-12-31; other text raises when it is read."""
    text = pl.col(name)
    # Without the characters that parsers skip, no other text of ten bytes parses as a day.
    is_short = (text.str.len_bytes() == 10) & ~text.str.starts_with("-")
    is_day = text.str.contains(r"^\d{4}-\d{2}-\d{2}$") if is_strict else is_short
    return (
        pl.when(is_day | text.is_null()).then(text).otherwise(pl.lit("?")).str.to_date("%Y-%m-%d")
    )


def scan_raw(source: Dataset | DatasetRef, spec: TableSpec) -> pl.LazyFrame:
    """Opens a raw table unparsed: text from a CSV file, the file's own types from Parquet.

    Args:
        source: The file, CSV or Parquet by its suffix; other columns are left out.
        spec: The raw table's record.

    Returns:
        `source_row` and the columns of the table. `source_row` counts rows, from 2 in a CSV file;
        see `by_line`.

    Raises:
        DataError: The file cannot be read, or a column is missing or duplicated.
    """
    if not is_csv(source):
        return _open_parquet(source, spec).select(*spec.columns).with_row_index(ROW, offset=1)
    with explain_open_errors(source):
        names = header(source.uri)
    _check_columns(source, spec, names)
    options = reader_options(source.uri)
    frame = pl.scan_csv(
        source.uri, infer_schema=False, truncate_ragged_lines=True, glob=False, **options
    )
    return frame.select(*spec.columns).with_row_index(ROW, offset=2)


def _open_parquet(source: Dataset | DatasetRef, spec: TableSpec) -> pl.LazyFrame:
    with explain_open_errors(source):
        frame = pl.scan_parquet(source.uri, glob=False, **reader_options(source.uri))
        names = frame.collect_schema().names()
    _check_columns(source, spec, names)
    return frame


def _check_columns(source: Dataset | DatasetRef, spec: TableSpec, names: Sequence[str]) -> None:
    file = f"{source.game}: {name_of(source.uri)}"
    if twice := [name for name in spec.columns if names.count(name) > 1]:
        raise DataError(f"{file} has the column {twice[0]} twice. Remove or rename one of them.")
    if missing := [name for name in spec.columns if name not in names]:
        raise DataError(
            f"{file} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}. "
            f"{_hint(missing, names, spec)}".rstrip()
        )


def _hint(missing: Sequence[str], names: Sequence[str], spec: TableSpec) -> str:
    """A possible reason why columns are missing."""
    for mark in OTHER_SEPARATORS:
        if any(set(name.split(mark)) >= set(missing) for name in names):
            return f"The separator seems to be {mark!r} and must be ','."
    others = [name for name in names if name not in spec.columns]
    similar = most_similar(missing[0], others)
    return f"Rename its column '{similar}' if that is meant." if similar else _other_columns(others)


def _other_columns(names: Sequence[str]) -> str:
    return f"Columns that are not expected: {', '.join(names)}." if names else ""


def by_line(raw: pl.LazyFrame, lines: Lines) -> pl.LazyFrame:
    """Drops blank lines, and renumbers `source_row` by lines of the file.

    Args:
        raw: As `scan_raw` returns it.
        lines: The lines of the file that are not rows.
    """
    if lines.blank:
        raw = raw.filter(~pl.col(ROW).is_in(lines.blank))
    if lines.starts is None:
        return raw
    line = pl.lit(lines.starts).gather(pl.col(ROW) - 1, null_on_oob=True)
    return raw.with_columns(pl.coalesce(line, ROW).alias(ROW))


def is_csv(source: Dataset | DatasetRef) -> bool:
    """Whether a raw table is a CSV file, by its suffix."""
    return source.uri.endswith(".csv")


@contextmanager
def explain_open_errors(source: Dataset | DatasetRef) -> Iterator[None]:
    """Explains why a raw table cannot be opened.

    Raises:
        DataError: Names the file, and what is wrong with it.
    """
    if is_folder(source.uri):
        raise DataError(
            f"{source.game}: {source.uri} is a folder, not a file. Put the file in its place."
        )
    try:
        with explain_read_errors(source):
            yield
    except OSError as error:
        raise _unreadable(source, error) from None


@contextmanager
def explain_read_errors(source: Dataset | DatasetRef) -> Iterator[None]:
    """Explains why a raw table cannot be read.

    Raises:
        DataError: Names the file, and what is wrong with it.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, csv.Error) as error:
        raise _unreadable(source, error) from None


def _unreadable(source: Dataset | DatasetRef, error: Exception) -> DataError:
    why = reason(error)
    is_text = is_csv(source) and is_file(source.uri)
    if is_text and (line := line_not_utf8(source.uri)):
        why = f"line {line} is not UTF-8 text. Save the file as UTF-8"
    return DataError(f"{source.game}: {source.uri} cannot be read: {why}.")
