"""Currency features: what the monthly balances looked like on the day of prediction."""

import math
from collections.abc import Callable, Iterator
from datetime import date
from functools import cached_property, partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churnlib.features.row_runs import Floats, Segments, Values, Whole, before
from churnlib.months import first_days, month_index, months_of
from churnlib.settings import AggregationFunction, CurrencySettings

CURRENCY_COLUMNS = ("sub_hard", "sub_soft", "hard_balance", "soft_balance")
NEVER = np.iinfo(np.int32).max
"""A day that never comes."""


def add_currency_features(
    subs: pl.LazyFrame, currency: pl.LazyFrame, settings: CurrencySettings, *, as_of: date
) -> pl.LazyFrame:
    """Adds the configured currency features, point-in-time.

    A currency row is visible to a subscription if it is dated on or before its start and, with
    `lookback_months`, fewer months before it. The rows that one subscription sees are neighbours
    in a character's history, so all features come from one pass over such runs; this works in
    memory, so large tables come in buckets (`churnlib.io.buckets`).

    Args:
        subs: A row a subscription, with `char_id`, `sub_id` and `sub_start_date`.
        currency: `character_currency`, a row a character and month, in any order; fastest where
            each character's rows are together, sorted by date.
        settings: Which features.
        as_of: The day of the run; later rows are not read.

    Returns:
        The rows of `subs`, in their order, with the columns of `settings.feature_names`: Float64,
        but `currency_age_months` and counts Int32. All are null where no row is visible; for nulls
        within the rows see `CurrencySettings`.
    """
    read = currency.select("char_id", "date", *_read(settings))
    schema = {**subs.collect_schema(), **_feature_types(settings)}
    return pl.defer(partial(_with_features, subs, read, settings, as_of), schema=schema)


def _read(settings: CurrencySettings) -> list[str]:
    """The columns that features are made of."""
    used = {c for a in settings.aggregations for c in a.columns}
    used |= {c for d in settings.differences for c in d.columns}
    return [c for c in CURRENCY_COLUMNS if c in used or c in settings.latest]


def _feature_types(settings: CurrencySettings) -> dict[str, pl.DataType]:
    counts = {f"{c}_count" for a in settings.aggregations for c in a.columns}
    counts &= {f"{c}_{f}" for a in settings.aggregations for c in a.columns for f in a.functions}
    whole = {"currency_age_months", *counts}
    return {n: pl.Int32() if n in whole else pl.Float64() for n in settings.feature_names}


def _with_features(
    subs: pl.LazyFrame, currency: pl.LazyFrame, settings: CurrencySettings, as_of: date
) -> pl.DataFrame:
    rows = subs.collect()
    last = rows["sub_start_date"].max()
    if isinstance(last, date) and last < as_of:
        currency = currency.filter(pl.col("date") <= last)
    history = _History(currency.collect(), settings)
    seen = _Seen(rows, history, settings.lookback_months, as_of)
    found = _features(seen, settings)
    types = _feature_types(settings)
    return rows.with_columns(
        seen.spread(found.pop(name)).cast(types[name]).alias(name)
        for name in settings.feature_names
    )


class _History:
    """The currency rows, each character's together and by date, as arrays.

    Attributes:
        characters: A row a character: `char_id`, and its `_first` row and the `_end` of its rows.
        day: The date of each row, in days since 1970; behind the last row, `NEVER`.
    """

    def __init__(self, currency: pl.DataFrame, settings: CurrencySettings) -> None:
        """Takes currency rows in any order, and sorts them where they are not together."""
        fills = settings.fill_values
        self._fills: dict[str, float] = {c: fill.value for fill in fills for c in fill.columns}
        if not self._take(currency):
            self._take(currency.sort("char_id", "date"))

    def _take(self, currency: pl.DataFrame) -> bool:
        """Takes the rows as they are, and tells whether their order is right."""
        self._rows, char_id = currency, currency["char_id"]
        self.day = np.append(currency["date"].to_physical().to_numpy(), NEVER)
        ids = (char_id if char_id.dtype.is_integer() else char_id.rle_id()).to_numpy()
        changes = ids[1:] != ids[:-1]
        first = np.append(0, np.flatnonzero(changes) + 1)[: len(ids)]
        self.characters = pl.DataFrame(
            {
                "char_id": char_id.gather(first),
                "_first": first,
                "_end": np.append(first, len(ids))[1:],
            }
        )
        ascends = changes | (self.day[1:-1] > self.day[:-2])
        return bool(ascends.all()) and not self.characters["char_id"].is_duplicated().any()

    def column(self, name: str) -> Floats:
        """The values of a column, its nulls filled by the settings or else NaN."""
        fill = self._fills.get(name, math.nan)
        return self._rows[name].cast(pl.Float64).fill_null(fill).to_numpy()


