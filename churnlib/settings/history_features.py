"""Settings of the features that are computed from histories."""

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from churnlib.settings.fields import Item, Number, Section, Whole, repeated
from churnlib.settings.tables import Name

HistoryFunction = Literal["mean", "median", "max", "min", "std", "sum", "first", "count", "slope"]
Months = Annotated[Whole, Field(ge=1, le=1200)]

CURRENCY = "character_currency"
"""The history whose features have no prefix."""


class HistoryFeature(NamedTuple):
    """A feature from a history.

    Attributes:
        name: Its column.
        kind: How it is computed.
        column: The column of the history; empty for the age of its newest row.
        function: The function of an aggregation.
        months: The period of a difference, or the months over which values are aggregated; None for
            those of the table.
        fill: The number that replaces null where there is any visible row, if any.
        fills_newest: Whether the newest value does.
    """

    name: str
    kind: Literal["age", "latest", "latest_known", "aggregation", "difference"]
    column: str = ""
    function: HistoryFunction | None = None
    months: int | None = None
    fill: float | None = None
    fills_newest: bool = False


def prefix_of(table: str) -> str:
    """The beginning of the names of the features of a history."""
    return "" if table == CURRENCY else f"{table}_"


def age_feature(table: str) -> str:
    """The name of the age in months of the newest row of a history.

    >>> age_feature("character_currency"), age_feature("gems")
    ('currency_age_months', 'gems_age_months')
    """
    return f"{'currency' if table == CURRENCY else table}_age_months"


class Fill(Item):
    """A value that replaces nulls in source columns."""

    columns: tuple[Name, ...]
    value: Number


class Aggregation(Item):
    """Functions over the visible rows; each results in a feature `<column>_<function>`."""

    columns: tuple[Name, ...]
    functions: tuple[HistoryFunction, ...]
    fill: Number | None = None
    """Replaces a null result, where there is any visible row."""
    lookback_months: Months | None = None
    """The number of months whose rows count, the row's own included, in place of the table's; the
    feature is then `<column>_<function>_<n>mo`. If null, that of the table."""


class Difference(Item):
    """The newest value minus that of exactly p months before, as a feature `<column>_diff_<p>`."""

    columns: tuple[Name, ...]
    periods: tuple[Months, ...]
    fill: Number | Literal["self"] | None = None
    """Replaces a null result, where there is any visible row; `self` is the newest value."""


class HistoryFeatures(Section):
    """The features that are computed from a history."""

    lookback_months: Months | None = None
    """The number of months whose rows are visible, the row's own included; all if null."""
    fill_values: tuple[Fill, ...] = ()
    """Replacements of nulls in source columns, before all else."""
    latest: tuple[Name, ...] = ()
    """Columns whose newest visible value is a feature of the same name."""
    latest_known: tuple[Name, ...] = ()
    """The same for the newest visible value that is not null."""
    aggregations: tuple[Aggregation, ...] = ()
    """Features that aggregate all visible rows."""
    differences: tuple[Difference, ...] = ()
    """Features that are differences over calendar months."""

    def of_table(self, table: str) -> Iterator[HistoryFeature]:
        """The features in their order, with the names that they have for a history."""
        prefix = prefix_of(table)
        for column in self.latest:
            yield HistoryFeature(f"{prefix}{column}", "latest", column)
        for column in self.latest_known:
            yield HistoryFeature(f"{prefix}{column}", "latest_known", column)
        yield HistoryFeature(age_feature(table), "age")
        for a in self.aggregations:
            months = "" if a.lookback_months is None else f"_{a.lookback_months}mo"
            for column, function in product(a.columns, a.functions):
                name = f"{prefix}{column}_{function}{months}"
                yield HistoryFeature(
                    name, "aggregation", column, function, a.lookback_months, a.fill
                )
        for d in self.differences:
            for column, period in product(d.columns, d.periods):
                name = f"{prefix}{column}_diff_{period}"
                fill = None if d.fill == "self" else d.fill
                yield HistoryFeature(
                    name, "difference", column, None, period, fill, fills_newest=d.fill == "self"
                )

    @model_validator(mode="after")
    def _each_feature_once(self) -> "HistoryFeatures":
        if repeated([column for fill in self.fill_values for column in fill.columns]):
            raise ValueError("fills a column twice in fill_values")
        if twice := repeated([feature.name for feature in self.of_table(CURRENCY)]):
            raise ValueError(f"asks twice for {twice}")
        return self
