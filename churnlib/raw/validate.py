"""Validation of the raw tables: faulty rows stop the run, or are quarantined."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain
from pathlib import Path

import polars as pl

from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.temporary import scratch_folder
from churnlib.raw.batches import batches_of
from churnlib.raw.external_sort import ExternalSorter, Workspace
from churnlib.raw.opening import explain_read_errors
from churnlib.raw.parents import find_parents
from churnlib.raw.parse import ROW, typed
from churnlib.raw.read import as_one, scan_raw
from churnlib.raw.row_order import sort_rows
from churnlib.raw.validator import Validator
from churnlib.schemas.raw_tables import raw_tables
from churnlib.schemas.spec import TableSpec
from churnlib.settings import Settings
from churnlib.settings.tables import DeclaredTables


@dataclass(frozen=True)
class CheckedTable:
    """A raw table after its checks.

    Attributes:
        rows: The rows that break no rule, typed; see `valid_rows`.
        rejected: The rows that break a rule, as in the file, with the reader's columns and the
            rules that they break.
        copies: The number of exact copies of rows, which are left out.
    """

    rows: pl.DataFrame
    rejected: pl.DataFrame
    copies: int


def check_table(
    source: Dataset | DatasetRef,
    table: str,
    settings: Settings | DeclaredTables,
    *,
    parent: pl.LazyFrame | None = None,
    as_of: date | None = None,
) -> CheckedTable:
    """Reads a whole raw table into memory, and checks every row against the rules of its schema.

    Args:
        source: The file.
        table: The raw table's name.
        settings: The settings of the game: its tables, and what to do with rows that break a rule.
        parent: The checked table that it refers to: characters for subscriptions, subscriptions
            for misses. If None, references are not checked.
        as_of: Check only rows known on this day. A later row is kept if it breaks no rule, else
            left out silently; it never makes an earlier row faulty. If None, all rows are checked.

    Raises:
        DataError: A column is missing, the file cannot be read, or rows break rules and may not be
            quarantined; names file, columns, rules, and the number and first of the rows.
    """
    validator = Validator(raw_tables(settings)[table], settings.raw, as_of)
    spec = validator.spec
    none = pl.DataFrame(schema=spec.checked_types)
    with scratch_folder() as folder:
        good = valid_rows(source, validator, parent, Workspace(sys.maxsize, folder))
        rows = sort_rows(pl.concat([none, *good]), spec.order)
        rejected = validator.rejected(raw_rows(source, spec, folder))
    return CheckedTable(rows, rejected, validator.copies.total)


def valid_rows(
    source: Dataset | DatasetRef,
    validator: Validator,
    parent: pl.LazyFrame | None,
    workspace: Workspace,
) -> Iterator[pl.DataFrame]:
    """Reads a raw table by the careful reader, and checks every row.

    Args:
        source: The file.
        validator: Separates the rows that break a rule, and counts them.
        parent: See `check_table`.
        workspace: Memory and temporary storage.

    Yields:
        The rows that break no rule, with the columns of the checked table, sorted by their key.

    Raises:
        DataError: See `check_table`; raised after the last row if rows break rules.
    """
    spec, part = validator.spec, workspace.share(2)
    with explain_read_errors(source):
        raw = scan_raw(source, spec, workspace.folder)
        validator.note_ragged(raw.ragged)
        parts = (part.select(ROW, *spec.columns) for part in raw.parts)
        typed_parts = (typed(part, spec, raw.ragged.fields) for part in parts)
        batches: Iterator[pl.DataFrame] = chain.from_iterable(map(batches_of, typed_parts))
        if spec.required_parent:
            batches = find_parents(batches, spec, parent, part)
        by_key = ExternalSorter(spec.identity, part)  # The rows of a key are judged together.
        for rows in batches:
            by_key.add(rows)
        yield from map(validator.good_rows, by_key.merge())
    validator.refuse(source, as_one(raw.parts), parent)


def count_days(source: Dataset | DatasetRef, spec: TableSpec, folder: Path) -> dict[date, int]:
    """Counts the rows of a raw table by the day they became known, whether or not they are valid.

    Rows without a readable date do not count.

    Args:
        source: The file.
        spec: The raw table's record.
        folder: A folder for temporary files.

    Raises:
        DataError: A column is missing, or the file cannot be read.
    """
    counts = Counter[date]()
    with explain_read_errors(source):
        for rows in batches_of(typed(raw_rows(source, spec, folder), spec, {})):
            known = rows.select(spec.known_on.alias("day"))["day"].drop_nulls()
            counts.update(dict(known.value_counts().iter_rows()))
    return dict(counts)


def raw_rows(source: Dataset | DatasetRef, spec: TableSpec, folder: Path) -> pl.LazyFrame:
    """The rows of a raw table as in the file, with the `source_row` that messages name.

    Args:
        source: The file.
        spec: The raw table's record.
        folder: A folder for temporary files, which must last as long as the rows are read.

    Raises:
        DataError: A column is missing, or the file cannot be read.
    """
    with explain_read_errors(source):
        return as_one(scan_raw(source, spec, folder).parts)
