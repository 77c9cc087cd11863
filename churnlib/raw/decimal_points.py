"""Columns of numbers whose points may stand between thousands, as in `1.234` for 1234.

A reader takes such a point for a decimal one. One number does not tell, but a column does: no
number reaches 1,000, and nearly all fractions have three digits.
"""

from collections import Counter
from datetime import date

import polars as pl

from churnlib.schemas.spec import TableSpec

THOUSAND = 1_000
FEWEST = 10
"""The number of fractions from which a column is judged."""
ENOUGH = 100
"""The number of fractions from which it is judged for good."""
MIN_SHARE = 2 / 3
"""The share of fractions with three digits; nine in ten numbers do not end in 0."""
ROWS_WITHOUT = 100_000
"""The number of rows after which a column without a fraction has none."""
TEXT = (
    "{name} has fractions of three digits and no number from 1,000 on: {marks} between thousands, "
    "as in 1{mark}234 for 1234, are read as decimal {marks}"
)
"""The data warning of such a column."""
MARKS = {".": "points", ",": "commas"}


class _Column:
    """The numbers of a column so far.

    Attributes:
        days: The number of fractions by the day on which they became known.
        rows: The number of numbers.
        fractions: The number of those with a fraction.
        threes: The number of those with three digits after the point.
    """

    def __init__(self) -> None:
        self.days = Counter[date]()
        self.rows = self.fractions = self.threes = 0

    @property
    def may_be_grouped(self) -> bool:
        return self.threes >= MIN_SHARE * self.fractions

    @property
    def is_open(self) -> bool:
        """Whether more numbers may change what the column is."""
        if not self.fractions:
            return self.rows < ROWS_WITHOUT
        return self.fractions < ENOUGH or self.may_be_grouped

    def add(self, numbers: pl.Series, days: pl.Series) -> bool:
        """Adds numbers; returns whether all of them may have points between thousands."""
        sizes = numbers.abs()
        if not (sizes < THOUSAND).all():
            return False
        fractions = sizes != sizes.floor()
        self.rows += len(sizes) - sizes.null_count()
        if not fractions.any():
            return True
        found = sizes.filter(fractions)
        digits = found * THOUSAND
        if not ((found >= 1) & ((digits - digits.round()).abs() < 1e-6)).all():
            return False
        self.fractions += len(found)
        self.threes += int((digits.round() % 10 != 0).sum())
        self.days.update(dict(days.filter(fractions).drop_nulls().value_counts().iter_rows()))
        return True


class DecimalPoints:
    """Finds the columns of a raw table whose points may stand between thousands."""

    def __init__(self, spec: TableSpec) -> None:
        """Starts with no rows.

        Args:
            spec: The raw table's record.
        """
        numbers, self._mark = spec.of_kind("number", "undated"), spec.reading.decimal
        self._columns = {name: _Column() for name in numbers if spec.types[name].is_float()}

    def add(self, rows: pl.DataFrame, days: pl.Series) -> None:
        """Adds rows, given the day on which each became known."""
        for name, column in [*self._columns.items()]:
            if not (column.add(rows[name], days) and column.is_open):
                del self._columns[name]

    def found(self) -> dict[str, Counter[date]]:
        """The data warning of each such column, with the rows that have a fraction by day."""
        return {
            TEXT.format(name=name, mark=self._mark, marks=MARKS[self._mark]): column.days
            for name, column in self._columns.items()
            if column.fractions >= FEWEST and column.may_be_grouped
        }
