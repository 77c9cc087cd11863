"""The parents of raw rows: whether they are known, and the characters that they belong to."""

from collections.abc import Iterable, Iterator

import polars as pl

from churnlib.raw.batches import SortedReader, batches_of
from churnlib.raw.external_sort import ExternalSorter, Workspace
from churnlib.schemas.columns import CHAR_ID
from churnlib.schemas.spec import TableSpec

ORPHAN = "orphan"
_KNOWN = "_known"


def find_parents(
    batches: Iterable[pl.DataFrame],
    spec: TableSpec,
    parent: pl.LazyFrame | None,
    workspace: Workspace,
) -> Iterator[pl.DataFrame]:
    """Flags the rows whose parent is unknown, and adds the parent's `char_id` to the others.

    Args:
        batches: Rows with the column that refers to the parent; null refers to nothing.
        spec: The record of their table, which refers to a parent.
        parent: The checked table that is referred to. If None, no row is flagged.
        workspace: Memory and temporary storage.

    Yields:
        The rows, sorted by the column that refers to the parent, with `orphan` and `char_id`.
    """
    assert spec.parent is not None
    column = spec.parent.column
    schema = dict.fromkeys((column, CHAR_ID), spec.checked_types[CHAR_ID])
    keys = batches_of(parent.select(*schema)) if parent is not None else ()
    parents = SortedReader(_sort(keys, column, workspace.share(2)), column, schema)
    for frame in _sort(batches, column, workspace.share(2)):
        near = parents.read_on(frame[column]).unique(column)
        known = near.with_columns(pl.lit(True).alias(_KNOWN))
        found = frame.join(known, on=column, how="left", maintain_order="left")
        is_orphan = pl.col(_KNOWN).is_null() & pl.col(column).is_not_null() & (parent is not None)
        yield found.with_columns(is_orphan.alias(ORPHAN)).drop(_KNOWN)


def _sort(
    batches: Iterable[pl.DataFrame], column: str, workspace: Workspace
) -> Iterator[pl.DataFrame]:
    sorter = ExternalSorter((column,), workspace)
    for batch in batches:
        sorter.add(batch)
    return sorter.merge()


def read_parents(spec: TableSpec, parent: pl.LazyFrame) -> SortedReader:
    """Opens the columns of a parent table that references and data warnings need.

    Args:
        spec: The record of the table that refers to it.
        parent: The checked parent table.
    """
    on = [spec.parent.column] if spec.parent else []
    needed = [name for warning in spec.warnings for name in warning.parent_columns]
    columns = parent.select(*dict.fromkeys((CHAR_ID, *on, *needed)))
    return SortedReader(batches_of(columns), CHAR_ID, columns.collect_schema())


def join_parents(rows: pl.DataFrame, parents: pl.DataFrame, on: str) -> pl.DataFrame:
    """Adds the columns of their parents to rows; null where a parent is unknown.

    The order is not checked: with rows or parents in another, parents would be missed.

    Args:
        rows: Rows, sorted by `char_id`.
        parents: All their parents, and perhaps others, sorted by `char_id`, with different ids.
        on: The column by which rows refer to parents.
    """
    if on == CHAR_ID:  # Polars joins three times as fast if it knows.
        rows, parents = (each.with_columns(pl.col(on).set_sorted()) for each in (rows, parents))
    else:
        parents = parents.drop(CHAR_ID)
    return rows.join(parents, on=on, how="left", maintain_order="left")
