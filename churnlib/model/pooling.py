"""Pooling: the rare values of a category count as one, because algorithms take only so many."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

UNUSUAL_SHARE, UNUSUAL_ERRORS = 0.1, 4
"""A batch has unusually many rare values if they exceed their share in training by both: this share
of the batch, and this many standard errors."""


@dataclass(frozen=True)
class Pooled:
    """The rare values of a category, which the model takes as one value.

    Attributes:
        name: The name of that value, which no other category has.
        values: The number of values pooled in training.
        share: The share of the training rows that had one of them.
    """

    name: str
    values: int
    share: float

    def is_usual(self, count: int, rows: int) -> bool:
        """Whether so many rows of a batch may be pooled, given their share in training.

        Args:
            count: The number of rows with a value that is not kept.
            rows: The number of rows of the batch.
        """
        excess = count - self.share * rows
        error = sqrt(rows * self.share * (1 - self.share))
        return excess <= max(UNUSUAL_SHARE * rows, UNUSUAL_ERRORS * error)


def pool(
    counts: Mapping[str, int], rows: int, most: int | None
) -> tuple[tuple[str, ...], Pooled | None]:
    """Decides which values of a category to keep.

    Args:
        counts: The number of training rows with each value.
        rows: The number of training rows.
        most: The most values that the model takes, the pooled one included; None for no limit.

    Returns:
        The values to keep, sorted: all, or the most frequent, of equally frequent ones the first in
        alphabetical order. Then what the others are pooled to; None if all are kept.
    """
    if most is None or len(counts) <= most:
        return tuple(sorted(counts)), None
    by_frequency = sorted(counts, key=lambda value: (-counts[value], value))
    kept, rare = by_frequency[: most - 1], by_frequency[most - 1 :]
    name = "other"
    while name in kept:
        name = f"({name})"
    share = sum(counts[value] for value in rare) / rows
    return tuple(sorted(kept)), Pooled(name, len(rare), share)


def describe_pooled(features: Iterable[Mapping[str, Any]]) -> str | None:
    """Describes the pooled categories of the features in a manifest; None if there are none.

    >>> pooled = {"name": "other", "values": 447, "share": 0.25}
    >>> describe_pooled([{"name": "territory", "categories": ["north"], "pooled": pooled}])
    'territory: 1 of 448 values kept, the others (25.0% of the rows) pooled as "other"'
    """
    return (
        "; ".join(
            f"{feature['name']}: {len(feature['categories'])} of "
            f"{len(feature['categories']) + pooled['values']:,} values kept, the others "
            f'({pooled["share"]:.1%} of the rows) pooled as "{pooled["name"]}"'
            for feature in features
            if (pooled := feature.get("pooled"))
        )
        or None
    )
