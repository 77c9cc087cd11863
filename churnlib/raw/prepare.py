"""Raw tables to checked ones: validated, typed, and sorted by character, in bounded memory."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import polars as pl
from dataframely.exc import SchemaError

from churnlib.io.datasets import Dataset, DatasetRef, ref
from churnlib.io.storage import replacing
from churnlib.io.table_writer import TableWriter, whole_characters
from churnlib.raw.batches import batches_of
from churnlib.raw.copies import Copies
from churnlib.raw.external_sort import ExternalSorter, Workspace, WrittenRun
from churnlib.raw.parents import ORPHAN, find_parents
from churnlib.raw.parts import is_csv
from churnlib.raw.quality_warnings import DayCounts
from churnlib.raw.read_clean import UncleanError, scan_clean
from churnlib.raw.row_order import is_ascending, split_late
from churnlib.raw.validate import valid_rows
from churnlib.raw.validator import Validator
from churnlib.schemas.columns import CHAR_ID
from churnlib.schemas.spec import TableSpec


class Prepared(NamedTuple):
    """A checked table.

    Attributes:
        table: The table.
        copies: The exact copies of rows that were left out.
    """

    table: DatasetRef
    copies: Copies


class _CleanTable:
    """Checks what the rows of a table must fulfil together: no key twice, except in exact copies.

    Attributes:
        copies: The copies that were left out.
    """

    def __init__(self, spec: TableSpec) -> None:
        self._spec, self.copies = spec, Copies(spec)
        self._repeated: int | None = None

    def count_repeated(self, keys: Iterable[pl.DataFrame]) -> None:
        """Counts how often keys repeat those before, given all in order."""
        self._repeated = sum(
            len(part) - part.n_unique()
            for part in keys
            if not is_ascending(part, self._spec.key, strictly=True)
        )

    def check(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns rows in the order of the table without copies; raises if a key is left twice."""
        if is_ascending(rows, self._spec.order, strictly=True):
            return rows
        distinct = self.copies.leave_out(rows, self._spec.order)
        if not is_ascending(distinct, self._spec.order, strictly=True):
            raise UncleanError
        return distinct

    def finish(self) -> None:
        """Raises if a key was repeated by rows that are no copies, so elsewhere in the order."""
        if self._repeated not in (None, self.copies.total):
            raise UncleanError


def prepare_clean(
    source: Dataset | DatasetRef,
    spec: TableSpec,
    parent: pl.LazyFrame | None,
    output: Dataset,
    workspace: Workspace,
) -> Prepared:
    """Writes the checked table of a raw table without faults, by the fast reader.

    Rows that arrive in order are streamed; late ones are set aside, and merged at the end.

    Args:
        source: The file.
        spec: The raw table's record.
        parent: The checked table that it refers to. If None, references are not checked.
        output: Where the checked table is written.
        workspace: Memory and temporary storage.

    Raises:
        DataError: A column is missing, or the file cannot be read.
        UncleanError: A row may break a rule, so `prepare_valid` must take over.
    """
    whole = _CleanTable(spec)
    batches = _clean_batches(source, spec, whole, workspace.share(4))
    if CHAR_ID not in spec.columns and spec.required_parent:
        batches = _without_orphans(find_parents(batches, spec, parent, workspace.share(2)))
    try:
        table = _write_sorted(batches, spec, parent, output, workspace, whole)
        return Prepared(table, whole.copies)
    # A value has another type, a line is too long, or a day is beyond what Polars can write.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, SchemaError):
        raise UncleanError from None


def _clean_batches(
    source: Dataset | DatasetRef, spec: TableSpec, whole: _CleanTable, workspace: Workspace
) -> Iterator[pl.DataFrame]:
    """Reads the rows of a table, and checks those rules that do not depend on other tables."""
    keys = None if spec.is_key_ordered else ExternalSorter(spec.key, workspace)
    schema = spec.line_schema if is_csv(source) else spec.row_schema
    parts = scan_clean(source, spec, workspace.folder)
    # Lazily, so that rows are judged by the threads that parse them.
    valid = (schema.validate(part) for part in parts)
    for rows in chain.from_iterable(map(batches_of, valid)):
        if keys:
            keys.add(rows.select(spec.key))
        yield rows
    if keys:
        whole.count_repeated(keys.merge())


def _without_orphans(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yields rows that all have a parent; raises an error at the first that has none."""
    for rows in batches:
        if rows[ORPHAN].any():
            raise UncleanError
        yield rows


def prepare_valid(
    source: Dataset | DatasetRef,
    validator: Validator,
    parent: pl.LazyFrame | None,
    output: Dataset,
    workspace: Workspace,
) -> Prepared:
    """Writes the checked table of a raw table, by the careful reader, without its faulty rows.

    Args:
        source: The file.
        validator: Separates the rows that break a rule, and counts them.
        parent: See `prepare_clean`.
        output: Where the checked table is written.
        workspace: Memory and temporary storage.

    Raises:
        DataError: See `churnlib.raw.validate.check_table`.
    """
    rows = valid_rows(source, validator, parent, workspace.share(2))
    table = _write_sorted(rows, validator.spec, parent, output, workspace.share(2))
    return Prepared(table, validator.copies)


def _write_sorted(
    batches: Iterable[pl.DataFrame],
    spec: TableSpec,
    parent: pl.LazyFrame | None,
    output: Dataset,
    workspace: Workspace,
    whole: _CleanTable | None = None,
) -> DatasetRef:
    """Writes rows in the order of their table, with counts by day in the footer."""
    late = ExternalSorter(spec.order, workspace)

    def write(frames: Iterable[pl.DataFrame], path: Path, *, is_complete: bool) -> TableWriter:
        counts = DayCounts(spec, parent)
        with TableWriter(path, spec.checked_types) as table:
            for rows in frames:
                if is_complete or late.is_empty:
                    rows = whole.check(rows) if whole else rows
                    counts.add(rows)
                    if whole and counts.orphans:
                        raise UncleanError
                table.add(rows)
            table.finish(counts.footer())
        return table

    with replacing(output.uri) as path:
        in_order = whole_characters(_in_order(batches, spec, late))
        table = write(in_order, path, is_complete=False)
        if not late.is_empty:
            merged = path.with_name(f"{path.name}.merged")  # In the same temporary folder.
            written = WrittenRun(table, spec.checked_types[CHAR_ID])
            table = write(late.merge(written), merged, is_complete=True)
            merged.replace(path)
        if whole:
            whole.finish()
    return ref(output, table.rows)


def _in_order(
    batches: Iterable[pl.DataFrame], spec: TableSpec, late: ExternalSorter
) -> Iterator[pl.DataFrame]:
    """Yields the rows that are not below any row before them, and sets the others aside."""
    last: pl.DataFrame | None = None
    for batch in batches:
        rows = batch.select(*spec.checked_types)
        if rows.is_empty():
            continue
        in_order, others = split_late(rows, spec.order, last)
        if others is not None:
            late.add(others)
        if not in_order.is_empty():
            last = in_order.select(spec.order).tail(1)
            yield in_order
