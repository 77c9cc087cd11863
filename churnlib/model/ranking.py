"""How well probabilities rank, from how many churned and stayed at each level of probability.

Every function takes the counts of one or of many draws at once, a column each.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

TENTHS = np.linspace(0, 1, 11)


@dataclass(frozen=True, eq=False)
class Tally:
    """How many subscriptions there are at each level of probability, the likeliest first.

    Attributes:
        churned: Those that churned; a row a level, a column a draw.
        stayed: The others.
    """

    churned: Floats
    stayed: Floats

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


def gains(tally: Tally, shares: Floats = TENTHS) -> Floats:
    """The share of all churners among the likeliest so many.

    Where a tie of probabilities crosses a border, each of the tied counts in part.

    Args:
        tally: The counts.
        shares: Of all subscriptions, each within 0 and 1.

    Returns:
        A row a share, a column a draw; NaN where nobody churned.
    """
    zero = np.zeros((1, tally.called.shape[1]))
    called, found = np.vstack([zero, tally.called]).T, np.vstack([zero, tally.found]).T
    among = [np.interp(shares * c[-1], c, f) for c, f in zip(called, found, strict=True)]
    return ratio(np.array(among).T, found[:, -1])


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
