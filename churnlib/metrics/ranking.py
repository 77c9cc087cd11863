"""Ranking metrics from counts of churned and other subscriptions at each level of probability.

Every function computes one or many bootstrap draws at once, one column each.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

CHANCE = 0.5
"""The ROC AUC of a random ranking."""


@dataclass(frozen=True, eq=False)
class Tally:
    """Counts of subscriptions at each level of probability, the highest first.

    Attributes:
        churned: Those that churned; one row per level, one column per draw.
        stayed: The others.
    """

    churned: Floats
    stayed: Floats

    @classmethod
    def of(cls, outcome: Flags, probability: Floats) -> "Tally":
        """Counts subscriptions by their distinct probabilities, in one column."""
        level = levels(probability)
        count = int(level.max()) + 1
        kinds = (np.bincount(level[kind], minlength=count) for kind in (outcome, ~outcome))
        return cls(*(kind.astype(np.float64).reshape(-1, 1) for kind in kinds))

    @cached_property
    def churned_above(self) -> Floats:
        """The number of churners at or above each level."""
        return np.cumsum(self.churned, axis=0)

    @cached_property
    def stayed_above(self) -> Floats:
        """The number of the others at or above each level."""
        return np.cumsum(self.stayed, axis=0)

    @cached_property
    def rows_above(self) -> Floats:
        """The number of subscriptions at or above each level."""
        return self.churned_above + self.stayed_above


def roc_auc(tally: Tally) -> Floats:
    """Computes the probability that a churner is ranked above a non-churner; ties count half.

    Returns:
        One value per draw; NaN unless both outcomes occur.
    """
    # Sums of whole numbers are exact in any order.
    lost = np.einsum("ld,ld->d", tally.churned, tally.stayed_above)
    lost -= np.einsum("ld,ld->d", tally.churned, tally.stayed) / 2
    return 1 - ratio(lost, tally.churned_above[-1] * tally.stayed_above[-1])


def average_precision(tally: Tally) -> Floats:
    """Computes the precision at each churner's level, averaged over the churners.

    Returns:
        One value per draw; NaN if none churned.
    """
    precision = tally.churned_above / np.maximum(tally.rows_above, 1)
    return ratio(np.einsum("ld,ld->d", tally.churned, precision), tally.churned_above[-1])


def gains(tally: Tally) -> Floats:
    """Computes the share of all churners in the first decile, the first two, up to all ten.

    If a boundary divides subscriptions of equal probability, each counts in part.

    Args:
        tally: The counts.

    Returns:
        Ten rows, one column per draw; NaN if none churned.
    """
    rows, churners = tally.rows_above, tally.churned_above
    shares = []
    for decile in range(1, 11):
        top = decile * rows[-1] / 10
        at = np.minimum(_first_at_least(rows, top), len(rows) - 1)
        rows_before, churners_before = (_before(values, at) for values in (rows, churners))
        part = ratio(top - rows_before, _at(rows, at) - rows_before)
        shares.append(churners_before + part * (_at(churners, at) - churners_before))
    return ratio(np.array(shares), churners[-1])


def _first_at_least(values: Floats, least: Floats) -> Whole:
    """The first row of each column whose value is at least as great; values never decrease."""
    first = np.zeros(values.shape[1], np.int64)
    end = np.full(values.shape[1], len(values))
    while (open_ := first < end).any():
        middle = (first + end) // 2
        less = open_ & (_at(values, np.minimum(middle, len(values) - 1)) < least)
        first, end = np.where(less, middle + 1, first), np.where(open_ & ~less, middle, end)
    return first


def _at(values: Floats, level: Whole) -> Floats:
    """The value at a level of each draw."""
    return values[level, np.arange(values.shape[1])]


def _before(values: Floats, level: Whole) -> Floats:
    """The value at the level before; 0 if there is none."""
    return np.where(level > 0, _at(values, level - 1), 0.0)


def levels(probability: Floats, most: int | None = None) -> Whole:
    """Numbers the distinct probabilities, the highest first.

    Args:
        probability: The predicted probabilities.
        most: The maximum number of levels. More distinct probabilities are grouped with their
            neighbours into levels of about equally many rows; equal ones stay together.

    Returns:
        The level of each row, from 0; grouped levels may be empty.
    """
    distinct, level, rows = np.unique(-probability, return_inverse=True, return_counts=True)
    if most is None or len(distinct) <= most:
        return level.astype(np.int64)
    middles = np.cumsum(rows) - rows / 2
    return (middles * most / len(probability)).astype(np.int64)[level]


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Divides without warnings; NaN or infinite if the denominator is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient: Floats = numerator / denominator
    return quotient
