"""Reductions over runs of neighbouring rows, by NumPy in a few passes over all runs.

The result for a run depends only on its values, to the bit, because each run is summed separately
and in its own order, with any number of threads.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RowRuns:
    """Runs of neighbouring rows of a table. Runs may overlap.

    Attributes:
        first: The first row of each run.
        end: The row after the last one of each run. No run is empty.
    """

    first: Integers
    end: Integers

    @cached_property
    def _lengths(self) -> Integers:
        return self.end - self.first

    @cached_property
    def _offsets(self) -> Integers:
        """Where each run starts once the rows of all runs are concatenated."""
        return np.cumsum(self._lengths) - self._lengths

    @cached_property
    def _rows(self) -> Integers:
        """The rows of all runs, concatenated."""
        shifts = np.repeat(self.first - self._offsets, self._lengths)
        return shifts + np.arange(len(shifts))

    def values(self, column: Floats) -> "RunValues":
        """Gathers the values of a column, run by run. NaN is null."""
        return RunValues(column.take(self._rows), self._offsets, self._lengths)


@dataclass(frozen=True, eq=False)
class RunValues:
    """The values of one column in runs of rows.

    Every `AggregationFunction` of the settings is a property of the same name, which holds one
    value per run; NaN is null.

    Attributes:
        values: The values of all runs, concatenated. NaN is null.
        offsets: Where each run starts.
        lengths: The number of rows of each run, at least one.
    """

    values: Floats
    offsets: Integers
    lengths: Integers

    @cached_property
    def count(self) -> Integers:
        """The number of values that are not null."""
        run = np.searchsorted(self.offsets, self._null_rows, side="right") - 1
        return self.lengths - np.bincount(run, minlength=len(self.lengths))

    @property
    def first(self) -> Floats:
        """The value of the first row, which may be null."""
        return self.values.take(self.offsets)

    @property
    def max(self) -> Floats:
        """The greatest value; null if all values are null."""
        greatest: Floats = np.fmax.reduceat(self.values, self.offsets)
        return greatest

    @property
    def min(self) -> Floats:
        """The smallest value; null if all values are null."""
        smallest: Floats = np.fmin.reduceat(self.values, self.offsets)
        return smallest

    @cached_property
    def sum(self) -> Floats:
        """The sum; 0 if all values are null."""
        return self._sums(self.values.copy() if len(self._null_rows) else self.values)

    @cached_property
    def mean(self) -> Floats:
        """The mean; null if all values are null."""
        return _ratio(self.sum, self.count)

    @property
    def std(self) -> Floats:
        """The sample standard deviation (ddof 1); null if fewer than two values are not null.

        It is computed from the deviations from the mean: squares of the values themselves would
        lose precision for large and steady balances.
        """
        distances = np.repeat(self.mean, self.lengths)
        np.subtract(self.values, distances, out=distances)
        np.multiply(distances, distances, out=distances)
        deviation: Floats = np.sqrt(_ratio(self._sums(distances), self.count - 1))
        return deviation

    @cached_property
    def _null_rows(self) -> Integers:
        return np.flatnonzero(np.isnan(self.values))

    def _sums(self, values: Floats) -> Floats:
        """Sums the given values run by run, after overwriting those of null rows with 0."""
        values[self._null_rows] = 0.0
        sums: Floats = np.add.reduceat(values, self.offsets)
        return sums


def first_not_below(
    ascending: Integers, bound: Integers, first: Integers, end: Integers, guess: Integers
) -> Integers:
    """Finds in each run the first row whose value is not below the run's bound.

    Args:
        ascending: A column that ascends within each run, with one more value after the last row.
        bound: The bound of each run.
        first: The first row of each run.
        end: The row after the last one of each run.
        guess: The likely answer for each run. Only runs with a wrong guess are searched.

    Returns:
        The row of each run; `end` if all values are below the bound.
    """
    row = np.clip(guess, first, end)
    right = (row == first) | (ascending.take(row - 1, mode="clip") < bound)
    right &= (row == end) | (ascending.take(row) >= bound)
    wrong = np.flatnonzero(~right)
    row[wrong] = _bisect(ascending, bound[wrong], first[wrong], end[wrong])
    return row


def _bisect(ascending: Integers, bound: Integers, first: Integers, end: Integers) -> Integers:
    low, high = first, end
    while (low < high).any():
        middle = (low + high) // 2
        below = (low < high) & (ascending.take(middle) < bound)
        low, high = np.where(below, middle + 1, low), np.where(below, high, middle)
    return low


def _ratio(numerator: Floats, denominator: Integers) -> Floats:
    ratio: Floats = np.full(len(numerator), np.nan)
    return np.divide(numerator, denominator, out=ratio, where=denominator > 0)
