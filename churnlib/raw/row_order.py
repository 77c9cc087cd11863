"""The order of rows: whether they are sorted, which come late, and sorting those in memory."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

BITS = 62
"""The most bits of a packed sort key."""


def split_late(
    rows: pl.DataFrame, order: Sequence[str], last: pl.DataFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Separates the rows that are in order from those that come late.

    Args:
        rows: Rows, at least one.
        order: The columns of the order.
        last: The last row in order so far, with these columns; None at the beginning.

    Returns:
        The rows that are not below any row before them, and the others; None if there are none.
    """
    keys = rows.select(order)
    keys = keys if last is None else pl.concat([last, keys])
    if is_ascending(keys, order):
        return rows, None
    key = _packed(keys, order)
    if key is None:
        key = _ranks(keys, order)
    is_late = np.append(False, key[1:] < np.maximum.accumulate(key)[:-1])
    late = pl.Series(is_late[len(keys) - len(rows) :])
    return rows.filter(~late), rows.filter(late)


def sort_rows(rows: pl.DataFrame, order: Sequence[str]) -> pl.DataFrame:
    """Sorts rows; those with equal keys keep their order, and null comes first."""
    if is_ascending(rows, order):
        return rows
    return rows.sort(order, maintain_order=True)


def is_ascending(rows: pl.DataFrame, order: Sequence[str], *, strictly: bool = False) -> bool:
    """Whether rows are sorted, with null first; strictly, if no key occurs twice."""
    if len(rows) < 2:
        return True
    ascends, same = _compare(rows[order[0]])
    for name in order[1:]:
        if not same.any():
            break
        above, equal = _compare(rows[name])
        ascends, same = ascends | (same & above), same & equal
    return bool((ascends if strictly else ascends | same).all())


def _compare(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Whether each value is above the one before it, and whether it is equal."""
    values, before = column[1:], column[:-1]
    if not column.null_count():
        return values > before, values == before
    above = (values > before).fill_null(False) | (before.is_null() & values.is_not_null())
    return above, values.eq_missing(before)


def _packed(rows: pl.DataFrame, order: Sequence[str]) -> NDArray[np.int64] | None:
    """The columns of an order as one whole number per row; None if they do not fit into one."""
    key, bits = np.zeros(len(rows), np.int64), 0
    for name in order:
        column = rows[name].to_physical()
        if not column.dtype.is_integer() or column.null_count():
            return None
        values = column.cast(pl.Int64).to_numpy()
        low = int(values.min())
        width = (int(values.max()) - low).bit_length()
        bits += width
        if bits > BITS:
            return None
        key = (key << width) | (values - low)
    return key


def _ranks(rows: pl.DataFrame, order: Sequence[str]) -> NDArray[np.int64]:
    """The place of each row once they are sorted."""
    places = rows.with_row_index("_row").sort(order, maintain_order=True)["_row"].to_numpy()
    ranks = np.empty(len(rows), np.int64)
    ranks[places] = np.arange(len(rows))
    return ranks
