"""Features from events: what characters did in windows of time before the day of a row."""

from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from typing import Literal

import numpy as np
import polars as pl

from churnlib.errors import DataError
from churnlib.features.aggregations import Column, aggregate
from churnlib.features.character_rows import CharacterRows, Clock, SeenRuns, VisibleRows
from churnlib.features.distinct import count_distinct, previous_rows
from churnlib.features.row_runs import Integers, RowRuns, counted_before
from churnlib.months import first_days
from churnlib.schemas.columns import CHAR_ID, SUB_START_DATE
from churnlib.schemas.validation import require
from churnlib.settings.event_features import EventFeature, EventFeatures, EventFunction
from churnlib.settings.event_windows import EventWindow


def add_event_features(
    rows: pl.LazyFrame,
    events: pl.LazyFrame,
    features: EventFeatures,
    *,
    table: str,
    time: str,
    as_of: date,
    known_after_days: int = 0,
    day: str = SUB_START_DATE,
) -> pl.LazyFrame:
    """Adds the configured features from events, point-in-time.

    An event is visible to a row of the cohort if it is known by the day of that row and by `as_of`.
    The events in a window are neighbours among those of a character, so all features are counts or
    reductions over runs of rows. They are computed in memory; large tables come in buckets
    (`churnlib.io.buckets`).

    Args:
        rows: The cohort: rows with `char_id` and a day.
        events: Rows with `char_id`, a day or a time without a zone, and other columns, in any
            order; fastest if sorted by character and time.
        features: The features to compute.
        table: The name of the events, with which the names of features start.
        time: Their column with the day or the time. Only its day counts.
        as_of: The day of the run; events that become known later are not read.
        known_after_days: The days from that of an event to that on which it becomes known.
        day: The column of the cohort with the day of each row.

    Returns:
        The rows of the cohort, in their order, with the columns of `event_feature_types`. Counts
        and sums are 0 where there is no event, and all else is null. Flags are numbers, 1 or 0.
        Nulls are ignored, and are no value of their own. Days are whole days between dates. A
        number beyond the largest Float64 is that number.

    Raises:
        DataError: A column is missing, or its values are of the wrong type.
    """
    require(rows.collect_schema(), (CHAR_ID, day), "the rows")
    used = events.select(CHAR_ID, time, *_used_columns(events, features, table, time))
    clock = Clock(as_of, known_after_days, day)
    compute = partial(_with_features, rows, used, features, table, time, clock)
    schema = {**rows.collect_schema(), **event_feature_types(features, table)}
    return pl.defer(compute, schema=schema)


def event_feature_types(features: EventFeatures, table: str) -> dict[str, pl.DataType]:
    """The names and types of the features from events, in their order.

    Args:
        features: The features.
        table: The name of the events.
    """
    return {
        each.name: pl.Float64() if each.kind == "aggregation" else pl.Int32()
        for each in features.of_table(table)
    }


def _used_columns(
    events: pl.LazyFrame, features: EventFeatures, table: str, time: str
) -> list[pl.Expr]:
    """The columns from which features are computed; each value that is counted apart is a flag."""
    columns, what = events.collect_schema(), f"the rows of {table}"
    numbers = list(dict.fromkeys(c for each in features.aggregations for c in each.columns))
    require(columns, (CHAR_ID, time, *numbers, *features.by, *features.distinct), what)
    for name in numbers:
        if not (columns[name].is_numeric() or columns[name] in (pl.Boolean, pl.Null)):
            raise DataError(f"{what}: the column '{name}' must hold numbers, not {columns[name]}.")
    for name in features.by:
        if columns[name] not in (pl.String, pl.Categorical, pl.Enum, pl.Null):
            raise DataError(f"{what}: the column '{name}' must hold text, not {columns[name]}.")
    values = ((name, value) for name, values in features.by.items() for value in values)
    return [
        *(pl.col(name) for name in dict.fromkeys((*numbers, *features.distinct))),
        *((pl.col(n) == v).fill_null(False).alias(_flag(n, v)) for n, v in values),
    ]


def _flag(column: str, value: str) -> str:
    return f"{column} is {value}"


