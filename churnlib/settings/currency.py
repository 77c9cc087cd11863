"""Settings of the currency features."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from churnlib.settings.parts import Item, Number, Section, Whole

CurrencyColumn = Literal["sub_hard", "sub_soft", "hard_balance", "soft_balance"]
AggregationFunction = Literal["mean", "max", "min", "std", "sum", "first", "count"]


class Fill(Item):
    """A value that takes the place of nulls in source columns."""

    columns: tuple[CurrencyColumn, ...]
    value: Number


class Aggregation(Item):
    """Functions over the visible rows, each giving a feature `<column>_<function>`."""

    columns: tuple[CurrencyColumn, ...]
    functions: tuple[AggregationFunction, ...]
    fill: Number | None = None
    """Takes the place of a null result, where there is a visible row at all."""


class Difference(Item):
    """Newest value minus the value exactly p months older, each giving `<column>_diff_<p>`."""

    columns: tuple[CurrencyColumn, ...]
    periods: tuple[Annotated[Whole, Field(ge=1, le=1200)], ...]
    fill: Number | Literal["self"] | None = None
    """Takes the place of a null result, where there is a visible row at all; `self` is the newest
    value itself."""


class CurrencySettings(Section):
    """Which features are made of the monthly currency rows."""

    lookback_months: Whole | None = Field(default=None, ge=1, le=1200)
    """How many months back a row is visible, the subscription's own month included; all if null."""
    fill_values: tuple[Fill, ...] = ()
    """Filled first of all."""
    latest: tuple[CurrencyColumn, ...] = ()
    """Columns taken from the newest visible row, under their own names."""
    aggregations: tuple[Aggregation, ...] = ()
    """Functions over all visible rows."""
    differences: tuple[Difference, ...] = ()
    """Changes over calendar months."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features that these settings give, in their order."""
        return (
            *self.latest,
            "currency_age_months",
            *(f"{c}_{f}" for a in self.aggregations for c in a.columns for f in a.functions),
            *(f"{c}_diff_{p}" for d in self.differences for c in d.columns for p in d.periods),
        )

    @model_validator(mode="after")
    def _each_feature_once(self) -> "CurrencySettings":
        names = self.feature_names
        filled = [column for fill in self.fill_values for column in fill.columns]
        if len(filled) > len(set(filled)):
            raise ValueError("fills a column twice in fill_values")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"asks twice for {', '.join(twice)}")
        return self
