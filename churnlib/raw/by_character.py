"""Raw rows in the order of characters, in buckets if they do not fit in memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from churnlib.io.buckets import in_order, lazily, spill
from churnlib.schemas.columns import CHAR_ID
from churnlib.schemas.spec import Parent, TableSpec

Check = Callable[[pl.DataFrame], pl.DataFrame]
"""Returns the rows that break no rule."""
ORPHAN = "orphan"


@dataclass(frozen=True)
class Workspace:
    """Temporary storage for the rows of a raw table while it is checked.

    Attributes:
        count: The number of buckets.
        folder: An empty folder, which is used if there is more than one bucket.
    """

    count: int = 1
    folder: Path = Path()


def by_character(
    rows: pl.LazyFrame,
    spec: TableSpec,
    parent: pl.LazyFrame | None,
    workspace: Workspace,
    check: Check,
) -> Iterator[pl.DataFrame]:
    """Checks rows, and yields them in the order of a checked table.

    Args:
        rows: The rows of a raw table.
        spec: The raw table's record.
        parent: The checked table that it refers to. If None, references are not checked.
        workspace: Temporary storage.
        check: Called with all rows, those of a key together. If the table refers to another, with
            `orphan`, and `char_id` for the rows that are not orphans.

    Yields:
        The rows of each bucket that `check` returns, with the columns of the checked table.
    """
    count, folder, types = workspace.count, workspace.folder, spec.checked_types
    if spec.required_parent:
        owned = _find_parents(rows, spec.required_parent, parent, workspace)
        schema = {**rows.collect_schema(), ORPHAN: pl.Boolean(), **types}
        by_key = spill(lazily(owned, schema), spec.key[0], count, folder / "by-key")
        checked = lazily((check(part.collect()).select(*types) for part in by_key), types)
        parts = spill(checked, CHAR_ID, count, folder / "by-character")
        frames = (part.collect() for part in parts)
    else:
        parts = spill(rows, CHAR_ID, count, folder / "by-character")
        frames = (check(part.collect()).select(*types) for part in parts)
    for frame in frames:
        yield in_order(frame if is_ascending(frame, spec.order) else frame.sort(spec.order))


def _find_parents(
    rows: pl.LazyFrame, reference: Parent, parent: pl.LazyFrame | None, workspace: Workspace
) -> Iterator[pl.DataFrame]:
    """Flags the rows whose parent is unknown, and adds the parent's `char_id` to the others."""
    column, count, folder = reference.column, workspace.count, workspace.folder
    if parent is None:
        ids = rows.collect_schema()[column]
        known = pl.LazyFrame(schema={column: ids, CHAR_ID: ids})
    else:
        known = parent.select(*dict.fromkeys((column, CHAR_ID)))
    parts = spill(rows, column, count, folder / "by-parent")
    parents = spill(known, column, count, folder / "parents")
    for part, parent_part in zip(parts, parents, strict=True):
        candidates = parent_part.unique(column).with_columns(_known=True)
        frame = part.join(candidates, on=column, how="left", maintain_order="left")
        unknown = pl.col("_known").is_null() & pl.col(column).is_not_null() & (parent is not None)
        yield frame.with_columns(unknown.alias(ORPHAN)).drop("_known").collect()


def is_ascending(rows: pl.DataFrame, key: Sequence[str]) -> bool:
    """Whether rows are sorted by a unique key."""
    ascends, same = pl.lit(False), pl.lit(True)
    for name in key:
        value, before = pl.col(name), pl.col(name).shift()
        ascends, same = ascends | (same & (value > before)), same & (value == before)
    return bool(rows.lazy().select(ascends.slice(1).all()).collect().item())
