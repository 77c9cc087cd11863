"""Currency features: the monthly balances as they were on the day of prediction."""

import math
from collections.abc import Iterator
from datetime import date
from functools import cached_property, partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churnlib.features.row_runs import Floats, Integers, RowRuns, RunValues, first_not_below
from churnlib.months import first_days, month_index, months_of
from churnlib.schemas.columns import CHAR_ID, DATE, KEYS, SUB_START_DATE
from churnlib.schemas.validation import require
from churnlib.settings import AggregationFunction, CurrencySettings

NEVER = np.iinfo(np.int32).max
"""A date after all others."""
LARGEST = np.finfo(np.float64).max
HUGE = 1e150
"""Sums of squares of numbers beyond this may overflow."""
SCALE = 2.0**600
"""Divides huge numbers before they are added up; a power of two, which rounds nothing."""


def add_currency_features(
    subs: pl.LazyFrame, currency: pl.LazyFrame, settings: CurrencySettings, *, as_of: date
) -> pl.LazyFrame:
    """Adds the configured currency features, point-in-time.

    A currency row is visible to a subscription if it is dated on or before its start and, with
    `lookback_months`, fewer months before it. The rows that a subscription sees are neighbours in
    its character's history, so all features are reductions over runs of rows. They are computed in
    memory; large tables come in buckets (`churnlib.io.buckets`).

    Args:
        subs: One row per subscription, with `char_id`, `sub_id` and `sub_start_date`.
        currency: `character_currency`, one row per character and month, in any order; fastest if
            each character's rows are together, sorted by date.
        settings: The features to compute.
        as_of: The day of the run; later rows are not read.

    Returns:
        The rows of `subs`, in their order, with the columns of `settings.feature_names`: Float64,
        except for `currency_age_months` and counts, which are Int32. All are null if no row is
        visible; for nulls within the rows, see `CurrencySettings`. A sum or difference beyond the
        largest Float64 is that number.

    Raises:
        DataError: A column is missing.
    """
    sources = (CHAR_ID, DATE, *_source_columns(settings))
    require(subs.collect_schema(), KEYS, "the subscriptions")
    require(currency.collect_schema(), sources, "the currency rows")
    used = currency.select(sources)
    schema = {**subs.collect_schema(), **_feature_types(settings)}
    return pl.defer(partial(_with_features, subs, used, settings, as_of), schema=schema)


def _source_columns(settings: CurrencySettings) -> list[str]:
    """The columns from which features are computed."""
    aggregated = (column for item in settings.aggregations for column in item.columns)
    compared = (column for item in settings.differences for column in item.columns)
    return list(dict.fromkeys((*settings.latest, *aggregated, *compared)))


def _feature_types(settings: CurrencySettings) -> dict[str, pl.DataType]:
    counts = {f"{c}_count" for a in settings.aggregations for c in a.columns}
    counts &= {f"{c}_{f}" for a in settings.aggregations for c in a.columns for f in a.functions}
    integers = {"currency_age_months", *counts}
    return {n: pl.Int32() if n in integers else pl.Float64() for n in settings.feature_names}


def _with_features(
    subs: pl.LazyFrame, currency: pl.LazyFrame, settings: CurrencySettings, as_of: date
) -> pl.DataFrame:
    rows = subs.collect()
    last = rows[SUB_START_DATE].max()
    if isinstance(last, date) and last < as_of:
        currency = currency.filter(pl.col(DATE) <= last)
    history = _History(currency.collect(), settings)
    visible = _VisibleRows(rows, history, settings.lookback_months, as_of)
    features = dict(_features(visible, settings))
    types = _feature_types(settings)
    return rows.with_columns(
        visible.align(features.pop(name)).cast(types[name]).alias(name)
        for name in settings.feature_names
    )


class _History:
    """The currency rows as arrays, each character's rows together and sorted by date.

    Attributes:
        characters: One row per character: `char_id`, its `_first` row, and `_end`, the row after
            its last one.
        day: The date of each row, in days since 1970; after the last row, `NEVER`.
    """

    def __init__(self, currency: pl.DataFrame, settings: CurrencySettings) -> None:
        """Takes currency rows in any order, and sorts them unless they are sorted."""
        fills = settings.fill_values
        self._fills: dict[str, float] = {c: fill.value for fill in fills for c in fill.columns}
        if not self._take(currency):
            self._take(currency.sort(CHAR_ID, DATE))

    def _take(self, currency: pl.DataFrame) -> bool:
        """Stores the rows in their order, and returns whether that is the sorted order."""
        self._rows, char_id = currency, currency[CHAR_ID]
        self.day = np.append(currency[DATE].to_physical().to_numpy(), NEVER)
        ids = (char_id if char_id.dtype.is_integer() else char_id.rle_id()).to_numpy()
        changes = ids[1:] != ids[:-1]
        first = np.append(0, np.flatnonzero(changes) + 1)[: len(ids)]
        self.characters = pl.DataFrame(
            {
                CHAR_ID: char_id.gather(first),
                "_first": first,
                "_end": np.append(first, len(ids))[1:],
            }
        )
        ascends = changes | (self.day[1:-1] > self.day[:-2])
        return bool(ascends.all()) and not self.characters[CHAR_ID].is_duplicated().any()

    def column(self, name: str) -> Floats:
        """The values of a column. Nulls are filled if the settings say so, else NaN."""
        fill = self._fills.get(name, math.nan)
        return self._rows[name].cast(pl.Float64).fill_null(fill).to_numpy()


