"""Aggregations of the values of a column over runs of rows."""

import inspect
from collections.abc import Callable, Collection
from functools import cached_property
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

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
        values: The value of each row, and one more, which belongs to none. NaN is null.
    """

    def __init__(self, values: pl.Series, fill: float | None = None) -> None:
        """Takes the values, and what replaces nulls, if anything."""
        self.values: Floats = np.zeros(len(values) + 1)
        numbers = values.cast(pl.Float64)
        self.values[:-1] = numbers if fill is None else numbers.fill_null(fill)

    @cached_property
    def has_nulls(self) -> bool:
        """Whether any value is null."""
        return bool(np.isnan(self.values).any())

    @cached_property
    def zeroed(self) -> Floats:
        """The values, with 0 for null."""
        return np.nan_to_num(self.values) if self.has_nulls else self.values

    @cached_property
    def known_before(self) -> NDArray[np.int32]:
        """The number of values before each row that are not null."""
        return counted_before(~np.isnan(self.values[:-1]))

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
        scaled = object.__new__(Column)
        scaled.values = self.values / SCALE
        return scaled


def counted_before(flags: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The number of true flags before each row, and before the end."""
    before = np.zeros(len(flags) + 1, dtype=np.int32)
    np.cumsum(flags, out=before[1:])
    return before


def aggregate(
    column: Column,
    runs: RowRuns,
    functions: Collection[Function],
    months: Floats | None = None,
) -> dict[Function, Floats | Integers]:
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
    first, *_ = (inspect.getdoc(getattr(_RunValues, function)) or "").split("\n\n")
    return " ".join(first.split())


def bounded(values: Floats) -> Floats:
    """Limits values to the largest numbers."""
    bounded: Floats = np.clip(values, -LARGEST, LARGEST)
    return bounded


def _aggregate(
    column: Column, runs: RowRuns, functions: Collection[Function], months: Floats | None
) -> dict[Function, Floats | Integers]:
    values = _RunValues(column, runs, months)
    gathered = {name: np.empty(len(runs)) for name in functions if name in _GATHERED}
    for chunk in runs.chunks() if gathered else ():
        of_chunk = column.values.take(chunk.rows)
        for name, results in gathered.items():
            results[chunk.runs] = _GATHERED[name](values, chunk, of_chunk)
    return {
        name: gathered[name] if name in gathered else getattr(values, name) for name in functions
    }


class _RunValues:
    """The values of a column in runs of rows.

    A function that reduces rows where they are is a property of the same name, which holds one
    value per run. One that needs them gathered takes a chunk of runs and the values of its rows.
    """

    def __init__(self, column: Column, runs: RowRuns, months: Floats | None) -> None:
        self._column, self._runs, self._months = column, runs, months

    @cached_property
    def count(self) -> Integers:
        """The number of values that are not null."""
        if not self._column.has_nulls:
            return self._runs.lengths
        before = self._column.known_before
        counts: Integers = (before.take(self._runs.end) - before.take(self._runs.first)).astype(
            np.int64
        )
        return counts

    @property
    def first(self) -> Floats:
        """The value of the first row, which may be null."""
        return self._column.values.take(self._runs.first)

    @property
    def max(self) -> Floats:
        """The greatest value; null if all values are null."""
        return self._runs.reduce(np.fmax, self._column.values)

    @property
    def min(self) -> Floats:
        """The smallest value; null if all values are null."""
        return self._runs.reduce(np.fmin, self._column.values)

    @cached_property
    def sum(self) -> Floats:
        """The sum; 0 if all values are null."""
        return self._runs.reduce(np.add, self._column.zeroed)

    @cached_property
    def mean(self) -> Floats:
        """The mean; null if all values are null."""
        return _ratio(self.sum, self.count)

    def std(self, chunk: Chunk, values: Floats) -> Floats:
        """The sample standard deviation (ddof 1); null if fewer than two values are not null.

        It is computed from the deviations from the mean: squares of the values themselves would
        lose precision for large and steady balances.
        """
        distances = self._zeroed(values, values - chunk.spread(self.mean))
        np.multiply(distances, distances, out=distances)
        deviation: Floats = np.sqrt(_ratio(chunk.sums(distances), self.count[chunk.runs] - 1))
        return deviation

    def median(self, chunk: Chunk, values: Floats) -> Floats:
        """The median, the mean of the two in the middle of an even number; null if all are null."""
        values, count = chunk.sorted(values), self.count[chunk.runs]
        middle = (values.take(chunk.offsets + n) for n in ((count - 1) // 2, count // 2))
        median: Floats = np.where(count > 0, sum(middle) / 2, np.nan)
        return median

    def slope(self, chunk: Chunk, values: Floats) -> Floats:
        """The slope of the line by least squares, per month; null below two values at two times."""
        if self._months is None:
            raise ValueError("a slope needs the time of each row")
        newest = self._months.take(self._runs.newest)
        time = self._zeroed(values, self._months.take(chunk.rows) - chunk.spread(newest))
        count = self.count[chunk.runs]
        mean = np.repeat(_ratio(chunk.sums(time), count), chunk.lengths)
        time = self._zeroed(values, time - mean)
        change = self._zeroed(values, values - chunk.spread(self.mean))
        spread = chunk.sums(time * time)
        slope: Floats = np.full(len(count), np.nan)
        return np.divide(chunk.sums(time * change), spread, out=slope, where=spread > LEAST_SPREAD)

    def _zeroed(self, values: Floats, results: Floats) -> Floats:
        """Replaces the results from null values with 0."""
        if self._column.has_nulls:
            results[np.isnan(values)] = 0.0
        return results


_GATHERED: dict[str, Callable[[_RunValues, Chunk, Floats], Floats]] = {
    "std": _RunValues.std,
    "median": _RunValues.median,
    "slope": _RunValues.slope,
}
"""The functions that need the values of a run one after another, apart from other runs."""


def _ratio(numerator: Floats, denominator: Integers) -> Floats:
    ratio: Floats = np.full(len(numerator), np.nan)
    return np.divide(numerator, denominator, out=ratio, where=denominator > 0)
