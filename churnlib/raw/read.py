"""The careful reader of raw tables: it reads every value unparsed, with the place of its row."""

from collections.abc import Sequence

import polars as pl

from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.storage import is_folder, reader_options
from churnlib.raw.csv_lines import Lines, header
from churnlib.raw.file_format import check_format
from churnlib.raw.opening import check_columns, explain_open_errors, label, open_parquet
from churnlib.raw.parse import ROW
from churnlib.raw.parts import Part, parts_of
from churnlib.schemas.spec import TableSpec

PART, PART_ROW = "source_part", "source_part_row"
"""The part of a table, and the row of that part, from 1."""


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
    check_format(part.uri, label(part), is_csv=True)
    check_columns(part, spec, header(part.uri))
    options = reader_options(part.uri)
    frame = pl.scan_csv(
        part.uri, infer_schema=False, truncate_ragged_lines=True, glob=False, **options
    )
    return frame.select(*spec.columns).with_row_index(ROW, offset=2)


def _raw_parquet(part: Part, spec: TableSpec, rows_before: int = 0) -> pl.LazyFrame:
    frame = open_parquet(part, spec)
    known = frame.collect_schema().names()
    named = {
        name: pl.lit(part.values[name], pl.String()) for name in spec.columns if name not in known
    }
    columns = frame.with_columns(**named).select(*spec.columns)
    return columns.with_row_index(ROW, offset=1 + rows_before)


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
