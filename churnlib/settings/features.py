"""Settings of the features besides the standard ones."""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Tag, model_validator

from churnlib.settings.event_features import EventFeatures
from churnlib.settings.fields import Item, Section, refused, repeated
from churnlib.settings.history_features import HistoryFeatures
from churnlib.settings.tables import Name


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

    def names(self, tables: Collection[str]) -> Iterator[str]:
        """Yields the names of all features but the standard ones and those in Python, in order.

        Args:
            tables: The names of the tables that the game has; features of others do not exist.
        """
        for table, features in self.tables.items():
            if table in tables:
                yield from (feature.name for feature in features.of_table(table))
        yield from self.calendar.use
        yield from (ratio.name for ratio in self.ratios)

    @model_validator(mode="before")
    @classmethod
    def _settings_as_written(cls, values: Any) -> Any:
        """Refuses a setting in other letters, which would count as the name of a table."""
        for name in values if isinstance(values, Mapping) else ():
            if str(name).lower() in cls.model_fields.keys() - {name}:
                raise refused("extra_forbidden", name)
        return values

    @model_validator(mode="after")
    def _each_ratio_once(self) -> "FeatureSettings":
        if twice := repeated([ratio.name for ratio in self.ratios]):
            raise ValueError(f"asks twice for {twice}")
        return self
