"""How good predictions are of parts of the subscriptions: by category, and by month of start."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl

from churnlib.errors import SettingsError, closest
from churnlib.metrics import definitions
from churnlib.metrics.definitions import Predicted
from churnlib.metrics.intervals import Interval
from churnlib.metrics.scores import (
    intervals_of,
    is_mixed,
    known_rows,
    predictions,
    values_of,
    why_undefined,
)
from churnlib.schemas.columns import LABEL, PROBABILITY
from churnlib.schemas.tables import ID_COLUMNS, StandardFeatures
from churnlib.schemas.validation import (
    as_frame,
    check_dates,
    check_flags,
    check_labels,
    check_segment_columns,
    check_whole,
    require,
)

FIGURES = ("base_rate", "mean_predicted", "roc_auc", "expected_calibration_error")
"""What is told of a part, as far as it is defined."""
CHARACTERS = "characters"
"""The segments that are always told apart: new and returning characters."""
LEAST_ROWS = 20
"""Of fewer subscriptions with a known outcome no figures are told but the counts."""


@dataclass(frozen=True)
class Segment:
    """The figures of a part of the subscriptions; see `churnlib.metrics.evaluate.Scores` for each.

    Attributes:
        value: What its subscriptions have in common: a value, or a month as in `2024-05`; null
            where the value is not known.
        intervals: The interval of each of `FIGURES`; null where it is not known.
    """

    value: str | None
    n: int
    positives: int
    immature: int
    base_rate: float | None = None
    mean_predicted: float | None = None
    roc_auc: float | None = None
    expected_calibration_error: float | None = None
    intervals: Mapping[str, Interval | None] = field(default_factory=lambda: dict.fromkeys(FIGURES))
    reason: str | None = None


def check_segments(columns: Sequence[str]) -> None:
    """Refuses columns that do not part subscriptions, before hours of work.

    Args:
        columns: The setting `evaluation.segments`.

    Raises:
        SettingsError: A column is none of the standard features, or holds no categories.
    """
    known = {name: column.dtype for name, column in StandardFeatures.columns().items()}
    possible = [
        name
        for name, dtype in known.items()
        if name not in ID_COLUMNS and (dtype in (pl.String, pl.Boolean) or dtype.is_integer())
    ]
    for column in columns:
        if column not in possible:
            why = "holds no categories" if column in known else "is no standard feature"
            raise SettingsError(
                f"evaluation.segments: '{column}' {why}. {closest(column, possible)}"
            )


def breakdown(
    scored: pl.DataFrame | pl.LazyFrame, columns: Sequence[str] = (), most_values: int = 10
) -> dict[str, Any]:
    """Scores parts of the subscriptions, each by itself.

    Args:
        scored: See `churnlib.metrics.evaluate.evaluate`; with the columns, and `sub_start_date`.
        columns: What to part them by, besides new and returning characters: text, flags or whole
            numbers.
        most_values: How many values of a column are told apart, the most frequent ones; the others
            stand together.

    Returns:
        As plain data: `segments`, the `Segment`s by column, and `cohorts`, a `Segment` for each
        month of the start. Numbers stand in their order, texts in that of the alphabet, where
        numbers within them count as such; then what is not known, and last what is rare.

    Raises:
        DataError: A column is missing or holds what it must not.
    """
    scored = _checked(scored, columns)
    is_new = pl.when("is_first_sub").then(pl.lit("new")).otherwise(pl.lit("returning"))
    month = pl.col("sub_start_date").dt.strftime("%Y-%m")
    keys = {
        CHARACTERS: _Key(is_new),
        **{name: _common(scored[name], most_values) for name in columns},
        "": _Key(month),
    }
    known = known_rows(scored)
    predicted = predictions(known)
    found = {
        name: [
            asdict(part)
            for part in _parts(scored.select(LABEL, key=key.value), known, predicted, key)
        ]
        for name, key in keys.items()
    }
    return {"cohorts": found.pop(""), "segments": found}


def _checked(scored: pl.DataFrame | pl.LazyFrame, columns: Sequence[str]) -> pl.DataFrame:
    what = "the scored rows"
    rows = as_frame(scored, what)
    needed = ("sub_id", "sub_start_date", "is_first_sub", LABEL, PROBABILITY)
    require(rows.columns, needed, what)
    check_labels(rows[LABEL])
    check_whole(rows, "sub_id", "char_id")
    check_flags(rows, "is_first_sub")
    check_dates(rows.schema, "sub_start_date")
    check_segment_columns(rows, columns, what)
    return rows


@dataclass(frozen=True)
class _Key:
    """What parts subscriptions.

    Attributes:
        value: The value of each row as text; of the rarer ones how many there are.
        rest: What the rarer ones are called together; null where none stand together.
    """

    value: pl.Expr
    rest: str | None = None

    def place(self, value: str | None) -> tuple[Any, ...]:
        """Where a value stands among the others."""
        if value is None:
            return (1,)
        return (2,) if value == self.rest else (0, *_natural(value))


def _common(values: pl.Series, most: int) -> _Key:
    value = pl.col(values.name).cast(pl.String)
    counts = values.cast(pl.String).drop_nulls().value_counts(name="rows").rows()
    ordered = sorted(counts, key=lambda found: (-found[1], *_natural(found[0])))
    frequent, rarer = [name for name, _ in ordered[:most]], len(counts) - most
    if rarer < 2:
        return _Key(value)
    rest = f"{rarer} other values"
    told = value.is_null() | value.is_in(frequent)
    return _Key(pl.when(told).then(value).otherwise(pl.lit(rest)), rest)


def _natural(value: str) -> tuple[Any, ...]:
    """Orders values as people do.

    >>> sorted(["10", "-1", "2", "-12"], key=_natural)
    ['-12', '-1', '2', '10']
    >>> sorted(["tier 10", "Tier 2", "bronze"], key=_natural)
    ['bronze', 'Tier 2', 'tier 10']
    """
    if re.fullmatch(r"-?[0-9]+", value):
        return 0, int(value), value
    # What a group catches stands at the odd places.
    parts = re.split(r"([0-9]+)", value.casefold())
    return 1, tuple(int(p) if n % 2 else p for n, p in enumerate(parts)), value


def _parts(
    labels: pl.DataFrame, known: pl.DataFrame, predicted: Predicted, key: _Key
) -> list[Segment]:
    immature = labels.group_by("key").agg(pl.col(LABEL).null_count()).rows()
    keys = known.select(key=key.value)["key"]
    return [
        _segment(value, young, predicted, keys.eq_missing(pl.Series([value], dtype=pl.String)))
        for value, young in sorted(immature, key=lambda found: key.place(found[0]))
    ]


def _segment(value: str | None, immature: int, everyone: Predicted, keep: pl.Series) -> Segment:
    predicted = everyone.where(keep.to_numpy())
    n, positives = len(predicted.outcome), int(predicted.outcome.sum())
    counts = (value, n, positives, immature)
    if n < LEAST_ROWS:
        few = f"fewer than {LEAST_ROWS} subscriptions with a known outcome"
        return Segment(*counts, base_rate=positives / n if n else None, reason=few)
    found = {
        "base_rate": definitions.mean(predicted, predicted.outcome.astype(np.float64)),
        "mean_predicted": definitions.mean(predicted, predicted.probability),
        "expected_calibration_error": definitions.expected_calibration_error(predicted),
    }
    if is_mixed(predicted.outcome):
        found["roc_auc"] = definitions.roc_auc(predicted)
    return Segment(
        *counts,
        **values_of(found),
        intervals={**dict.fromkeys(FIGURES), **intervals_of(found, predicted)},
        reason=why_undefined(predicted),
    )
