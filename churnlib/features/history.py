"""Features from histories: the states of characters as they were known on the day of a row."""

from collections.abc import Iterator
from datetime import date
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churnlib.features.aggregations import Column, aggregate, bounded
from churnlib.features.cached import cached_property
from churnlib.features.character_rows import CharacterRows, Clock, VisibleRows
from churnlib.features.row_runs import Floats, Integers, first_not_below
from churnlib.months import first_days, months_of
from churnlib.schemas.columns import CHAR_ID, DATE, SUB_START_DATE
from churnlib.schemas.validation import require
from churnlib.settings.history_features import (
    HistoryFeature,
    HistoryFeatures,
    HistoryFunction,
)


def add_history_features(
    rows: pl.LazyFrame,
    history: pl.LazyFrame,
    features: HistoryFeatures,
    *,
    table: str,
    as_of: date,
    known_after_days: int = 0,
    day: str = SUB_START_DATE,
) -> pl.LazyFrame:
    """Adds the configured features from a history, point-in-time.

    A row of the history is visible to a row of the cohort if it is known by the day of that row and
    by `as_of`, and, with `lookback_months`, dated fewer calendar months before that day. The rows
    that it sees are neighbours in the history of its character, so all features are reductions over
    runs of rows. They are computed in memory; large tables come in buckets
    (`churnlib.io.buckets`).

    Args:
        rows: The cohort: rows with `char_id` and a day.
        history: Rows with `char_id`, `date` and numbers, one per character and date, in any order;
            fastest if sorted by both.
        features: The features to compute.
        table: The name of the history, with which the names of features start.
        as_of: The day of the run; rows that become known later are not read.
        known_after_days: The days from the date of a row to that on which it becomes known.
        day: The column of the cohort with the day of each row.

    Returns:
        The rows of the cohort, in their order, with the columns of `history_feature_types`. All are
        null if no row is visible. If some values are null, so are the newest value, the first, and
        a difference if they are among them; other functions ignore them: they give null if none is
        left, or fewer than two for `std` and `slope`, except for sum and count, which give 0.
        Numbers beyond the largest Float64 are that number.

        A slope is the change per month along the line by least squares; the time of a row is its
        calendar month and the part of it before the day. A difference compares with the row dated
        the same day of the month, or the last day of a shorter month; null if there is none.

    Raises:
        DataError: A column is missing.
    """
    wanted = tuple(features.of_table(table))
    columns = dict.fromkeys(feature.column for feature in wanted if feature.column)
    require(rows.collect_schema(), (CHAR_ID, day), "the rows")
    require(history.collect_schema(), (CHAR_ID, DATE, *columns), f"the rows of {table}")
    compute = partial(
        _with_features,
        rows,
        history.select(CHAR_ID, DATE, *columns),
        features,
        table,
        Clock(as_of, known_after_days, day),
    )
    schema = {**rows.collect_schema(), **history_feature_types(features, table)}
    return pl.defer(compute, schema=schema)


def history_feature_types(features: HistoryFeatures, table: str) -> dict[str, pl.DataType]:
    """The names and types of the features from a history, in their order.

    Args:
        features: The features.
        table: The name of the history.
    """
    return {
        each.name: pl.Int32() if each.kind == "age" or each.function == "count" else pl.Float64()
        for each in features.of_table(table)
    }


def _with_features(
    rows: pl.LazyFrame, history: pl.LazyFrame, features: HistoryFeatures, table: str, clock: Clock
) -> pl.DataFrame:
    cohort = rows.collect()
    states = CharacterRows(clock.visible(history, DATE, cohort).collect(), DATE)
    visible = VisibleRows(cohort, states, clock)
    computed = dict(_States(states, visible, features).compute(table))
    types = history_feature_types(features, table)
    return cohort.with_columns(computed[name].cast(types[name]).alias(name) for name in types)