class _VisibleRows:
    """The currency rows that each subscription sees, for subscriptions that see any."""

    def __init__(
        self, subs: pl.DataFrame, history: _History, lookback_months: int | None, as_of: date
    ) -> None:
        """Finds the run of rows of each subscription."""
        self._history = history
        self._older: dict[int, tuple[Integers, NDArray[np.bool_]]] = {}
        start = pl.min_horizontal(SUB_START_DATE, pl.lit(as_of))
        bounds = subs.select(
            CHAR_ID,
            _last=start.to_physical(),
            _month=month_index(pl.col(SUB_START_DATE)),
        ).join(history.characters, on=CHAR_ID, how="left", maintain_order="left")
        first, end = (bounds[name].fill_null(0).to_numpy() for name in ("_first", "_end"))
        last, month = bounds["_last"].to_numpy(), bounds["_month"].to_numpy()
        if lookback_months is not None:
            oldest = first_days(month + 1 - lookback_months)
            first = first_not_below(history.day, oldest, first, end, end - lookback_months)
        since = months_of(last) - months_of(history.day.take(first))
        end = first_not_below(history.day, last + 1, first, end, first + since + 1)
        self._sees_any = end > first
        self._month = month[self._sees_any]
        self.runs = RowRuns(first[self._sees_any], end[self._sees_any])
        self.newest = self.runs.end - 1
        self._newest_month = months_of(history.day.take(self.newest))

    def align(self, values: Floats | Integers) -> pl.Series:
        """Aligns values with all subscriptions; null for those that see no row, and for NaN."""
        aligned = np.full(len(self._sees_any), np.nan)
        aligned[self._sees_any] = values
        return pl.Series(aligned, nan_to_null=True)

    def age(self) -> Integers:
        """Calendar months from the newest row to the start of the subscription."""
        age: Integers = self._month - self._newest_month
        return age

    def column(self, name: str) -> "_VisibleColumn":
        """The visible values of a column."""
        return _VisibleColumn(self, self._history.column(name))

    def older(self, months: int) -> tuple[Integers, NDArray[np.bool_]]:
        """The row dated exactly `months` before the newest, and whether there is one."""
        if months not in self._older:
            self._older[months] = self._find_older(months)
        return self._older[months]

    def _find_older(self, months: int) -> tuple[Integers, NDArray[np.bool_]]:
        month, day = self._newest_month - months, self._history.day
        first, newest = self.runs.first, self.newest
        row = first_not_below(day, first_days(month), first, newest, newest - months)
        return row, day.take(row) < first_days(month + 1)


class _VisibleColumn:
    """The values of one column that each subscription sees."""

    def __init__(self, visible: _VisibleRows, history: Floats) -> None:
        """Takes the visible rows, and the column of the whole history."""
        self._visible, self._history = visible, history

    @cached_property
    def values(self) -> RunValues:
        """The values of all visible rows."""
        return self._visible.runs.values(self._history)

    @cached_property
    def latest(self) -> Floats:
        """The value of the newest visible row."""
        return self._history.take(self._visible.newest)

    @cached_property
    def _is_huge(self) -> bool:
        ends = np.fmin.reduce(self._history, initial=0), np.fmax.reduce(self._history, initial=0)
        return bool(max(-ends[0], ends[1]) > HUGE)

    @cached_property
    def _scaled(self) -> RunValues:
        return self._visible.runs.values(self._history / SCALE)

    def aggregate(self, function: AggregationFunction) -> Floats | Integers:
        """An aggregation of all visible values."""
        if not self._is_huge:
            aggregated: Floats | Integers = getattr(self.values, function)
            return aggregated
        with np.errstate(over="ignore", invalid="ignore"):
            plain, scaled = (getattr(each, function) for each in (self.values, self._scaled))
            return _bounded(np.where(np.isfinite(plain), plain, scaled * SCALE))

    def change(self, months: int) -> Floats:
        """The newest value minus the visible one exactly `months` calendar months older."""
        row, exists = self._visible.older(months)
        with np.errstate(over="ignore"):
            change = np.where(exists, self.latest - self._history.take(row), np.nan)
        return _bounded(change) if self._is_huge else change


def _features(
    visible: _VisibleRows, settings: CurrencySettings
) -> Iterator[tuple[str, Floats | Integers]]:
    """Computes the features column by column, so that only one is in memory at a time."""
    yield "currency_age_months", visible.age()
    for name in _source_columns(settings):
        yield from _features_of(name, visible.column(name), settings)


def _features_of(
    name: str, column: _VisibleColumn, settings: CurrencySettings
) -> Iterator[tuple[str, Floats | Integers]]:
    if name in settings.latest:
        yield name, column.latest
    for a in settings.aggregations:
        for function in a.functions if name in a.columns else ():
            values = column.aggregate(function)
            yield f"{name}_{function}", values if a.fill is None else _filled(values, a.fill)
    for d in settings.differences:
        for months in d.periods if name in d.columns else ():
            changes = column.change(months)
            if d.fill is not None:
                changes = _filled(changes, column.latest if d.fill == "self" else d.fill)
            yield f"{name}_diff_{months}", changes


def _bounded(values: Floats) -> Floats:
    bounded: Floats = np.clip(values, -LARGEST, LARGEST)
    return bounded


def _filled(values: Floats | Integers, fill: float | Floats) -> Floats:
    filled: Floats = np.where(np.isnan(values), fill, values)
    return filled