class _Seen:
    """The currency rows that each subscription sees, for the subscriptions that see any."""

    def __init__(
        self, subs: pl.DataFrame, history: _History, lookback_months: int | None, as_of: date
    ) -> None:
        """Finds them."""
        self._history = history
        self._older: dict[int, tuple[Whole, NDArray[np.bool_]]] = {}
        start = pl.min_horizontal("sub_start_date", pl.lit(as_of))
        sees = subs.select(
            "char_id",
            _last=start.to_physical(),
            _month=month_index(pl.col("sub_start_date")),
        ).join(history.characters, on="char_id", how="left", maintain_order="left")
        first, end = (sees[name].fill_null(0).to_numpy() for name in ("_first", "_end"))
        last, month = sees["_last"].to_numpy(), sees["_month"].to_numpy()
        if lookback_months is not None:
            oldest = first_days(month + 1 - lookback_months)
            first = before(history.day, oldest, first, end, end - lookback_months)
        since = months_of(last) - months_of(history.day.take(first))
        end = before(history.day, last + 1, first, end, first + since + 1)
        self._sees_any = end > first
        self._month = month[self._sees_any]
        self.segments = Segments(first[self._sees_any], end[self._sees_any])
        self.newest = self.segments.end - 1
        self._newest_month = months_of(history.day.take(self.newest))

    def spread(self, values: Floats | Whole) -> pl.Series:
        """Gives every subscription its value; null for those that see no row, and for NaN."""
        everyone = np.full(len(self._sees_any), np.nan)
        everyone[self._sees_any] = values
        return pl.Series(everyone, nan_to_null=True)

    def age(self) -> Whole:
        """How many months before its start a subscription's newest row is dated."""
        age: Whole = self._month - self._newest_month
        return age

    def column(self, name: str) -> "_Column":
        """What they hold in a column."""
        return _Column(self, self._history.column(name))

    def older(self, months: int) -> tuple[Whole, NDArray[np.bool_]]:
        """The row dated so many months before the newest, and whether there is such a one."""
        if months not in self._older:
            self._older[months] = self._find(months)
        return self._older[months]

    def _find(self, months: int) -> tuple[Whole, NDArray[np.bool_]]:
        wanted, day = self._newest_month - months, self._history.day
        first, newest = self.segments.first, self.newest
        row = before(day, first_days(wanted), first, newest, newest - months)
        return row, day.take(row) < first_days(wanted + 1)


class _Column:
    """What each subscription sees of a column."""

    def __init__(self, seen: _Seen, history: Floats) -> None:
        """Takes the rows, and the column of all that there are."""
        self._seen, self._history = seen, history

    @cached_property
    def values(self) -> Values:
        """The values of all rows of each subscription."""
        return self._seen.segments.of(self._history)

    @cached_property
    def latest(self) -> Floats:
        """The value of the newest row."""
        return self._history.take(self._seen.newest)

    def change(self, months: int) -> Floats:
        """The newest value minus the one exactly so many calendar months older, where visible."""
        row, is_there = self._seen.older(months)
        change: Floats = np.where(is_there, self.latest - self._history.take(row), np.nan)
        return change


def _features(seen: _Seen, settings: CurrencySettings) -> dict[str, Floats | Whole]:
    """Computes the features, column by column, so that one at a time is in memory."""
    found: dict[str, Floats | Whole] = {"currency_age_months": seen.age()}
    for name in _read(settings):
        found.update(_of_column(name, seen.column(name), settings))
    return found


def _of_column(
    name: str, column: _Column, settings: CurrencySettings
) -> Iterator[tuple[str, Floats | Whole]]:
    if name in settings.latest:
        yield name, column.latest
    for a in settings.aggregations:
        for function in a.functions if name in a.columns else ():
            values = _FUNCTIONS[function](column.values)
            yield f"{name}_{function}", values if a.fill is None else _filled(values, a.fill)
    for d in settings.differences:
        for months in d.periods if name in d.columns else ():
            changes = column.change(months)
            if d.fill is not None:
                changes = _filled(changes, column.latest if d.fill == "self" else d.fill)
            yield f"{name}_diff_{months}", changes


def _filled(values: Floats | Whole, fill: float | Floats) -> Floats:
    filled: Floats = np.where(np.isnan(values), fill, values)
    return filled


_FUNCTIONS: dict[AggregationFunction, Callable[[Values], Floats | Whole]] = {
    "mean": lambda values: values.mean,
    "max": lambda values: values.max,
    "min": lambda values: values.min,
    "std": lambda values: values.std,
    "sum": lambda values: values.sum,
    "first": lambda values: values.first,
    "count": lambda values: values.count,
}
