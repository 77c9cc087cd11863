"""Opening the files of raw tables: their columns, and why one cannot be read."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import polars as pl

from churnlib.errors import DataError, most_similar, reason
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.storage import is_file, is_folder, reader_options
from churnlib.raw.csv_lines import line_not_utf8
from churnlib.raw.file_format import check_format
from churnlib.raw.parts import Part, has_parts, parts_of
from churnlib.raw.plain_text import csv_names
from churnlib.schemas.reading import Reading
from churnlib.schemas.spec import TableSpec
from churnlib.shown import one_line

OTHER_SEPARATORS = (",", ";", "\t", "|")


class Columns(NamedTuple):
    """Where the columns of a table are, for one of its files.

    Attributes:
        in_file: The columns of the file by name, with the names that they have there.
        in_folders: The columns that the names of its folders have, with their text.
    """

    in_file: Mapping[str, str]
    in_folders: Mapping[str, str | None]


def open_parquet(part: Part, spec: TableSpec) -> tuple[pl.LazyFrame, Columns]:
    """Opens the columns of a table in a Parquet file.

    Raises:
        DataError: It cannot be read, or a column is missing.
    """
    check_format(part.uri, part.label, is_csv=False, table=spec.name)
    with explain_read_errors(part):
        frame = pl.scan_parquet(
            part.uri, glob=False, hive_partitioning=False, **reader_options(part.uri)
        )
        names = frame.collect_schema().names()
    columns = check_columns(part, spec, names)
    return in_our_names(frame, columns), columns


def in_our_names(frame: pl.LazyFrame, columns: Columns) -> pl.LazyFrame:
    """The columns of a table in a file, under the names that the table has for them."""
    return frame.select(pl.col(theirs).alias(ours) for ours, theirs in columns.in_file.items())


def check_columns(part: Part, spec: TableSpec, in_file: Sequence[str]) -> Columns:
    """Checks that a file has each column of its table, once.

    Args:
        part: The file.
        spec: The raw table's record.
        in_file: The names of its columns.

    Returns:
        Where the columns are.

    Raises:
        DataError: A column is missing or duplicated, or is not there to be renamed.
    """
    theirs = [*in_file, *(name for name in part.values if name not in in_file)]
    ours = spec.reading.names(theirs)
    if twice := [name for name in spec.columns if ours.count(name) > 1]:
        raise DataError(f"{part.label} has {_twice(twice[0], theirs, spec)}")
    found = dict(zip(ours, theirs, strict=True))
    if missing := [name for name in spec.columns if name not in found]:
        shown = [_both_names(name, spec) for name in missing]
        raise DataError(
            f"{part.label} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(shown)}. "
            f"{_hint(missing, theirs, spec)}".rstrip()
        )
    columns = {name: found[name] for name in spec.columns}
    return Columns(
        {ours: name for ours, name in columns.items() if name in in_file},
        {ours: part.values[name] for ours, name in columns.items() if name not in in_file},
    )


def _both_names(name: str, spec: TableSpec) -> str:
    """The name of a column in the file, and that in the table if it is another."""
    theirs = spec.reading.in_file(name)
    return name if theirs == name else f"{one_line(theirs)} ({name} by tables.{spec.name}.rename)"


def _twice(name: str, theirs: Sequence[str], spec: TableSpec) -> str:
    named = [each for each in theirs if spec.reading.rename.get(each, each) == name]
    if len({*named}) == 1:
        return f"the column {_both_names(named[0], spec)} twice. Remove or rename one of them."
    first, second = named[:2]
    return (
        f"two columns that become {name}: {one_line(first)} and {one_line(second)}. Remove one, or "
        f"change tables.{spec.name}.rename."
    )


def _hint(missing: Sequence[str], names: Sequence[str], spec: TableSpec) -> str:
    """A possible reason why columns are missing."""
    wanted = {spec.reading.in_file(name) for name in missing}
    for mark in OTHER_SEPARATORS:
        if any(mark in name and set(name.split(mark)) >= wanted for name in names):
            shown = json.dumps(mark)
            return (
                f"The separator seems to be {mark!r}. Set tables.{spec.name}.separator = {shown}."
            )
    known = {spec.reading.in_file(name) for name in spec.columns}
    others = [name for name in names if name not in known]
    similar = most_similar(spec.reading.in_file(missing[0]), others)
    if similar is None:
        return f"Columns that are not expected: {', '.join(map(one_line, others))}." * bool(others)
    return (
        f"If its column '{one_line(similar)}' is meant, set tables.{spec.name}.rename = "
        f'{{ {json.dumps(similar, ensure_ascii=False)} = "{missing[0]}" }}.'
    )


def undeclared_columns(source: Dataset | DatasetRef, spec: TableSpec) -> list[str]:
    """The columns of a raw table that its record does not declare, of all parts.

    Args:
        source: The file, a folder of parts, or a pattern.
        spec: The raw table's record.

    Raises:
        DataError: The file cannot be read.
    """
    with explain_open_errors(source):
        names = dict.fromkeys(
            name for part in parts_of(source) for name in _names(part, spec.reading)
        )
    known = {spec.reading.in_file(name) for name in spec.columns}
    return [one_line(name) for name in names if name not in (*known, *spec.unused)]


def _names(part: Part, reading: Reading) -> list[str]:
    if part.is_csv:
        return [*csv_names(part, reading), *part.values]
    options = reader_options(part.uri)
    return [*pl.read_parquet_schema(part.uri, **options), *part.values]


@contextmanager
def explain_open_errors(source: Dataset | DatasetRef) -> Iterator[None]:
    """Explains why a raw table cannot be opened.

    Raises:
        DataError: Names the file, and what is wrong with it.
    """
    if not has_parts(source) and is_folder(source.uri):
        raise DataError(
            f"{source.game}: {source.uri} is a folder, not a file. Put the file in its place."
        )
    try:
        with explain_read_errors(source):
            yield
    except OSError as error:
        raise _unreadable(source.game, source.uri, error) from None


@contextmanager
def explain_read_errors(source: Dataset | DatasetRef | Part) -> Iterator[None]:
    """Explains why a raw table cannot be read.

    Raises:
        DataError: Names the file, and what is wrong with it.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, csv.Error) as error:
        for part in [source] if isinstance(source, Part) else parts_of(source):
            if part.is_csv and not part.compression and (line := _line_not_utf8(part.file)):
                raise _not_utf8(part, line) from None
        raise _unreadable(source.game, source.uri, error) from None


def _line_not_utf8(uri: str) -> int | None:
    return line_not_utf8(uri) if is_file(uri) else None


def _not_utf8(part: Part, line: int) -> DataError:
    return DataError(
        f"{part.game}: {part.uri} cannot be read: line {line} is not UTF-8 text. Save the file as "
        f'UTF-8, or set tables.{part.table}.encoding to what it is, such as "latin-1".'
    )


def _unreadable(game: str, uri: str, error: BaseException) -> DataError:
    return DataError(f"{game}: {uri} cannot be read: {reason(error)}.")
