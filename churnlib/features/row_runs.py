"""Runs of neighbouring rows, found by NumPy in a few passes, and reduced in chunks.

The result for a run depends only on its values, to the bit, because each run is reduced separately
and in its own order, with any number of threads.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnlib.features.cached import cached_property

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CHUNK = 2**16
"""The number of rows that are gathered at once, unless a single run is longer; it fits in a cache.
At most that of a 16-bit number, by which runs are sorted."""


@dataclass(frozen=True, eq=False)
class RowRuns:
    """Runs of neighbouring rows of a table. Runs may overlap.

    Attributes:
        first: The first row of each run.
        end: The row after the last one of each run. No run is empty.
    """

    first: Integers
    end: Integers

    def __len__(self) -> int:
        return len(self.first)

    @cached_property
    def lengths(self) -> Integers:
        """The number of rows of each run."""
        return self.end - self.first

    @property
    def newest(self) -> Integers:
        """The last row of each run."""
        return self.end - 1

    def chunks(self) -> Iterator["Chunk"]:
        """Divides the runs into groups with about `CHUNK` rows in all."""
        ends, start = np.cumsum(self.lengths), 0
        while start < len(self):
            before = ends[start] - self.lengths[start]
            stop = max(start + 1, int(np.searchsorted(ends, before + CHUNK, side="right")))
            runs = slice(start, stop)
            lengths = self.lengths[runs]
            offsets = ends[runs] - before - lengths
            rows = np.repeat(self.first[runs] - offsets, lengths)
            rows += np.arange(len(rows))
            yield Chunk(runs, offsets, lengths, rows)
            start = stop


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some of the runs, and their rows one after another.

    Attributes:
        runs: The runs.
        offsets: Where each run starts among the rows.
        lengths: The number of rows of each run.
        rows: The rows of all runs, concatenated.
    """

    runs: slice
    offsets: Integers
    lengths: Integers
    rows: Integers

    @cached_property
    def run_of_row(self) -> NDArray[np.uint16]:
        """The run of each row, counted from the chunk's first."""
        return np.repeat(np.arange(len(self.lengths), dtype=np.uint16), self.lengths)

    def sorted(self, values: Floats) -> Floats:
        """Sorts the values of rows within each run; NaN comes last."""
        order = np.argsort(values)
        runs = self.run_of_row.take(order)
        # A stable sort of numbers of 16 bits takes linear time.
        return values.take(order.take(np.argsort(runs, kind="stable")))

    @property
    def newest(self) -> Integers:
        """The last row of each run, among the rows."""
        return self.offsets + self.lengths - 1

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """Repeats the values of runs, one per row."""
        return np.repeat(values, self.lengths)

    def reduce(self, function: np.ufunc, values: NDArray[Any]) -> NDArray[Any]:
        """Reduces the values of rows run by run, by a function of two values."""
        reduced: NDArray[Any] = function.reduceat(values, self.offsets)
        return reduced


def counted_before(flags: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The number of true flags before each row, and before the end."""
    before = np.zeros(len(flags) + 1, dtype=np.int32)
    np.cumsum(flags, out=before[1:])
    return before


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
