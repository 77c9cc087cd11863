"""The features of histories and events that a proposal asks for."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from churnlib.proposal.columns import Column
from churnlib.proposal.kinds import Choice
from churnlib.proposal.tables import Table
from churnlib.settings.event_features import EventFeatures

WINDOWS = ["30d", "6mo"]
"""The windows of events."""
MOST_VALUES = 10
"""The number of values of a category up to which the events of each are counted apart."""
COUNTED = 5
"""The number of these values that are counted, the most frequent."""


def history_features(choices: Sequence[Choice]) -> dict[str, Any]:
    """The features of a history: the newest value and the mean of each number."""
    numbers = [choice.name for choice in choices if choice.kind is not None]
    return {
        "latest": numbers,
        "aggregations": [{"columns": numbers, "functions": ["mean"]}] if numbers else [],
        "differences": [],
    }


def event_features(table: Table, choices: Sequence[Choice]) -> dict[str, Any]:
    """The features of events: counts, the days since the last, sums of numbers, common values."""
    numbers = [c.name for c in choices if c.kind in ("number", "flag")]
    categories = [c for c in choices if c.kind == "category"]
    many = [c.name for c in categories if c.column.distinct > MOST_VALUES]
    features: dict[str, Any] = {"windows": WINDOWS, "count": True, "days_since_last": True}
    if many:
        features["distinct"] = many
    if numbers:
        features["aggregations"] = [{"columns": numbers, "functions": ["sum"]}]
    by: dict[str, list[str]] = {}
    for choice in categories:
        if choice.name not in many:
            values = {choice.name: _most_frequent(table, choice.column)}
            if _are_valid({**features, "by": {**by, **values}}):
                by |= values
    return {**features, "by": by} if by else features


def _most_frequent(table: Table, column: Column) -> list[str]:
    value = pl.col(column.name)
    counts = table.file.frame.select(value.drop_nulls()).group_by(value).len()
    found = counts.sort("len", column.name, descending=[True, False]).head(COUNTED).collect()
    return [str(each) for each in found[column.name]]


def _are_valid(features: dict[str, Any]) -> bool:
    """Whether the names of features differ, and can be made of the values."""
    try:
        EventFeatures.model_validate(features)
    except ValueError:
        return False
    return True
