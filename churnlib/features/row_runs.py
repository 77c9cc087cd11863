"""Reductions over runs of neighbouring rows, each run on its own: NumPy, a few passes for all.

A result depends on the values of its run alone, to the bit, because a run is summed as a whole and
in its own order: not on threads, nor on which other runs lie beside it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Segments:
    """Runs of rows of one or more columns; runs may overlap.

    Attributes:
        first: The first row of each run.
        end: The row behind the last of each run; every run has a row.
    """

    first: Whole
    end: Whole

    @cached_property
    def _lengths(self) -> Whole:
        return self.end - self.first

    @cached_property
    def _offsets(self) -> Whole:
        """Where each run begins once the rows of all are put one behind another."""
        return np.cumsum(self._lengths) - self._lengths

    @cached_property
    def _rows(self) -> Whole:
        shifts = np.repeat(self.first - self._offsets, self._lengths)
        return shifts + np.arange(len(shifts))

    def of(self, column: Floats) -> "Values":
        """Takes the values of a column, run by run; NaN is null."""
        return Values(column.take(self._rows), self._offsets, self._lengths)


@dataclass(frozen=True, eq=False)
class Values:
    """The values of one column in runs, and what can be said of each run.

    Attributes:
        values: The runs one behind another; NaN is null.
        offsets: Where each run begins.
        lengths: How many rows it has, at least one.
    """

    values: Floats
    offsets: Whole
    lengths: Whole

    @cached_property
    def count(self) -> Whole:
        """How many values are not null."""
        owner = np.searchsorted(self.offsets, self._nulls, side="right") - 1
        return self.lengths - np.bincount(owner, minlength=len(self.lengths))

    @property
    def first(self) -> Floats:
        """The value of the first row; null where that one is."""
        return self.values.take(self.offsets)

    @property
    def max(self) -> Floats:
        """The greatest value; null where all are."""
        greatest: Floats = np.fmax.reduceat(self.values, self.offsets)
        return greatest

    @property
    def min(self) -> Floats:
        """The least value; null where all are."""
        least: Floats = np.fmin.reduceat(self.values, self.offsets)
        return least

    @cached_property
    def sum(self) -> Floats:
        """The sum; 0 where all are null."""
        return self._add(self.values.copy() if len(self._nulls) else self.values)

    @cached_property
    def mean(self) -> Floats:
        """The mean; null where all are."""
        return _ratio(self.sum, self.count)

    @property
    def std(self) -> Floats:
        """The standard deviation of a sample (ddof 1); null where there are not two values.

        From the distances to the mean, not from the squares of the values, whose digits would be
        lost where balances are large and steady.
        """
        distances = np.repeat(self.mean, self.lengths)
        np.subtract(self.values, distances, out=distances)
        np.multiply(distances, distances, out=distances)
        deviation: Floats = np.sqrt(_ratio(self._add(distances), self.count - 1))
        return deviation

    @cached_property
    def _nulls(self) -> Whole:
        return np.flatnonzero(np.isnan(self.values))

    def _add(self, values: Floats) -> Floats:
        """Sums up each run of values that it may change; those that are null count as 0."""
        values[self._nulls] = 0.0
        sums: Floats = np.add.reduceat(values, self.offsets)
        return sums


def before(ascending: Whole, bound: Whole, first: Whole, end: Whole, guess: Whole) -> Whole:
    """Finds in each run the first row whose value is not below a bound.

    Args:
        ascending: A column that ascends within each run, with one more value behind the last.
        bound: A bound for each run.
        first: The first row of each run.
        end: The row behind its last.
        guess: The row where it most likely is; where all guesses are right, nothing is searched.

    Returns:
        A row for each run; `end` where all values lie below the bound.
    """
    row = np.clip(guess, first, end)
    right = (row == first) | (ascending.take(row - 1, mode="clip") < bound)
    right &= (row == end) | (ascending.take(row) >= bound)
    wrong = np.flatnonzero(~right)
    row[wrong] = _search(ascending, bound[wrong], first[wrong], end[wrong])
    return row


def _search(ascending: Whole, bound: Whole, first: Whole, end: Whole) -> Whole:
    low, high = first, end
    while (low < high).any():
        middle = (low + high) // 2
        below = (low < high) & (ascending.take(middle) < bound)
        low, high = np.where(below, middle + 1, low), np.where(below, high, middle)
    return low


def _ratio(numerator: Floats, denominator: Whole) -> Floats:
    ratio: Floats = np.full(len(numerator), np.nan)
    return np.divide(numerator, denominator, out=ratio, where=denominator > 0)
