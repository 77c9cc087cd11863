"""Metrics by segment, and by month of the rows' days."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from churnlib.errors import SettingsError, closest
from churnlib.metrics.definitions import (
    intervals_of,
    measure,
    values_of,
    why_missing,
)
from churnlib.metrics.intervals import Interval
from churnlib.metrics.predictions import Predictions, known_rows
from churnlib.schemas.columns import (
    CAMPAIGN,
    CHAR_ID,
    LABEL,
    MONTHS_LEFT,
    PROBABILITY,
    SEGMENTS_BY_MONTH,
    SUB_ID,
    TENURE,
    day_column,
)
from churnlib.schemas.outputs import cohort_columns, output_tables
from churnlib.schemas.raw_tables import raw_tables
from churnlib.schemas.validation import (
    as_frame,
    check_dates,
    check_flags,
    check_labels,
    check_segment_columns,
    check_whole,
    require,
)
from churnlib.settings import Settings

CHARACTERS = "characters"
"""The segments of every report: new and returning characters."""
BINS: Mapping[str, Sequence[int]] = {TENURE: (0, 1, 4, 7, 13), MONTHS_LEFT: (0, 1, 4, 7, 13)}
"""Segments of every report whose rows have these columns: the first value of each."""
MIN_ROWS = 20
"""With fewer labelled subscriptions, only the counts and the churn rate are reported."""


@dataclass(frozen=True)
class Segment:
    """The metrics of a part of the subscriptions; see `churnlib.metrics.evaluate.Scores`.

    Attributes:
        value: The value that its subscriptions share, a range such as `1 to 3`, or a month such as
            `2024-05`; None if the value is not known.
        subscriptions: The number of subscriptions that the `n` rows are of.
    """

    value: str | None
    n: int
    positives: int
    immature: int
    subscriptions: int
    values: Mapping[str, float | None]
    intervals: Mapping[str, Interval | None]
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The segment as plain data, always with the same keys."""
        return {
            "value": self.value,
            "n": self.n,
            "positives": self.positives,
            "immature": self.immature,
            "subscriptions": self.subscriptions,
            **self.values,
            "intervals": dict(self.intervals),
            "reason": self.reason,
        }


def check_segments(columns: Sequence[str], settings: Settings) -> None:
    """Checks that subscriptions can be grouped by columns, before the long work starts.

    Args:
        columns: The setting `evaluation.segments`.
        settings: The settings of the game.

    Raises:
        SettingsError: A column is no standard feature and no other column of the cohort, or does
            not hold categories.
    """
    cohort = {name: each.dtype for name, each in cohort_columns(settings.cohort).items()}
    known = output_tables(settings)["standard_features"].types | cohort
    ids = raw_tables(settings).ids
    possible = [
        name
        for name, dtype in known.items()
        if name not in ids and (dtype in (pl.String, pl.Boolean) or dtype.is_integer())
    ]
    for column in columns:
        if column not in possible:
            why = "does not hold categories" if column in known else "is not a standard feature"
            raise SettingsError(
                f"evaluation.segments: '{column}' {why}. {closest(column, possible)}"
            )


def breakdown(
    scored: pl.DataFrame | pl.LazyFrame, columns: Sequence[str] = (), most_values: int = 10
) -> dict[str, Any]:
    """Computes metrics by segment, and by month of the rows' days.

    Args:
        scored: See `churnlib.metrics.evaluate.evaluate`; with the columns, and the
            day: `day`, or `sub_start_date` without it.
        columns: The columns to group by: text, flags or whole numbers. New and returning
            characters are always grouped, and where the rows have them, `tenure_months` and
            `months_left`, in ranges, and `months_missed_in_a_row`; and by what a campaign did, if
            it reached any (`campaign`).
        most_values: The maximum number of values per column, the most frequent ones; the others
            form one group.

    Returns:
        As plain data: `segments`, lists of `Segment` by column, and `cohorts`, a `Segment` for each
        month. Numbers are in numerical order, texts in natural order; unknown values
        follow, and the group of rare values is last.

    Raises:
        DataError: A column is missing or holds an invalid value.
    """
    scored = _checked(scored, columns)
    is_new = pl.when("is_first_sub").then(pl.lit("new")).otherwise(pl.lit("returning"))
    keys = {
        CHARACTERS: _Key(is_new),
        **{
            name: _Key(_range(name)) if name in BINS else _frequent_values(values, most_values)
            for name in dict.fromkeys((*SEGMENTS_BY_MONTH, *columns))
            if (values := scored.get_column(name, default=None)) is not None
        },
    }
    if CAMPAIGN in scored.columns and scored[CAMPAIGN].n_unique() > 1:
        keys[CAMPAIGN] = _Key(pl.col(CAMPAIGN))
    month = _Key(pl.col(day_column(scored.columns)).dt.strftime("%Y-%m"))
    known = known_rows(scored)
    everyone = Predictions.of(known)

    def grouped(key: _Key) -> list[dict[str, Any]]:
        return [segment.to_json() for segment in _segments(scored, known, everyone, key)]

    return {
        "cohorts": grouped(month),
        "segments": {name: grouped(key) for name, key in keys.items()},
    }


