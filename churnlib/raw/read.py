"""The careful reader of raw tables: it reads every value unparsed, with the place of its row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.storage import reader_options
from churnlib.raw.csv_lines import Lines, count_lines, find_unusual_lines, header
from churnlib.raw.file_format import check_format
from churnlib.raw.opening import (
    Columns,
    check_columns,
    explain_open_errors,
    in_our_names,
    open_parquet,
)
from churnlib.raw.parse import ROW
from churnlib.raw.parts import Part, has_parts, parts_of
from churnlib.raw.plain_text import as_plain_text
from churnlib.raw.stray_quotes import stray_quotes_message
from churnlib.schemas.spec import TableSpec

PART, PART_ROW = "source_part", "source_part_row"
"""The part of a table, and the line or row of that part, from 1."""


@dataclass(frozen=True)
class Ragged:
    """The lines of CSV files that have more or fewer fields than the header.

    Attributes:
        fields: The number of their fields, by `source_row`.
        has_longer: Whether any has more.
    """

    fields: Mapping[int, int] = field(default_factory=dict)
    has_longer: bool = False

    def __add__(self, other: "Ragged") -> "Ragged":
        """Adds the lines of another part."""
        return Ragged({**self.fields, **other.fields}, self.has_longer or other.has_longer)


@dataclass(frozen=True)
class RawRows:
    """The rows of a raw table, unparsed.

    Attributes:
        parts: `source_row` and the columns of the table, a frame for each part. `source_row` is the
            line of a CSV file where a row starts, or the row of a Parquet file, counted over all
            parts. The rows of a table that may have several also have `source_part` and
            `source_part_row`, where messages find them.
        ragged: The lines of which no value can be read.
    """

    parts: Sequence[pl.LazyFrame]
    ragged: Ragged


def scan_raw(source: Dataset | DatasetRef, spec: TableSpec, folder: Path) -> RawRows:
    """Opens a raw table unparsed: text from CSV files, the files' own types from Parquet.

    Args:
        source: The file, CSV or Parquet by its suffix, a folder of parts, or a pattern; other
            columns are left out.
        spec: The raw table's record.
        folder: Where plain text of other files is kept; it must last as long as the frames.

    Raises:
        DataError: A file cannot be read, a column is missing or duplicated, or quotes join lines.
    """
    with explain_open_errors(source):
        parts = (as_plain_text(part, spec.reading, folder) for part in parts_of(source))
        if not has_parts(source):
            frame, ragged = _scan(next(parts), spec)
            return RawRows([frame], ragged)
        frames, all_ragged, before = [], Ragged(), 0
        for part in parts:
            frame, ragged = _scan(part, spec, before)
            marks = {PART: pl.lit(part.name), PART_ROW: pl.col(ROW) - before}
            frames.append(frame.with_columns(**marks))
            all_ragged += ragged
            is_csv = part.is_csv
            before += count_lines(part.file) if is_csv else frame.select(pl.len()).collect().item()
        return RawRows(frames, all_ragged)


def _scan(part: Part, spec: TableSpec, before: int = 0) -> tuple[pl.LazyFrame, Ragged]:
    """Opens a part after a number of rows or lines; also returns its ragged lines."""
    if not part.is_csv:
        return _raw_parquet(part, spec, before), Ragged()
    frame = _raw_csv(part, spec)
    lines = find_unusual_lines(part.file, spec.reading.separator)
    if lines.strays:
        strays = [each._replace(column=_name(each.column, spec)) for each in lines.strays]
        raise DataError(stray_quotes_message(part.label, strays))
    ragged = {line + before: fields for line, fields in lines.ragged.items()}
    is_longer = any(fields > lines.width for fields in ragged.values())
    return by_line(frame, lines).with_columns(pl.col(ROW) + before), Ragged(ragged, is_longer)


def _name(in_file: str, spec: TableSpec) -> str:
    """The name of a column in a file, and that in the table if it is another."""
    (ours,) = spec.reading.names([in_file])
    return in_file if ours == in_file else f"{in_file} ({ours})"


def _raw_csv(part: Part, spec: TableSpec) -> pl.LazyFrame:
    check_format(part.file, part.label, is_csv=True, table=spec.name)
    columns = check_columns(part, spec, header(part.file, spec.reading.separator))
    frame = pl.scan_csv(
        part.file,
        infer_schema=False,
        truncate_ragged_lines=True,
        glob=False,
        separator=spec.reading.separator,
        **reader_options(part.file),
    )
    return _with_folders(in_our_names(frame, columns), columns, spec).with_row_index(ROW, offset=2)


def _raw_parquet(part: Part, spec: TableSpec, rows_before: int = 0) -> pl.LazyFrame:
    frame, columns = open_parquet(part, spec)
    return _with_folders(frame, columns, spec).with_row_index(ROW, offset=1 + rows_before)


def _with_folders(frame: pl.LazyFrame, columns: Columns, spec: TableSpec) -> pl.LazyFrame:
    """The columns of the table, with those that the names of the folders have."""
    named = {name: pl.lit(text, pl.String()) for name, text in columns.in_folders.items()}
    return frame.with_columns(**named).select(*spec.columns)


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
