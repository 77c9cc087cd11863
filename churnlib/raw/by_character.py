"""Raw rows brought into the order of characters, in parts where they do not fit into memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from churnlib.io.buckets import in_order, lazily, spill
from churnlib.schemas.columns import CHAR_ID
from churnlib.schemas.spec import Parent, TableSpec

Check = Callable[[pl.DataFrame], pl.DataFrame]
"""Takes rows, and returns those of them that break no rule."""


@dataclass(frozen=True)
class Workspace:
    """Where the rows of a raw table are put while it is checked.

    Attributes:
        count: In how many buckets they are.
        folder: An empty folder, which is used if there are more buckets than one.
    """

    count: int = 1
    folder: Path = Path()


def by_character(
    rows: pl.LazyFrame,
    spec: TableSpec,
    parent: pl.LazyFrame | None,
    workspace: Workspace,
    check: Check,
    *,
    by_key: bool,
) -> Iterator[pl.DataFrame]:
    """Checks rows, and yields them in the order of a checked table.

    Args:
        rows: The rows of a raw table.
        spec: Which raw table it is.
        parent: The checked table that it refers to. If None, references are not checked.
        workspace: Where rows are put meanwhile.
        check: Gets all rows, with `orphan` and, of those that are not, `char_id` where the table
            refers to another.
        by_key: Whether `check` must get all rows of a key at once.

    Yields:
        The rows of each bucket that `check` returns, with the columns of the checked table.
    """
    count, folder = workspace.count, workspace.folder
    reference = spec.required_parent
    frames: Iterable[pl.DataFrame]
    if reference and by_key:
        checked = _checked_by_key(rows, spec, _find_parents(rows, reference, parent, workspace),
                                  workspace, check)  # fmt: skip
        parts = spill(checked, CHAR_ID, count, folder / "by-character")
        frames = (part.collect() for part in parts)
    elif reference:
        frames = map(check, _find_parents(rows, reference, parent, workspace))
    else:
        parts = spill(rows, CHAR_ID, count, folder / "by-character")
        frames = (check(part.collect()) for part in parts)
    for frame in frames:
        ordered = frame if is_ascending(frame, spec.order) else frame.sort(spec.order)
        yield in_order(ordered.select(*spec.checked_types))


def _checked_by_key(
    rows: pl.LazyFrame,
    spec: TableSpec,
    frames: Iterable[pl.DataFrame],
    workspace: Workspace,
    check: Check,
) -> pl.LazyFrame:
    """Checks rows with all of a key at once; they come by the column that refers to the parent."""
    reference, key, given = spec.required_parent, spec.key[0], rows.collect_schema()
    assert reference is not None
    schema = {**given, "orphan": pl.Boolean(), CHAR_ID: given[reference.column]}
    if key != reference.column:
        parts = spill(lazily(frames, schema), key, workspace.count, workspace.folder / "by-key")
        frames = (part.collect() for part in parts)
    columns = list(spec.checked_types)
    return lazily(
        (check(frame).select(columns) for frame in frames), {name: schema[name] for name in columns}
    )


def _find_parents(
    rows: pl.LazyFrame, reference: Parent, parent: pl.LazyFrame | None, workspace: Workspace
) -> Iterator[pl.DataFrame]:
    """Marks the rows whose parent is unknown, and adds to the others its `char_id`."""
    column, count, folder = reference.column, workspace.count, workspace.folder
    if parent is None:
        ids = rows.collect_schema()[column]
        known = pl.LazyFrame(schema={column: ids, CHAR_ID: ids})
    else:
        known = parent.select(*dict.fromkeys((column, CHAR_ID)))
    parts = spill(rows, column, count, folder / "by-parent")
    parents = spill(known, column, count, folder / "parents")
    for part, above in zip(parts, parents, strict=True):
        found = above.unique(column).with_columns(_known=True)
        frame = part.join(found, on=column, how="left", maintain_order="left")
        unknown = pl.col("_known").is_null() & pl.col(column).is_not_null() & (parent is not None)
        yield frame.with_columns(orphan=unknown).drop("_known").collect()


def is_ascending(rows: pl.DataFrame, key: Sequence[str]) -> bool:
    """Tells whether rows are in the order of a key, no two with the same."""
    ascends, same = pl.lit(False), pl.lit(True)
    for name in key:
        value, before = pl.col(name), pl.col(name).shift()
        ascends, same = ascends | (same & (value > before)), same & (value == before)
    return bool(rows.lazy().select(ascends.slice(1).all()).collect().item())
