"""Validation of the raw tables: faulty rows stop the run, or are quarantined."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial

import dataframely as dy
import polars as pl

from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.raw.by_character import Workspace, by_character, is_ascending
from churnlib.raw.csv_lines import Lines, find_ragged_lines
from churnlib.raw.parse import Referenced, typed
from churnlib.raw.read import (
    UncleanError,
    by_line,
    explain_read_errors,
    is_csv,
    scan_clean,
    scan_raw,
)
from churnlib.raw.validator import Validator
from churnlib.schemas.raw_tables import raw_tables
from churnlib.schemas.spec import TableSpec
from churnlib.settings import RawSettings


@dataclass(frozen=True)
class CheckedTable:
    """A raw table after its checks.

    Attributes:
        rows: The rows that break no rule, typed; see `valid_rows`.
        rejected: The rows that break a rule, as in the file, with the reader's columns and the
            rules that they break.
    """

    rows: pl.DataFrame
    rejected: pl.DataFrame


def check_table(
    source: Dataset | DatasetRef,
    table: str,
    settings: RawSettings,
    *,
    parent: pl.LazyFrame | None = None,
    as_of: date | None = None,
) -> CheckedTable:
    """Reads a whole raw table into memory, and checks every row against the rules of its schema.

    Args:
        source: The file.
        table: The raw table's name.
        settings: What to do with rows that break a rule, and which categories are closed.
        parent: The checked table that it refers to: characters for subscriptions, subscriptions
            for misses. If None, references are not checked.
        as_of: Check only rows known on this day. A later row is kept if it breaks no rule, else
            left out silently; it never makes an earlier row faulty. If None, all rows are checked.

    Raises:
        DataError: A column is missing, the file cannot be read, or rows break rules and may not be
            quarantined; names file, columns, rules, and the number and first of the rows.
    """
    validator = Validator(raw_tables(settings)[table], settings, as_of)
    rows = pl.concat(valid_rows(source, validator, parent, Workspace()))
    return CheckedTable(rows, validator.rejected(raw_rows(source, validator.spec)))


def clean_rows(
    source: Dataset | DatasetRef,
    spec: TableSpec,
    parent: pl.LazyFrame | None,
    workspace: Workspace,
) -> Iterator[pl.DataFrame]:
    """Reads a raw table without faults by the fast reader, bucket by bucket.

    Args:
        source: The file.
        spec: The raw table's record.
        parent: See `check_table`.
        workspace: Temporary storage.

    Yields:
        The rows of each bucket, as `valid_rows` does.

    Raises:
        DataError: A column is missing, or the file cannot be read.
        UncleanError: A row may break a rule, so `valid_rows` must take over.
    """
    schema: type[dy.Schema] = spec.row_schema
    if spec.required_parent:
        schema = type(spec.name, (spec.row_schema, Referenced), {})
    check = partial(_all_clean, schema=schema, key=spec.key)
    try:
        yield from by_character(scan_clean(source, spec), spec, parent, workspace, check)
    except pl.exceptions.PolarsError:  # A value has another type, or a line is too long.
        raise UncleanError from None


def _all_clean(rows: pl.DataFrame, schema: type[dy.Schema], key: tuple[str, ...]) -> pl.DataFrame:
    is_unique = is_ascending(rows, key) or rows.select(key).is_unique().all()
    if not (is_unique and schema.is_valid(rows)):
        raise UncleanError
    return rows


def valid_rows(
    source: Dataset | DatasetRef,
    validator: Validator,
    parent: pl.LazyFrame | None,
    workspace: Workspace,
) -> Iterator[pl.DataFrame]:
    """Reads a raw table by the careful reader, bucket by bucket, and checks every row.

    Args:
        source: The file.
        validator: Separates the rows that break a rule, and counts them.
        parent: See `check_table`.
        workspace: Temporary storage.

    Yields:
        The rows of each bucket that break no rule, with the columns of the checked table: sorted
        by character in the order of `churnlib.io.buckets`, then by the table's own order.

    Raises:
        DataError: See `check_table`; raised after the last bucket if rows break rules.
    """
    spec = validator.spec
    with explain_read_errors(source):
        raw, ragged = _by_line(source, spec)
        validator.note_ragged(ragged)
        rows = typed(raw, spec, ragged)
        yield from by_character(rows, spec, parent, workspace, validator.good_rows)
    validator.refuse(source, raw)


def raw_rows(source: Dataset | DatasetRef, spec: TableSpec) -> pl.LazyFrame:
    """The rows of a raw table as in the file, with the `source_row` that messages name.

    Raises:
        DataError: A column is missing, or the file cannot be read.
    """
    with explain_read_errors(source):
        return _by_line(source, spec)[0]


def _by_line(
    source: Dataset | DatasetRef, spec: TableSpec
) -> tuple[pl.LazyFrame, Mapping[int, int]]:
    raw = scan_raw(source, spec)
    lines = find_ragged_lines(source.uri) if is_csv(source) else Lines()
    return by_line(raw, lines), lines.ragged
