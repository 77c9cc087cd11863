"""All features besides the standard ones: from histories and events, ratios, the calendar."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from churnlib.errors import SettingsError
from churnlib.features.calendar import add_calendar
from churnlib.features.events import add_event_features
from churnlib.features.history import add_history_features
from churnlib.features.python import DatedTable, add_python_features
from churnlib.features.python_module import FILE, load_functions, python_digest
from churnlib.features.python_results import PythonFeature
from churnlib.features.ratios import add_ratios
from churnlib.schemas.columns import SUB_START_DATE
from churnlib.schemas.raw_tables import raw_tables
from churnlib.schemas.spec import TableSpec
from churnlib.schemas.validation import require
from churnlib.settings import Settings
from churnlib.settings.event_features import EventFeatures
from churnlib.settings.features import FeatureSettings
from churnlib.settings.history_features import HistoryFeatures
from churnlib.settings.layers import games_folder
from churnlib.settings.tables import TableKind


@dataclass(frozen=True)
class ActivityTable:
    """What features depend on of a history or a table of events.

    Attributes:
        name: Its name.
        kind: Which of the two it is.
        dated: The column of the day or time of its facts.
        known_after_days: The days from that of a fact to that on which it is known.
    """

    name: str
    kind: TableKind
    dated: str
    known_after_days: int

    @classmethod
    def of(cls, spec: TableSpec) -> "ActivityTable":
        """Takes these facts from the record of a raw table."""
        return cls(spec.name, spec.kind, spec.dated, spec.known_after_days)


@dataclass(frozen=True)
class ActivityFeatures:
    """Which features to compute, and from which tables.

    Attributes:
        tables: All histories and tables of events of the game.
        features: The features.
        python: A digest of the source of the project's own functions; empty if none is used.
    """

    tables: tuple[ActivityTable, ...]
    features: FeatureSettings
    python: str = ""

    def named(self, frames: Sequence[pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
        """Names frames of the tables, which are in the same order."""
        return dict(zip((table.name for table in self.tables), frames, strict=True))

    @classmethod
    def of(cls, settings: Settings) -> "ActivityFeatures":
        """Takes them from the settings of a game."""
        tables = raw_tables(settings).activity
        names = {spec.name for spec in tables}
        asked = settings.features.model_copy(deep=True)
        for name in {*asked.tables} - names:  # Features of tables that the game does not have.
            del asked.__pydantic_extra__[name]
        return cls(tuple(map(ActivityTable.of, tables)), asked, own_functions_digest(settings))


def add_activity_features(
    rows: pl.LazyFrame,
    tables: Mapping[str, pl.LazyFrame],
    asked: ActivityFeatures | Settings,
    *,
    as_of: date,
    day: str = SUB_START_DATE,
    functions: Sequence[PythonFeature] = (),
) -> pl.LazyFrame:
    """Adds all features besides the standard ones, as known on the day of each row.

    Args:
        rows: The rows, with `char_id` and the day.
        tables: The checked raw tables, by name; those that are neither a history nor events are
            not read.
        asked: The settings of the game, or only what these features depend on.
        as_of: The day of the run; later facts are not read.
        day: The column of the day of each row.
        functions: Functions that compute features, besides those of `games/features.py`.

    Returns:
        The rows, in their order, with the features.

    Raises:
        DataError: A table or a column is missing.
    """
    if isinstance(asked, Settings):
        asked = ActivityFeatures.of(asked)
    require(tables, [table.name for table in asked.tables], "the tables")
    for table in asked.tables:
        features, frame = asked.features.tables.get(table.name), tables[table.name]
        known: Any = {"as_of": as_of, "known_after_days": table.known_after_days, "day": day}
        if isinstance(features, HistoryFeatures):
            rows = add_history_features(rows, frame, features, table=table.name, **known)
        elif isinstance(features, EventFeatures):
            time = table.dated
            rows = add_event_features(rows, frame, features, table=table.name, time=time, **known)
    rows = rows.pipe(add_calendar, asked.features.calendar, day=day)
    if functions := (*_own_functions(asked), *functions):
        dated = {
            table.name: DatedTable(tables[table.name], table.dated, table.known_after_days)
            for table in asked.tables
        }
        rows = add_python_features(rows, dated, functions, as_of=as_of, day=day)
    return rows.pipe(add_ratios, asked.features.ratios)


def own_functions(features: FeatureSettings) -> tuple[PythonFeature, ...]:
    """The functions of the project, in the module beside its games, that compute features.

    Raises:
        SettingsError: There is no such module or function, or the module fails.
    """
    use = features.python.use
    return load_functions(games_folder(), use) if use else ()


def _own_functions(asked: ActivityFeatures) -> tuple[PythonFeature, ...]:
    """The functions, if they are those that the request was made for."""
    use = asked.features.python.use
    if use and python_digest(games_folder(), use) != asked.python:
        raise SettingsError(
            f"features.python.use: {games_folder() / FILE} has changed since the run began, or "
            "differs on a worker. Run again, with the same file everywhere."
        )
    return own_functions(asked.features)


def own_functions_digest(settings: Settings) -> str:
    """A digest of the source of these functions; empty if none is used.

    Raises:
        SettingsError: There is no such module.
    """
    use = settings.features.python.use
    return python_digest(games_folder(), use) if use else ""