class _States:
    """The states of a history that the rows of a cohort see."""

    def __init__(
        self, states: CharacterRows, visible: VisibleRows, features: HistoryFeatures
    ) -> None:
        self._states, self._visible, self._features = states, visible, features
        self._seen = visible.of_months(features.lookback_months)
        self._newest = self._seen.runs.newest
        self._newest_day = states.day.take(self._newest)
        self._of_months = {features.lookback_months: self._seen}
        self._older: dict[int, tuple[Integers, NDArray[np.bool_]]] = {}

    def compute(self, table: str) -> Iterator[tuple[str, pl.Series]]:
        """Computes the features column by column, so that only one is in memory at a time."""
        by_column: dict[str, list[HistoryFeature]] = {}
        for feature in self._features.of_table(table):
            by_column.setdefault(feature.column, []).append(feature)
        for age in by_column.pop(""):
            month = self._visible.month[self._seen.sees_any]
            yield age.name, self._seen.align(month - months_of(self._newest_day))
        fills = {c: fill.value for fill in self._features.fill_values for c in fill.columns}
        for name, features in by_column.items():
            column = Column.of(self._states.rows[name], fills.get(name))
            yield from self._values(column, features)
            yield from self._aggregations(column, features)

    def _values(
        self, column: Column, features: list[HistoryFeature]
    ) -> Iterator[tuple[str, pl.Series]]:
        """The features that are single values, or differences of two."""
        latest = column.values.take(self._newest)
        for each in features:
            if each.kind == "latest":
                yield each.name, self._seen.align(latest)
            elif each.kind == "latest_known":
                yield each.name, self._seen.align(self._latest_known(column))
            elif each.kind == "difference":
                changes = self._changes(column, latest, each.months or 0)
                fill = latest if each.fills_newest else each.fill
                yield each.name, self._seen.align(_filled(changes, fill))

    def _aggregations(
        self, column: Column, features: list[HistoryFeature]
    ) -> Iterator[tuple[str, pl.Series]]:
        """The features that aggregate all visible rows, or those of some months."""
        by_months: dict[int | None, list[tuple[HistoryFunction, HistoryFeature]]] = {}
        for each in features:
            if each.function is not None:
                months = each.months or self._features.lookback_months
                by_months.setdefault(months, []).append((each.function, each))
        for months, group in by_months.items():
            if months not in self._of_months:
                self._of_months[months] = self._visible.of_months(months)
            seen, functions = self._of_months[months], {function for function, _ in group}
            time = self._time if "slope" in functions else None
            values = aggregate(column, seen.runs, functions, time)
            for function, each in group:
                yield each.name, seen.align(_filled(values[function], each.fill))

    @cached_property
    def _time(self) -> Floats:
        """The time of each state in months: its calendar month, and the part of it before."""
        day: Integers = self._states.day[:-1]
        month = months_of(day)
        start = first_days(month)
        part: Floats = (day - start) / (first_days(month + 1) - start)
        return month + part

    def _latest_known(self, column: Column) -> Floats:
        row = column.newest_known.take(self._newest)
        known: Floats = np.where(row >= self._seen.runs.first, column.values.take(row), np.nan)
        return known

    def _changes(self, column: Column, latest: Floats, months: int) -> Floats:
        """The newest value minus the visible one exactly some calendar months older."""
        if months not in self._older:
            self._older[months] = self._find_older(months)
        row, exists = self._older[months]
        with np.errstate(over="ignore"):
            changes = np.where(exists, latest - column.values.take(row), np.nan)
        return bounded(changes) if column.is_huge else changes

    def _find_older(self, months: int) -> tuple[Integers, NDArray[np.bool_]]:
        """The row dated exactly some months before the newest, and whether there is one."""
        month, runs = months_of(self._newest_day), self._seen.runs
        since_start = self._newest_day - first_days(month)
        last = first_days(month - months + 1) - 1
        day = np.minimum(first_days(month - months) + since_start, last)
        row = first_not_below(self._states.day, day, runs.first, runs.newest, runs.newest - months)
        return row, self._states.day.take(row) == day


def _filled(values: Floats | Integers, fill: float | Floats | None) -> Floats | Integers:
    """Replaces nulls by a number or by other values, unless these are None."""
    return values if fill is None else np.where(np.isnan(values), fill, values)
