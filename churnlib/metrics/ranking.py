"""How well probabilities rank, from how many churned and stayed at each level of probability.

Every function takes the counts of one or of many draws at once, a column each.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Tally:
    """How many subscriptions there are at each level of probability, the likeliest first.

    Attributes:
        churned: Those that churned; a row a level, a column a draw.
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
    def found(self) -> Floats:
        """How many churners there are at or above each level."""
        return np.cumsum(self.churned, axis=0)

    @cached_property
    def called(self) -> Floats:
        """How many subscriptions there are at or above each level."""
        return self.found + np.cumsum(self.stayed, axis=0)


def roc_auc(tally: Tally) -> Floats:
    """The probability that a churner is ranked above one who stays, ties counting half.

    Returns:
        A value a draw; NaN where there are not both.
    """
    stayed_above = tally.called - tally.found - tally.stayed
    lost = np.einsum("ld,ld->d", tally.churned, stayed_above + tally.stayed / 2)
    churned = tally.found[-1]
    return 1 - ratio(lost, churned * (tally.called[-1] - churned))


def average_precision(tally: Tally) -> Floats:
    """The precision at each churner's level, averaged over the churners.

    Returns:
        A value a draw; NaN where nobody churned.
    """
    precision = tally.found / np.maximum(tally.called, 1)
    return ratio(np.einsum("ld,ld->d", tally.churned, precision), tally.found[-1])


def gains(tally: Tally) -> Floats:
    """The share of all churners among the likeliest tenth, two tenths, to all.

    Where a tie of probabilities crosses a border, each of the tied counts in part.

    Args:
        tally: The counts.

    Returns:
        Ten rows, a column a draw; NaN where nobody churned.
    """
    called, found = tally.called, tally.found
    shares = []
    for tenth in range(1, 11):
        top = tenth * called[-1] / 10
        at = np.minimum((called < top).sum(axis=0), len(called) - 1)
        above, found_above = (_before(values, at) for values in (called, found))
        part = ratio(top - above, _at(called, at) - above)
        shares.append(found_above + part * (_at(found, at) - found_above))
    return ratio(np.array(shares), found[-1])


def _at(values: Floats, level: Whole) -> Floats:
    """The value at a level of each draw."""
    return values[level, np.arange(values.shape[1])]


def _before(values: Floats, level: Whole) -> Floats:
    """The value at the level above; 0 where there is none."""
    return np.where(level > 0, _at(values, level - 1), 0.0)


def levels(probability: Floats, most: int | None = None) -> Whole:
    """Numbers the levels of probabilities, the likeliest first.

    Args:
        probability: What was predicted.
        most: How many levels there may be. Where there are more distinct probabilities,
            neighbouring ones form groups of about equally many rows; equal ones stay together.

    Returns:
        The level of each, from 0; some levels may be empty where there are groups.
    """
    distinct, level, rows = np.unique(-probability, return_inverse=True, return_counts=True)
    if most is None or len(distinct) <= most:
        return level.astype(np.int64)
    middles = np.cumsum(rows) - rows / 2
    return (middles * most / len(probability)).astype(np.int64)[level]


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Divides; NaN or infinite where there is nothing to divide by."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient: Floats = numerator / denominator
    return quotient