def _with_features(
    rows: pl.LazyFrame,
    events: pl.LazyFrame,
    features: EventFeatures,
    table: str,
    time: str,
    clock: Clock,
) -> pl.DataFrame:
    cohort = rows.collect()
    past = CharacterRows(clock.visible(events, time, cohort).collect(), time)
    computed = dict(_Past(past, VisibleRows(cohort, past, clock)).compute(features, table))
    types = event_feature_types(features, table)
    return cohort.with_columns(computed[name].cast(types[name]).alias(name) for name in types)


class _Past:
    """The events that the rows of a cohort see, and those in windows."""

    def __init__(self, events: CharacterRows, visible: VisibleRows) -> None:
        self._events, self._visible = events, visible
        self._seen_in: dict[EventWindow | None, SeenRuns] = {}

    def compute(self, features: EventFeatures, table: str) -> Iterator[tuple[str, pl.Series]]:
        """Computes the features column by column, so that only one is in memory at a time."""
        by_source: dict[tuple[str, str, str | None], list[EventFeature]] = {}
        for each in features.of_table(table):
            by_source.setdefault((each.kind, each.column, each.value), []).append(each)
        for (kind, column, value), group in by_source.items():
            if kind == "aggregation":
                yield from self._aggregations(column, group)
            elif kind == "count":
                yield from self._counts(group, self._counter(column, value))
            elif kind == "distinct":
                yield from self._counts(group, self._distinct(column))
            else:
                yield from self._days_since(group)

    def _aggregations(
        self, name: str, group: list[EventFeature]
    ) -> Iterator[tuple[str, pl.Series]]:
        """The features that aggregate a column."""
        column = _with_ordered_ties(Column.of(self._events.rows[name]), self._events.ties)
        by_window: dict[EventWindow | None, dict[EventFunction, str]] = {}
        for each in group:
            if each.function:
                by_window.setdefault(each.window, {})[each.function] = each.name
        for window, names in by_window.items():
            seen = self._seen(window)
            for function, values in aggregate(column, seen.runs, names).items():
                yield names[function], seen.align(values, 0 if function == "sum" else np.nan)

    def _counts(
        self, group: list[EventFeature], count: Callable[[RowRuns], Integers]
    ) -> Iterator[tuple[str, pl.Series]]:
        for each in group:
            seen = self._seen(each.window)
            yield each.name, seen.align(count(seen.runs), 0)

    def _counter(self, column: str, value: str | None) -> Callable[[RowRuns], Integers]:
        """Counts the events of runs, or those with a value."""
        if value is None:
            return lambda runs: runs.lengths
        before = counted_before(self._events.rows[_flag(column, value)].to_numpy())
        return lambda runs: before.take(runs.end) - before.take(runs.first)

    def _distinct(self, column: str) -> Callable[[RowRuns], Integers]:
        """Counts the different values of runs."""
        previous = previous_rows(self._events.rows[column], self._events.of_characters)
        return lambda runs: count_distinct(previous, runs)

    def _days_since(self, group: list[EventFeature]) -> Iterator[tuple[str, pl.Series]]:
        """The features that are the days from a visible event."""
        seen = self._seen(None)
        for each in group:
            event = seen.runs.newest if each.kind == "days_since_last" else seen.runs.first
            days = self._visible.day[seen.sees_any] - self._events.day.take(event)
            yield each.name, seen.align(days)

    def _seen(self, window: EventWindow | None) -> SeenRuns:
        """The visible events in a window; all if it is None."""
        if window not in self._seen_in:
            self._seen_in[window] = self._find(window)
        return self._seen_in[window]

    def _find(self, window: EventWindow | None) -> SeenRuns:
        visible = self._visible
        if window is None:
            return visible.of_months(None)
        first = visible.since(self._oldest(window.end, window.unit))
        newer = visible.since(self._oldest(window.start, window.unit)) if window.start else None
        return SeenRuns(first, visible.end if newer is None else newer)

    def _oldest(self, age: int, unit: Literal["d", "mo"]) -> Integers:
        """The first day that is less old than an age on the day of each row of the cohort."""
        if unit == "d":
            return self._visible.day + 1 - age
        return first_days(self._visible.month + 1 - age)


def _with_ordered_ties(column: Column, ties: RowRuns) -> Column:
    """Sorts the values of events of the same time, so that sums do not depend on their order."""
    # A negative zero equals zero, and is not ordered by sorting.
    ordered = Column(column.values + 0.0)
    for chunk in ties.chunks():
        ordered.values[chunk.rows] = chunk.sorted(ordered.values.take(chunk.rows))
    return ordered
