"""Settings of the features that are computed from histories and events."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from churnlib.settings.fields import Flag, Item, Number, Section, Whole, repeated
from churnlib.settings.tables import Name

HistoryFunction = Literal["mean", "median", "max", "min", "std", "sum", "first", "count", "slope"]
EventFunction = Literal["sum", "mean", "median", "max", "min", "std"]
Months = Annotated[Whole, Field(ge=1, le=1200)]
Window = Annotated[
    str, Field(pattern=r"^(\d{1,4}d|\d{1,4}mo|\d{1,4}d\.\.\d{1,4}d|\d{1,4}mo\.\.\d{1,4}mo)$")
]
"""A window back from the day of a row, such as `30d`, `6mo` or `30d..60d`."""


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
    """The number of months whose rows count, the row's own included; the feature is then
    `<column>_<function>_<n>mo`. If null, that of the table."""


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


class EventAggregation(Item):
    """Functions over the events of each window, as features `<table>_<column>_<function>_<window>`.

    Sums are 0 where there is no event, and the others null.
    """

    columns: tuple[Name, ...]
    functions: tuple[EventFunction, ...]


class EventFeatures(Section):
    """The features that are computed from events."""

    windows: tuple[Window, ...] = ()
    """The windows, back from the day of a row: of days (`30d`), of calendar months (`6mo`), or from
    some days or months back to others (`30d..60d`)."""
    count: Flag = False
    """Whether the number of events in each window is a feature."""
    days_since_last: Flag = False
    """Whether the days from the newest visible event are a feature."""
    days_since_first: Flag = False
    """Whether the days from the oldest visible event are a feature."""
    distinct: tuple[Name, ...] = ()
    """Columns of which the number of different values in each window is a feature."""
    aggregations: tuple[EventAggregation, ...] = ()
    """Features that aggregate the events of each window."""
    by: dict[Name, tuple[str, ...]] = Field(default_factory=dict)
    """Columns, and values of each whose events are counted apart in each window."""


def _words(values: Any) -> str:
    """Tells by its words whether a table's features are those of events or of a history."""
    if isinstance(values, EventFeatures):
        return "events"
    own = EventFeatures.model_fields.keys() - HistoryFeatures.model_fields.keys()
    return "events" if isinstance(values, Mapping) and own & values.keys() else "history"


TAGS = {"HistoryFeatures": "history", "EventFeatures": "events"}
"""The kind of the tables whose features have a type."""
TableFeatures = Annotated[
    Annotated[HistoryFeatures, Tag("history")] | Annotated[EventFeatures, Tag("events")],
    Discriminator(_words),
]


class Ratio(Item):
    """One feature divided by another; null where the divisor is null or 0."""

    name: Name
    of: Name
    over: Name


class CalendarFeatures(Section):
    """The features that depend on the day of a row alone."""

    use: tuple[Literal["month"], ...] = ()
    """`month` is the month of the year, from 1 to 12."""


class PythonFeatures(Section):
    """The features that the project's own functions compute."""

    use: tuple[Name, ...] = ()
    """The names of functions in `games/features.py` that are marked with `churnlib.feature`."""


class FeatureSettings(Section):
    """The features besides the standard ones. Other names are those of tables."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, TableFeatures]

    ratios: tuple[Ratio, ...] = ()
    """Ratios of two features."""
    calendar: CalendarFeatures = CalendarFeatures()
    python: PythonFeatures = PythonFeatures()

    @property
    def tables(self) -> Mapping[str, HistoryFeatures | EventFeatures]:
        """The features of each history and of each table of events, by the table's name."""
        return self.__pydantic_extra__

    @model_validator(mode="after")
    def _each_ratio_once(self) -> "FeatureSettings":
        if twice := repeated([ratio.name for ratio in self.ratios]):
            raise ValueError(f"asks twice for {twice}")
        return self
