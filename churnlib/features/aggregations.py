"""Aggregations of the values of a column over runs of rows."""

import inspect
from collections.abc import Collection
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churnlib.features.cached import cached_property
from churnlib.features.row_runs import Chunk, Floats, Integers, RowRuns

Function = TypeVar("Function", bound=str)

LARGEST = np.finfo(np.float64).max
HUGE = 1e150
"""Sums of squares of numbers beyond this may overflow."""
SCALE = 2.0**600
"""Divides huge numbers before they are added up; a power of two, which rounds nothing."""
LEAST_SPREAD = 1e-6
"""Less than the sum of squared distances of two days from their mean, in months."""


class Column:
    """The values of a column of numbers or flags.

    Attributes:
        values: The value of each row; NaN is null.
    """

    def __init__(self, values: Floats) -> None:
        self.values = values

    @classmethod
    def of(cls, values: pl.Series, fill: float | None = None) -> "Column":
        """Takes the values of a table's column, and what replaces nulls, if anything."""
        numbers = values.cast(pl.Float64).fill_null(np.nan if fill is None else fill)
        return cls(numbers.to_numpy())

    @cached_property
    def has_nulls(self) -> bool:
        """Whether any value is null."""
        return bool(np.isnan(self.values).any())

    @cached_property
    def newest_known(self) -> NDArray[np.int32]:
        """The last row up to each that is not null; -1 if there is none."""
        rows = np.where(np.isnan(self.values), -1, np.arange(len(self.values), dtype=np.int32))
        return np.maximum.accumulate(rows)

    @cached_property
    def is_huge(self) -> bool:
        """Whether sums of squares may overflow."""
        ends = np.fmin.reduce(self.values, initial=0), np.fmax.reduce(self.values, initial=0)
        return bool(max(-ends[0], ends[1]) > HUGE)

    @cached_property
    def scaled(self) -> "Column":
        """The values divided by `SCALE`."""
        return Column(self.values / SCALE)


def aggregate(
    column: Column,
    runs: RowRuns,
    functions: Collection[Function],
    months: Floats | None = None,
) -> dict[Function, Floats]:
    """Aggregates a column over each run of rows.

    Args:
        column: The values.
        runs: The runs.
        functions: The functions: `HistoryFunction`s of the settings, of which every
            `EventFunction` is one.
        months: The time of each row in months, which only the slope needs.

    Returns:
        The values of each function, one per run; NaN is null. One beyond the largest Float64 is
        that number.
    """
    if not column.is_huge:
        return _aggregate(column, runs, functions, months)
    with np.errstate(over="ignore", invalid="ignore"):
        plain, scaled = (
            _aggregate(each, runs, functions, months) for each in (column, column.scaled)
        )
        return {
            name: bounded(np.where(np.isfinite(values), values, scaled[name] * SCALE))
            for name, values in plain.items()
        }


def meaning_of(function: str) -> str:
    """Says in a sentence what a function gives.

    >>> meaning_of("sum")
    'The sum; 0 if all values are null.'
    """
    first, *_ = (inspect.getdoc(getattr(_ChunkValues, function)) or "").split("\n\n")
    return " ".join(first.split())


def bounded(values: Floats) -> Floats:
    """Limits values to the largest numbers."""
    bounded: Floats = np.clip(values, -LARGEST, LARGEST)
    return bounded


def _aggregate(
    column: Column, runs: RowRuns, functions: Collection[Function], months: Floats | None
) -> dict[Function, Floats]:
    results = {name: np.empty(len(runs)) for name in functions}
    for chunk in runs.chunks():
        values = _ChunkValues(column, chunk, months)
        for name, result in results.items():
            result[chunk.runs] = getattr(values, name)
    return results


class _ChunkValues:
    """The values of a column in a chunk of runs.

    Each function is a property of the same name, which holds one value per run.
    """

    def __init__(self, column: Column, chunk: Chunk, months: Floats | None) -> None:
        self._column, self._chunk, self._months = column, chunk, months

    @cached_property
    def count(self) -> Integers:
        """The number of values that are not null."""
        if self._is_null is None:
            return self._chunk.lengths
        count: Integers = self._chunk.reduce(np.add, (~self._is_null).astype(np.int64))
        return count

    @property
    def first(self) -> Floats:
        """The value of the first row, which may be null."""
        return self._values.take(self._chunk.offsets)

    @property
    def max(self) -> Floats:
        """The greatest value; null if all values are null."""
        return self._chunk.reduce(np.fmax, self._values)

    @property
    def min(self) -> Floats:
        """The smallest value; null if all values are null."""
        return self._chunk.reduce(np.fmin, self._values)

    @cached_property
    def sum(self) -> Floats:
        """The sum; 0 if all values are null."""
        return self._chunk.reduce(np.add, self._zeroed(self._values))

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
        distances = self._zeroed(self._values - self._chunk.spread(self.mean))
        np.multiply(distances, distances, out=distances)
        deviation: Floats = np.sqrt(_ratio(self._chunk.reduce(np.add, distances), self.count - 1))
        return deviation

    @property
    def median(self) -> Floats:
        """The median, the mean of the two in the middle of an even number; null if all are null."""
        values, count = self._chunk.sorted(self._values), self.count
        middle = (values.take(self._chunk.offsets + n) for n in ((count - 1) // 2, count // 2))
        median: Floats = np.where(count > 0, sum(middle) / 2, np.nan)
        return median

    @property
    def slope(self) -> Floats:
        """The slope of the line by least squares, per month; null below two values at two times."""
        if self._months is None:
            raise ValueError("a slope needs the time of each row")
        chunk, time = self._chunk, self._months.take(self._chunk.rows)
        time = self._zeroed(time - chunk.spread(time.take(chunk.newest)))
        time = self._zeroed(time - chunk.spread(_ratio(chunk.reduce(np.add, time), self.count)))
        change = self._zeroed(self._values - chunk.spread(self.mean))
        spread = chunk.reduce(np.add, time * time)
        slope: Floats = np.full(len(spread), np.nan)
        np.divide(
            chunk.reduce(np.add, time * change), spread, out=slope, where=spread > LEAST_SPREAD
        )
        return slope

    @cached_property
    def _values(self) -> Floats:
        return self._column.values.take(self._chunk.rows)

    @cached_property
    def _is_null(self) -> NDArray[np.bool_] | None:
        """Whether each value is null; None if none is."""
        return np.isnan(self._values) if self._column.has_nulls else None

    def _zeroed(self, values: Floats) -> Floats:
        """Replaces values with 0 in rows where the column is null."""
        return values if self._is_null is None else np.where(self._is_null, 0.0, values)


def _ratio(numerator: Floats, denominator: Integers) -> Floats:
    ratio: Floats = np.full(len(numerator), np.nan)
    return np.divide(numerator, denominator, out=ratio, where=denominator > 0)
