"""Opening the files of raw tables: their columns, and why one cannot be read."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import polars as pl

from churnlib.errors import DataError, most_similar, reason
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.storage import is_file, is_folder, reader_options
from churnlib.raw.csv_lines import header, line_not_utf8
from churnlib.raw.file_format import check_format
from churnlib.raw.parts import Part, parts_of
from churnlib.schemas.spec import TableSpec
from churnlib.shown import one_line

OTHER_SEPARATORS = (";", "\t", "|")


def open_parquet(part: Part, spec: TableSpec) -> pl.LazyFrame:
    """Opens a Parquet file with all its columns.

    Raises:
        DataError: It cannot be read, or a column is missing.
    """
    check_format(part.uri, label(part), is_csv=False)
    with explain_read_errors(part):
        frame = pl.scan_parquet(
            part.uri, glob=False, hive_partitioning=False, **reader_options(part.uri)
        )
        names = frame.collect_schema().names()
    check_columns(part, spec, [*names, *(name for name in part.values if name not in names)])
    return frame


def label(part: Part) -> str:
    """The game and the file, for messages."""
    return f"{part.game}: {part.name}"


def check_columns(part: Part, spec: TableSpec, names: Sequence[str]) -> None:
    """Checks that a file has each column of its table, once.

    Args:
        part: The file.
        spec: The raw table's record.
        names: The names of its columns, also those that its folders name.

    Raises:
        DataError: A column is missing or duplicated.
    """
    file = label(part)
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
    others = [one_line(name) for name in names if name not in spec.columns]
    similar = most_similar(missing[0], others)
    return f"Rename its column '{similar}' if that is meant." if similar else _other_columns(others)


def _other_columns(names: Sequence[str]) -> str:
    return f"Columns that are not expected: {', '.join(names)}." if names else ""


def undeclared_columns(source: Dataset | DatasetRef, spec: TableSpec) -> list[str]:
    """The columns of a raw table that its record does not declare, of all parts.

    Raises:
        DataError: The file cannot be read.
    """
    with explain_open_errors(source):
        names = dict.fromkeys(name for part in parts_of(source) for name in _names(part))
    return [one_line(name) for name in names if name not in (*spec.columns, *spec.unused)]


def _names(part: Part) -> list[str]:
    if part.is_csv:
        return header(part.uri)
    options = reader_options(part.uri)
    return [*pl.read_parquet_schema(part.uri, **options), *part.values]


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
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, csv.Error) as error:
        raise _unreadable(source, error) from None


def _unreadable(source: Dataset | DatasetRef | Part, error: BaseException) -> DataError:
    why = reason(error)
    is_text = is_csv(source) and is_file(source.uri)
    if is_text and (line := line_not_utf8(source.uri)):
        why = f"line {line} is not UTF-8 text. Save the file as UTF-8"
    return DataError(f"{source.game}: {source.uri} cannot be read: {why}.")
