"""Opening raw tables: with their types by the fast reader, or unparsed by the careful one."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import polars as pl

from churnlib.errors import DataError, most_similar, reason
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.storage import is_file, is_folder, reader_options
from churnlib.raw.cells import cleaned, values_in
from churnlib.raw.csv_lines import Lines, header, line_not_utf8, profile
from churnlib.raw.file_format import check_format
from churnlib.raw.parse import ROW, parsed_value
from churnlib.raw.parts import Part, parts_of
from churnlib.schemas.spec import TableSpec

OTHER_SEPARATORS = (";", "\t", "|")
PART, PART_ROW = "source_part", "source_part_row"
"""The part of a table, and the row of that part, from 1."""


class UncleanError(Exception):
    """A raw table may have a fault, so the careful reader must be used."""


def scan_clean(source: Dataset | DatasetRef, spec: TableSpec) -> Iterator[pl.LazyFrame]:
    """Opens a raw table, assuming that every value is of its column's type.

    Args:
        source: The file, or a folder of parts.
        spec: The raw table's record.

    Yields:
        The columns of the table, part by part, with the values that `churnlib.raw.parse.typed`
        returns; reading raises a `PolarsError` if a value is of another type.

    Raises:
        DataError: A file cannot be read, or a column is missing or duplicated.
        UncleanError: The careful reader must be used.
    """
    with explain_open_errors(source):
        for part in parts_of(source):
            yield _clean_csv(part, spec) if part.is_csv else _clean_parquet(part, spec)


def _clean_csv(part: Part, spec: TableSpec) -> pl.LazyFrame:
    check_format(part.uri, _file(part), is_csv=True)
    csv = profile(part.uri)
    _check_columns(part, spec, csv.names)
    if not csv.is_plain:
        raise UncleanError
    types = spec.types
    as_read = {n: pl.String() if d == pl.Date else d for n, d in types.items()}
    schema = {name: as_read.get(name, pl.String()) for name in csv.names}
    options = reader_options(part.uri)
    nulls = values_in(spec.null_values) or None
    read = pl.scan_csv(part.uri, schema=schema, null_values=nulls, glob=False, **options)
    return read.select(
        _day(name, spec, is_strict=csv.has_signs)
        if dtype == pl.Date
        else cleaned(pl.col(name), dtype, spec, is_trimmed=not csv.has_signs)
        if dtype == pl.String
        else pl.col(name)
        for name, dtype in types.items()
    )


def _clean_parquet(part: Part, spec: TableSpec) -> pl.LazyFrame:
    frame = _open_parquet(part, spec)
    source_types = frame.collect_schema()
    return frame.select(
        _converted(name, source_types[name], dtype, spec)
        if name in source_types
        else _constant(part.values[name], name, spec)
        for name, dtype in spec.types.items()
    )


def _is_compatible(source: pl.DataType, target: pl.DataType) -> bool:
    """Whether values of a type can be cast to another, unless they are out of range."""
    if isinstance(source, pl.Datetime):
        return source.time_zone is None and target == pl.Date
    if source == pl.Null:
        return True
    is_whole = source.is_integer() and target.is_integer()
    return source == target or is_whole or (source.is_numeric() and target.is_float())


def _converted(name: str, source: pl.DataType, target: pl.DataType, spec: TableSpec) -> pl.Expr:
    """Casts the values of a Parquet file; one that cannot be cast raises when it is read."""
    if not _is_compatible(source, target):
        raise UncleanError
    value = cleaned(pl.col(name), source, spec)
    if isinstance(source, pl.Datetime):
        is_midnight = value == value.dt.truncate("1d")
        day = pl.when(is_midnight | value.is_null()).then(value.dt.epoch("d").cast(pl.Int64))
        value = day.otherwise(2**40).cast(pl.Int32)
    return value.cast(target).alias(name)


def _constant(text: str | None, name: str, spec: TableSpec) -> pl.Expr:
    """The value that the folder of a partition names."""
    cell, value = parsed_value(text, name, spec)
    if cell is not None and value is None:
        raise UncleanError
    return pl.lit(value, spec.types[name]).alias(name)


def _day(name: str, spec: TableSpec, *, is_strict: bool) -> pl.Expr:
    """A day such as 2024-12-31; other text raises when it is read."""
    text = pl.col(name)
    # Without the characters that parsers skip, no other text of ten bytes parses as a day.
    is_short = (text.str.len_bytes() == 10) & ~text.str.starts_with("-")
    is_day = text.str.contains(r"^\d{4}-\d{2}-\d{2}$") if is_strict else is_short
    text = pl.when(is_day | text.is_null()).then(text).otherwise(pl.lit("?"))
    known = text.replace(spec.no_date, None) if spec.no_date else text
    return known.str.to_date("%Y-%m-%d").alias(name)


def scan_raw(source: Dataset | DatasetRef, spec: TableSpec) -> list[pl.LazyFrame]:
    """Opens a raw table unparsed: text from a CSV file, the file's own types from Parquet.

    Args:
        source: The file, CSV or Parquet by its suffix, or a folder of Parquet parts; other columns
            are left out.
        spec: The raw table's record.

    Returns:
        `source_row` and the columns of the table, a frame for each part. `source_row` counts rows
        over all parts, from 2 in a CSV file; see `by_line`. The rows of a folder also have
        `source_part` and `source_part_row`, where messages find them.

    Raises:
        DataError: A file cannot be read, or a column is missing or duplicated.
    """
    with explain_open_errors(source):
        parts = parts_of(source)
        if not is_folder(source.uri):
            return [_raw_csv(parts[0], spec) if parts[0].is_csv else _raw_parquet(parts[0], spec)]
        frames, rows = [], 0
        for part in parts:
            frame = _raw_parquet(part, spec, rows)
            marks = {PART: pl.lit(part.name), PART_ROW: pl.col(ROW) - rows}
            frames.append(frame.with_columns(**marks))
            rows += frame.select(pl.len()).collect().item()
        return frames


def _raw_csv(part: Part, spec: TableSpec) -> pl.LazyFrame:
    check_format(part.uri, _file(part), is_csv=True)
    _check_columns(part, spec, header(part.uri))
    options = reader_options(part.uri)
    frame = pl.scan_csv(
        part.uri, infer_schema=False, truncate_ragged_lines=True, glob=False, **options
    )
    return frame.select(*spec.columns).with_row_index(ROW, offset=2)


def _raw_parquet(part: Part, spec: TableSpec, rows_before: int = 0) -> pl.LazyFrame:
    frame = _open_parquet(part, spec)
    known = frame.collect_schema().names()
    named = {
        name: pl.lit(part.values[name], pl.String()) for name in spec.columns if name not in known
    }
    columns = frame.with_columns(**named).select(*spec.columns)
    return columns.with_row_index(ROW, offset=1 + rows_before)


def _open_parquet(part: Part, spec: TableSpec) -> pl.LazyFrame:
    check_format(part.uri, _file(part), is_csv=False)
    with explain_read_errors(part):
        frame = pl.scan_parquet(
            part.uri, glob=False, hive_partitioning=False, **reader_options(part.uri)
        )
        names = frame.collect_schema().names()
    _check_columns(part, spec, [*names, *(name for name in part.values if name not in names)])
    return frame


def undeclared_columns(source: Dataset | DatasetRef, spec: TableSpec) -> list[str]:
    """The columns of a raw table that its record does not declare, of all parts.

    Raises:
        DataError: The file cannot be read.
    """
    with explain_open_errors(source):
        names = dict.fromkeys(name for part in parts_of(source) for name in _names(part))
    return [name for name in names if name not in spec.columns]


def _names(part: Part) -> list[str]:
    if part.is_csv:
        return header(part.uri)
    options = reader_options(part.uri)
    return [*pl.read_parquet_schema(part.uri, **options), *part.values]


def as_one(frames: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
    """Joins the parts of a raw table; columns whose types differ become text."""
    first, *others = frames
    if not others:
        return first
    types = first.collect_schema()
    differ = [
        name
        for name, dtype in types.items()
        if any(frame.collect_schema()[name] != dtype for frame in others)
    ]
    return pl.concat([frame.with_columns(pl.col(differ).cast(pl.String)) for frame in frames])


def _file(part: Part) -> str:
    return f"{part.game}: {part.name}"


def _check_columns(part: Part, spec: TableSpec, names: Sequence[str]) -> None:
    file = _file(part)
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


def is_csv(source: Dataset | DatasetRef | Part) -> bool:
    """Whether a raw table is a CSV file, by its suffix."""
    return source.uri.endswith(".csv")


@contextmanager
def explain_open_errors(source: Dataset | DatasetRef) -> Iterator[None]:
    """Explains why a raw table cannot be opened.

    Raises:
        DataError: Names the file, and what is wrong with it.
    """
    if is_csv(source) and is_folder(source.uri):
        raise DataError(
            f"{source.game}: {source.uri} is a folder, not a file. Put the file in its place."
        )
    try:
        with explain_read_errors(source):
            yield
    except OSError as error:
        raise _unreadable(source, error) from None


@contextmanager
def explain_read_errors(source: Dataset | DatasetRef | Part) -> Iterator[None]:
    """Explains why a raw table cannot be read.

    Raises:
        DataError: Names the file, and what is wrong with it.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, csv.Error) as error:
        raise _unreadable(source, error) from None


def _unreadable(source: Dataset | DatasetRef | Part, error: Exception) -> DataError:
    why = reason(error)
    is_text = is_csv(source) and is_file(source.uri)
    if is_text and (line := line_not_utf8(source.uri)):
        why = f"line {line} is not UTF-8 text. Save the file as UTF-8"
    return DataError(f"{source.game}: {source.uri} cannot be read: {why}.")
