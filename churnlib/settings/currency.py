"""Settings of the currency features."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from churnlib.settings.fields import Item, Number, Section, Whole, repeated

CurrencyColumn = Literal["sub_hard", "sub_soft", "hard_balance", "soft_balance"]
AggregationFunction = Literal["mean", "max", "min", "std", "sum", "first", "count"]


class Fill(Item):
    """A value that replaces nulls in source columns."""

    columns: tuple[CurrencyColumn, ...]
    value: Number


class Aggregation(Item):
    """Functions over the visible rows; each results in a feature `<column>_<function>`."""

    columns: tuple[CurrencyColumn, ...]
    functions: tuple[AggregationFunction, ...]
    fill: Number | None = None
    """Replaces a null result, where there is any visible row."""


class Difference(Item):
    """The newest value minus that of exactly p months before, as a feature `<column>_diff_<p>`."""

    columns: tuple[CurrencyColumn, ...]
    periods: tuple[Annotated[Whole, Field(ge=1, le=1200)], ...]
    fill: Number | Literal["self"] | None = None
    """Replaces a null result, where there is any visible row; `self` is the newest value."""


class CurrencySettings(Section):
    """The features that are computed from the monthly currency rows."""

    lookback_months: Whole | None = Field(default=None, ge=1, le=1200)
    """The number of months whose rows are visible, the subscription's own included; all if null."""
    fill_values: tuple[Fill, ...] = ()
    """Replacements of nulls in source columns, before all else."""
    latest: tuple[CurrencyColumn, ...] = ()
    """Columns whose newest visible value is a feature of the same name."""
    aggregations: tuple[Aggregation, ...] = ()
    """Features that aggregate all visible rows."""
    differences: tuple[Difference, ...] = ()
    """Features that are differences over calendar months."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of all features from these settings, in their order."""
        return (
            *self.latest,
            "currency_age_months",
            *(f"{c}_{f}" for a in self.aggregations for c in a.columns for f in a.functions),
            *(f"{c}_diff_{p}" for d in self.differences for c in d.columns for p in d.periods),
        )

    @model_validator(mode="after")
    def _each_feature_once(self) -> "CurrencySettings":
        filled = [column for fill in self.fill_values for column in fill.columns]
        if repeated(filled):
            raise ValueError("fills a column twice in fill_values")
        if twice := repeated(self.feature_names):
            raise ValueError(f"asks twice for {twice}")
        return self
