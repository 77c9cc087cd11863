"""Opening raw tables: the fast way, or value by value as the file has them."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import polars as pl

from churnlib.errors import DataError, most_similar, reason
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.storage import is_file, is_folder, reader_options, size
from churnlib.raw.csv_lines import Lines, header, line_not_utf8, profile
from churnlib.raw.parse import ROW, not_blank
from churnlib.schemas.spec import TableSpec
from churnlib.uris import name_of

OTHER_SEPARATORS = (";", "\t", "|")


class UncleanError(Exception):
    """A raw table may have a fault, so it must be read with care."""


def scan_clean(source: Dataset | DatasetRef, spec: TableSpec) -> pl.LazyFrame:
    """Opens a raw table as if every value was of its column's type.

    Args:
        source: The file.
        spec: Which raw table it is.

    Returns:
        The columns of the table, of the values that `churnlib.raw.parse.typed` gives; reading
        raises a `PolarsError` where a value is of another type.

    Raises:
        DataError: The file cannot be read, or a column is missing or there twice.
        UncleanError: The file must be read with care.
    """
    types = spec.types
    if not is_csv(source):
        frame = _open_parquet(source, spec)
        found = frame.collect_schema()
        if not all(_is_like(found[name], dtype) for name, dtype in types.items()):
            raise UncleanError
        return frame.select(
            not_blank(pl.col(name), dtype).cast(dtype) for name, dtype in types.items()
        )
    with opening(source):
        looks = profile(source.uri)
    _check_columns(source, spec, looks.names)
    if not looks.is_plain:
        raise UncleanError
    as_read = {n: pl.String() if d == pl.Date else d for n, d in types.items()}
    schema = {name: as_read.get(name, pl.String()) for name in looks.names}
    read = pl.scan_csv(source.uri, schema=schema, glob=False, **reader_options(source.uri))
    days = (_day(n, is_strict=looks.has_signs) for n, dtype in types.items() if dtype == pl.Date)
    return read.select(*types).with_columns(days)


def _is_like(given: pl.DataType, wanted: pl.DataType) -> bool:
    """Whether values of a type may be taken for those of another, unless they lie out of range."""
    is_whole = given.is_integer() and wanted.is_integer()
    return given == wanted or is_whole or (given.is_float() and wanted.is_float())


def _day(name: str, *, is_strict: bool) -> pl.Expr:
    """A day as in 2024-12-31; reading another text raises."""
    text = pl.col(name)
    # Unless there are signs or blanks, nothing else of ten bytes is taken for a day.
    is_day = text.str.contains(r"^\d{4}-\d{2}-\d{2}$") if is_strict else text.str.len_bytes() == 10
    return (
        pl.when(is_day | text.is_null()).then(text).otherwise(pl.lit("?")).str.to_date("%Y-%m-%d")
    )


def scan_raw(source: Dataset | DatasetRef, spec: TableSpec) -> pl.LazyFrame:
    """Opens a raw table as it is: the text of a CSV file, the types of a Parquet file.

    Args:
        source: The file, CSV or Parquet by its suffix; other columns are left out.
        spec: Which raw table it is.

    Returns:
        `source_row` and the columns of the table. It counts rows, in a CSV file from 2 on; see
        `by_line`.

    Raises:
        DataError: The file cannot be read, or a column is missing or there twice.
    """
    if not is_csv(source):
        return _open_parquet(source, spec).select(*spec.columns).with_row_index(ROW, offset=1)
    with opening(source):
        names = header(source.uri)
    _check_columns(source, spec, names)
    options = reader_options(source.uri)
    frame = pl.scan_csv(
        source.uri, infer_schema=False, truncate_ragged_lines=True, glob=False, **options
    )
    return frame.select(*spec.columns).with_row_index(ROW, offset=2)


def _open_parquet(source: Dataset | DatasetRef, spec: TableSpec) -> pl.LazyFrame:
    with opening(source):
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
    """What may be the reason why columns are missing."""
    for mark in OTHER_SEPARATORS:
        if any(set(name.split(mark)) >= set(missing) for name in names):
            return f"The separator seems to be {mark!r} and must be ','."
    others = [name for name in names if name not in spec.columns]
    similar = most_similar(missing[0], others)
    return f"Rename its column '{similar}' if that is meant." if similar else _other_columns(others)


def _other_columns(names: Sequence[str]) -> str:
    return f"Columns that are not expected: {', '.join(names)}." if names else ""


def by_line(raw: pl.LazyFrame, lines: Lines) -> pl.LazyFrame:
    """Leaves out blank lines, and counts `source_row` in lines of the file.

    Args:
        raw: As `scan_raw` returns it.
        lines: The lines of the file that are not each a row.
    """
    if lines.blank:
        raw = raw.filter(~pl.col(ROW).is_in(lines.blank))
    if lines.starts is None:
        return raw
    line = pl.lit(lines.starts).gather(pl.col(ROW) - 1, null_on_oob=True)
    return raw.with_columns(pl.coalesce(line, ROW).alias(ROW))


def is_csv(source: Dataset | DatasetRef) -> bool:
    """Tells by the suffix whether a raw table is a CSV file."""
    return source.uri.endswith(".csv")


def raw_size(source: Dataset | DatasetRef) -> int:
    """About how many bytes the rows of a raw table take in memory."""
    if is_csv(source):
        return 2 * size(source.uri)
    rows = pl.scan_parquet(source.uri, glob=False, **reader_options(source.uri)).select(pl.len())
    return 64 * int(rows.collect().item())


@contextmanager
def opening(source: Dataset | DatasetRef) -> Iterator[None]:
    """Where a raw table cannot be opened, says so.

    Raises:
        DataError: Names the file, and what is wrong with it.
    """
    if is_folder(source.uri):
        raise DataError(
            f"{source.game}: {source.uri} is a folder, not a file. Put the file in its place."
        )
    try:
        with reading(source):
            yield
    except OSError as error:
        raise _unreadable(source, error) from None


@contextmanager
def reading(source: Dataset | DatasetRef) -> Iterator[None]:
    """Where a raw table cannot be read to its end, says so.

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
