"""The features from events computed once more, slowly and obviously, and random events."""

import math
import re
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from random import Random
from statistics import fmean, median, stdev
from typing import Any, get_args

import polars as pl
from hypothesis import strategies as st

from churnlib.settings.event_features import EventAggregation, EventFeatures, EventFunction
from tests.churnlib.features.oracle import Row, months

TABLE = "logins"
FUNCTIONS: tuple[EventFunction, ...] = get_args(EventFunction)
SCHEMA: dict[str, Any] = {
    "char_id": pl.Int64,
    "at": pl.Datetime("us"),
    "minutes": pl.Float64,
    "score": pl.Float64,
    "platform": pl.String,
    "won": pl.Boolean,
}
COHORT: dict[str, Any] = {"char_id": pl.Int64, "row": pl.Int64, "day": pl.Date}
WINDOWS = ("1d", "30d", "1mo", "3mo", "1d..30d", "0d..2d", "1mo..3mo")
PLATFORMS = ("pc", "mobile", "play station")

EVERYTHING = EventFeatures(
    windows=WINDOWS,
    count=True,
    days_since_last=True,
    days_since_first=True,
    distinct=("platform", "minutes", "won"),
    aggregations=(EventAggregation(columns=("minutes", "score", "won"), functions=FUNCTIONS),),
    by={"platform": PLATFORMS},
)
"""Every kind of feature from events."""


def features(
    row: Row, events: Sequence[Row], settings: EventFeatures, as_of: date, known_after_days: int = 0
) -> Row:
    """The features of one row of a cohort."""
    delay = timedelta(days=known_after_days)
    visible = [
        event
        for event in events
        if event["char_id"] == row["char_id"]
        and day_of(event) + delay <= row["day"]
        and day_of(event) + delay <= as_of
    ]
    ages = [(row["day"] - day_of(event)).days for event in visible]
    result: Row = {}
    if settings.days_since_last:
        result[f"{TABLE}_days_since_last"] = min(ages, default=None)
    if settings.days_since_first:
        result[f"{TABLE}_days_since_first"] = max(ages, default=None)
    for window in settings.windows:
        inside = [event for event in visible if is_inside(day_of(event), row["day"], window)]
        for name, value in _of_window(inside, settings).items():
            result[f"{TABLE}_{name}_{window.replace('..', '_')}"] = value
    return result


def day_of(event: Row) -> date:
    """The day of an event."""
    at = event["at"]
    return at.date() if isinstance(at, datetime) else at


def is_inside(event: date, day: date, window: str) -> bool:
    """Whether an event is in a window back from a day."""
    *first, last = (int(number) for number in re.findall(r"\d+", window))
    age = (day - event).days if window.endswith("d") else months(event, day)
    return (first[0] if first else 0) <= age < last


def _of_window(events: list[Row], settings: EventFeatures) -> Row:
    result: Row = {}
    if settings.count:
        result["count"] = len(events)
    for column, values in settings.by.items():
        for value in values:
            name = f"{column}_{value.replace(' ', '_')}_count"
            result[name] = sum(event[column] == value for event in events)
    for column in settings.distinct:
        result[f"{column}_distinct"] = len({event[column] for event in events} - {None})
    for aggregation in settings.aggregations:
        for column in aggregation.columns:
            known = [float(e[column]) for e in events if e[column] is not None]
            for function in aggregation.functions:
                fewest, aggregate = AGGREGATIONS[function]
                figure = aggregate(known) if len(known) >= fewest else None
                result[f"{column}_{function}"] = figure
    return result


AGGREGATIONS: Mapping[str, tuple[int, Callable[[list[float]], float]]] = {
    "sum": (0, math.fsum),
    "mean": (1, fmean),
    "median": (1, median),
    "min": (1, min),
    "max": (1, max),
    "std": (2, stdev),
}
"""How values are aggregated that are not null, and how many there must be."""


def event(char_id: int, at: datetime | date, **changes: Any) -> Row:
    """An event; `changes` replace its values."""
    facts: Row = {"minutes": 1.5, "score": None, "platform": "pc", "won": True}
    return {"char_id": char_id, "at": at, **facts, **changes}


def row(char_id: int, day: date, number: int = 0) -> Row:
    """A row of a cohort."""
    return {"char_id": char_id, "row": number, "day": day}


def days_near(first: int, last: int) -> st.SearchStrategy[date]:
    """Days in a span of months, so few in each that many facts fall on the same one."""

    def build(month: int, day: int) -> date:
        year, index = divmod(12 * 2023 + 9 + month, 12)
        return date(year, index + 1, min(day, monthrange(year, index + 1)[1]))

    return st.builds(build, st.integers(first, last), st.sampled_from((1, 2, 30, 31)))


_times = st.sampled_from(
    (time(0), time(0, 0, 0, 1), time(12), time(12, 0, 1), time(23, 59, 59, 999999))
)
_numbers = st.one_of(
    st.none(),
    st.sampled_from((0.0, -0.0, 1.0)),
    st.integers(-500, 5_000).map(lambda cents: cents / 100),
    st.integers(99_999_000, 100_001_000).map(lambda cents: cents / 100),
)
_events = st.builds(
    event,
    st.sampled_from((1, 2, 3, 40)),
    st.builds(datetime.combine, days_near(0, 6), _times),
    minutes=_numbers,
    score=_numbers,
    platform=st.sampled_from((None, *PLATFORMS, "web")),
    won=st.sampled_from((None, True, False)),
)
events = st.lists(_events, max_size=25)
"""Events of up to four characters, in any order, many of them at the same time."""


def _numbered(rows: list[Row], seed: int) -> list[Row]:
    shuffled = Random(seed).sample(rows, len(rows))
    return [{**each, "row": number} for number, each in enumerate(shuffled)]


cohorts = st.builds(
    _numbered,
    st.lists(st.builds(row, st.sampled_from((1, 2, 3, 50)), days_near(0, 7)), max_size=6),
    st.integers(0, 2**16),
)
"""Cohorts of rows, some of the same character and day, and some of characters without events."""


@st.composite
def event_settings(draw: st.DrawFn) -> EventFeatures:
    """Any settings of features from events."""

    def subset(names: Sequence[str]) -> tuple[Any, ...]:
        return tuple(draw(st.lists(st.sampled_from(names), unique=True)))

    columns = ("minutes", "score", "won")
    aggregations = [
        EventAggregation(columns=(column,), functions=subset(FUNCTIONS)) for column in columns
    ]
    return EventFeatures(
        windows=(draw(st.sampled_from(WINDOWS)), "45d"),
        count=draw(st.booleans()),
        days_since_last=draw(st.booleans()),
        days_since_first=draw(st.booleans()),
        distinct=subset(("platform", "minutes", "won")),
        aggregations=tuple(aggregations),
        by={"platform": subset(PLATFORMS)},
    )
