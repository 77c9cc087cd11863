"""Exact copies: rows that are equal in every column are one fact."""

from collections import Counter
from collections.abc import Sequence
from datetime import date

import polars as pl

from churnlib.raw.row_order import is_ascending
from churnlib.schemas.spec import TableSpec

COPIES = "exact copies of other rows, which are left out"
"""The data warning that counts them."""


class Copies:
    """Leaves out exact copies of rows, and counts them by the day they became known.

    Rows that share a key and differ are kept, with the copies of either: which of them is right is
    not known.

    Attributes:
        total: The number of copies so far.
    """

    def __init__(self, spec: TableSpec) -> None:
        """Starts with no rows.

        Args:
            spec: The raw table's record.
        """
        self._spec = spec
        self._days = Counter[date]()
        self.total = 0

    def leave_out(self, rows: pl.DataFrame, order: Sequence[str]) -> pl.DataFrame:
        """Returns the rows without copies.

        Args:
            rows: Rows sorted by an order, all of a key together.
            order: The order, which contains the key, or all columns.
        """
        if is_ascending(rows, order, strictly=True):
            return rows
        is_copy = self._is_copy(rows, order)
        if not is_copy.any():
            return rows
        copies = rows.filter(is_copy)
        self.total += len(copies)
        days = copies.select(self._spec.known_on.alias("day"))["day"].drop_nulls()
        self._days.update(dict(days.value_counts().iter_rows()))
        return rows.filter(~is_copy)

    def _is_copy(self, rows: pl.DataFrame, order: Sequence[str]) -> pl.Series:
        repeats = _repeats(order)
        is_equal = ~repeats | _repeats(tuple(self._spec.columns))
        if "unparsable" in rows.columns:  # A value that could not be read is not known to be equal.
            is_equal = is_equal & pl.col("unparsable").is_null()
        keys = self._spec.key or [n for n, c in self._spec.columns.items() if not c.nullable]
        marks = rows.select(
            repeats=repeats,
            is_equal=is_equal,
            has_key=pl.all_horizontal(pl.col(keys).is_not_null()),
        ).with_columns(group=(~pl.col("repeats")).cum_sum())
        differs = marks.filter(~pl.col("is_equal"))["group"].unique()
        in_one = ~marks["group"].is_in(differs.implode())
        return marks["repeats"] & marks["has_key"] & in_one

    @property
    def by_day(self) -> list[tuple[str, int]]:
        """Pairs of an ISO day and the number of copies, days in order."""
        return [(day.isoformat(), count) for day, count in sorted(self._days.items())]


def _repeats(columns: Sequence[str]) -> pl.Expr:
    """Whether a row is equal to the one before it; false for the first."""
    equal = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in columns)
    return equal & (pl.int_range(pl.len()) > 0)