def _checked(scored: pl.DataFrame | pl.LazyFrame, columns: Sequence[str]) -> pl.DataFrame:
    what = "the scored rows"
    rows = as_frame(scored, what)
    day = day_column(rows.columns)
    needed = (SUB_ID, day, "is_first_sub", LABEL, PROBABILITY)
    require(rows.columns, needed, what)
    check_labels(rows[LABEL])
    check_whole(rows, SUB_ID, CHAR_ID)
    check_flags(rows, "is_first_sub")
    check_dates(rows.schema, day)
    check_segment_columns(rows, columns, what)
    return rows


@dataclass(frozen=True)
class _Key:
    """The values to group subscriptions by.

    Attributes:
        value: The value of each row as text.
        rest: The name of the group of rare values; None if there is none.
    """

    value: pl.Expr
    rest: str | None = None

    def order(self, value: str | None) -> tuple[Any, ...]:
        """The sort key of a value."""
        if value is None:
            return (1,)
        return (2,) if value == self.rest else (0, *_natural_order(value))


def _range(name: str) -> pl.Expr:
    """The range of `BINS` that a number lies in, as text."""
    firsts = BINS[name]
    lasts = [following - 1 for following in firsts[1:]]
    ranges = [f"{a}" if a == b else f"{a} to {b}" for a, b in zip(firsts, lasts, strict=False)]
    texts = zip(firsts, [*ranges, f"{firsts[-1]} or more"], strict=True)
    return pl.coalesce(
        pl.when(pl.col(name) >= first).then(pl.lit(text)) for first, text in reversed(list(texts))
    )


def _frequent_values(values: pl.Series, most: int) -> _Key:
    value = pl.col(values.name).cast(pl.String)
    counts = values.cast(pl.String).drop_nulls().value_counts(name="rows").rows()
    ordered = sorted(counts, key=lambda counted: (-counted[1], *_natural_order(counted[0])))
    frequent, rare = [name for name, _ in ordered[:most]], len(counts) - most
    if rare < 2:
        return _Key(value)
    rest = f"{rare} other values"
    is_listed = value.is_null() | value.is_in(frequent)
    return _Key(pl.when(is_listed).then(value).otherwise(pl.lit(rest)), rest)


def _natural_order(value: str) -> tuple[Any, ...]:
    """The sort key of a text, with numbers within it in numerical order.

    >>> sorted(["10", "-1", "2", "-12"], key=_natural_order)
    ['-12', '-1', '2', '10']
    >>> sorted(["tier 10", "Tier 2", "bronze"], key=_natural_order)
    ['bronze', 'Tier 2', 'tier 10']
    """
    if re.fullmatch(r"-?[0-9]+", value):
        return 0, int(value), value
    # The groups of the pattern are at the odd places.
    parts = re.split(r"([0-9]+)", value.casefold())
    return 1, tuple(int(p) if n % 2 else p for n, p in enumerate(parts)), value


def _segments(
    scored: pl.DataFrame, known: pl.DataFrame, everyone: Predictions, key: _Key
) -> list[Segment]:
    labels = scored.select(LABEL, key=key.value)
    immature = labels.group_by("key").agg(pl.col(LABEL).null_count()).rows()
    keys = known.select(key=key.value)["key"]
    return [
        _segment(value, young, everyone, keys.eq_missing(pl.Series([value], dtype=pl.String)))
        for value, young in sorted(immature, key=lambda group: key.order(group[0]))
    ]


def _segment(value: str | None, immature: int, everyone: Predictions, keep: pl.Series) -> Segment:
    predictions = everyone.where(keep.to_numpy())
    n, positives = len(predictions.outcome), int(predictions.outcome.sum())
    counts = (value, n, positives, immature, predictions.subscriptions)
    if predictions.subscriptions < MIN_ROWS:
        values: dict[str, float | None] = values_of({}, "segments")
        if n:
            values["base_rate"] = positives / n
        reason = f"fewer than {MIN_ROWS} subscriptions with a label"
        return Segment(*counts, values, intervals_of(predictions, {}, "segments"), reason)
    measured = measure(predictions, "segments")
    return Segment(
        *counts,
        values_of(measured, "segments"),
        intervals_of(predictions, measured, "segments"),
        why_missing(predictions),
    )
