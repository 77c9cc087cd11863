"""Settings of the features that are computed from events."""

import re
from collections.abc import Iterator
from itertools import product
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from churnlib.settings.event_windows import PATTERN, EventWindow
from churnlib.settings.fields import Flag, Item, Section, repeated
from churnlib.settings.tables import Name

EventFunction = Literal["sum", "mean", "median", "max", "min", "std"]


def _check_window(text: str) -> str:
    window = EventWindow(text)
    if window.start >= window.end:
        raise ValueError(f"the window {text} has no days; it should end after it starts")
    return text


Window = Annotated[str, Field(pattern=PATTERN), AfterValidator(_check_window)]
"""A window back from the day of a row, such as `30d`, `6mo` or `30d..60d`."""


class EventFeature(NamedTuple):
    """A feature from a table of events.

    Attributes:
        name: Its column.
        kind: How it is computed.
        window: The window of its events; None for all that are visible.
        column: The column of the events, if any.
        function: The function of an aggregation.
        value: The value of the events to count, if only those with one value.
    """

    name: str
    kind: Literal["days_since_last", "days_since_first", "count", "distinct", "aggregation"]
    window: EventWindow | None = None
    column: str = ""
    function: EventFunction | None = None
    value: str | None = None


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
    """Columns, and values of each whose events are counted apart in each window, as features
    `<table>_<column>_<value>_count_<window>`. In names, characters other than letters, digits and
    underscores are replaced with an underscore."""

    def of_table(self, table: str) -> Iterator[EventFeature]:
        """The features in their order, with the names that they have for a table."""
        if self.days_since_last:
            yield EventFeature(f"{table}_days_since_last", "days_since_last")
        if self.days_since_first:
            yield EventFeature(f"{table}_days_since_first", "days_since_first")
        for window in map(EventWindow, self.windows):
            for feature in self._of_window(window):
                yield feature._replace(name=f"{table}_{feature.name}_{window.name}")

    def _of_window(self, window: EventWindow) -> Iterator[EventFeature]:
        if self.count:
            yield EventFeature("count", "count", window)
        for column, values in self.by.items():
            for value in values:
                name = f"{column}_{_word(value)}_count"
                yield EventFeature(name, "count", window, column, value=value)
        for column in self.distinct:
            yield EventFeature(f"{column}_distinct", "distinct", window, column)
        for a in self.aggregations:
            for column, function in product(a.columns, a.functions):
                yield EventFeature(f"{column}_{function}", "aggregation", window, column, function)

    @model_validator(mode="after")
    def _each_feature_once(self) -> "EventFeatures":
        needs = [
            name for name in ("count", "by", "distinct", "aggregations") if getattr(self, name)
        ]
        if needs and not self.windows:
            raise ValueError(f'has {needs[0]}, but no windows. Add some, such as windows = ["30d"]')
        if twice := repeated([feature.name for feature in self.of_table("events")]):
            raise ValueError(f"asks twice for {twice}")
        return self


def _word(value: str) -> str:
    word = re.sub(r"\W", "_", value, flags=re.ASCII)
    if not word.strip("_"):
        raise ValueError(f"cannot name a feature after {value!r}: no letter from A to Z, no digit")
    return word
