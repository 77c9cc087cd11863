"""Raw tables to checked ones: validated, typed, and sorted by character, in bounded memory."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import polars as pl

from churnlib.io.datasets import Dataset, DatasetRef, ref
from churnlib.io.storage import replacing
from churnlib.io.table_writer import TableWriter, whole_characters
from churnlib.raw.batches import batches_of
from churnlib.raw.external_sort import ExternalSorter, Workspace, WrittenRun
from churnlib.raw.parents import ORPHAN, find_parents
from churnlib.raw.quality_warnings import DayCounts
from churnlib.raw.read import UncleanError, scan_clean
from churnlib.raw.row_order import is_ascending, split_late
from churnlib.raw.validate import valid_rows
from churnlib.raw.validator import Validator
from churnlib.schemas.columns import CHAR_ID
from churnlib.schemas.spec import TableSpec

Check = Callable[[pl.DataFrame, int], None]
"""Checks rows of a sorted table, given how many so far have an unknown parent."""


def prepare_clean(
    source: Dataset | DatasetRef,
    spec: TableSpec,
    parent: pl.LazyFrame | None,
    output: Dataset,
    workspace: Workspace,
) -> DatasetRef:
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
    batches = _clean_batches(source, spec, workspace.share(4))
    if CHAR_ID not in spec.columns and spec.required_parent:
        batches = _without_orphans(find_parents(batches, spec, parent, workspace.share(2)))

    def check(rows: pl.DataFrame, orphans: int) -> None:
        if orphans or not is_ascending(rows, spec.order, strictly=True):
            raise UncleanError

    try:
        return _write_sorted(batches, spec, parent, output, workspace, check)
    except pl.exceptions.PolarsError:  # A value has another type, or a line is too long.
        raise UncleanError from None


def _clean_batches(
    source: Dataset | DatasetRef, spec: TableSpec, workspace: Workspace
) -> Iterator[pl.DataFrame]:
    """Reads the rows of a table, and checks those rules that do not depend on other tables."""
    keys = None if spec.is_key_ordered else ExternalSorter(spec.key, workspace)
    for rows in chain.from_iterable(map(batches_of, scan_clean(source, spec))):
        if not spec.row_schema.is_valid(rows):
            raise UncleanError
        if keys:
            keys.add(rows.select(spec.key))
        yield rows
    for sorted_keys in keys.merge() if keys else ():
        if not is_ascending(sorted_keys, spec.key, strictly=True):
            raise UncleanError


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
) -> DatasetRef:
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
    return _write_sorted(rows, validator.spec, parent, output, workspace.share(2))


def _write_sorted(
    batches: Iterable[pl.DataFrame],
    spec: TableSpec,
    parent: pl.LazyFrame | None,
    output: Dataset,
    workspace: Workspace,
    check: Check | None = None,
) -> DatasetRef:
    """Writes rows in the order of their table, with counts by day in the footer."""
    late = ExternalSorter(spec.order, workspace)

    def write(frames: Iterable[pl.DataFrame], path: Path, *, is_complete: bool) -> TableWriter:
        counts = DayCounts(spec, parent)
        with TableWriter(path, spec.checked_types) as table:
            for rows in frames:
                if is_complete or late.is_empty:
                    counts.add(rows)
                    if check:
                        check(rows, counts.orphans)
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
