"""What the plots of a report show, in numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churnlib.model import ranking
from churnlib.model.ranking import Tally

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

Z_95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""
TENTHS = np.linspace(0, 1, 11)
MAX_POINTS = 300
"""More points of a curve than this cannot be told apart in a plot."""
MAX_RISK_GROUPS = 10
ROWS_PER_RISK_GROUP = 20
"""Fewer subscriptions than this give no rate worth showing."""


@dataclass(frozen=True)
class RiskGroup:
    """Subscriptions of about the same predicted probability.

    Attributes:
        rows: How many there are.
        churned: How many of them churned.
        predicted: The mean of their predicted probabilities.
        low: The lower end of the 95 % interval of their churn rate.
        high: Its upper end.
    """

    rows: int
    churned: int
    predicted: float
    low: float
    high: float

    @property
    def observed(self) -> float:
        """The share that churned."""
        return self.churned / self.rows


def roc(outcome: Flags, probability: Floats) -> tuple[Floats, Floats]:
    """Computes the ROC curve.

    Args:
        outcome: Whether each churned; both outcomes occur.
        probability: What was predicted.

    Returns:
        The share of those who stay and the share of churners at or above each threshold, from
        (0, 0) to (1, 1); at most `MAX_POINTS` points.
    """
    called, found = _found_by_called(outcome, probability)
    shown = np.linspace(0, len(called) - 1, min(len(called), MAX_POINTS)).round().astype(np.int64)
    called, found = called[shown], found[shown]
    return (called - found) / np.count_nonzero(~outcome), found / np.count_nonzero(outcome)


def gains(outcome: Flags, probability: Floats) -> Floats:
    """Computes the share of all churners among the likeliest 0 %, 10 % to 100 %.

    Where a tie of probabilities crosses a border, each of the tied counts in part.

    Args:
        outcome: Whether each churned; at least one did.
        probability: What was predicted.

    Returns:
        11 shares, from 0 to 1.
    """
    return np.append(0.0, ranking.gains(Tally.of(outcome, probability)))


def risk_groups(outcome: Flags, probability: Floats) -> list[RiskGroup]:
    """Parts subscriptions by predicted probability, and holds each group against the outcome.

    Args:
        outcome: Whether each churned.
        probability: What was predicted.

    Returns:
        Groups of about equal size, likeliest first: ten where there are rows enough, else fewer.
        Equal probabilities stay together, so that groups may differ in size or be fewer. The
        intervals are those of Wilson, Journal of the American Statistical Association 22 (1927).
    """
    order = np.argsort(-probability, kind="stable")
    outcome, probability = outcome[order], probability[order]
    n = len(outcome)
    wanted = min(MAX_RISK_GROUPS, max(2, n // ROWS_PER_RISK_GROUP))
    starts, sizes = np.unique(-probability, return_index=True, return_counts=True)[1:]
    middles = np.repeat(starts + sizes / 2, sizes)
    borders = np.flatnonzero(np.diff((middles * wanted / n).astype(np.int64))) + 1
    parts = zip(np.split(outcome, borders), np.split(probability, borders), strict=True)
    return [_risk_group(*part) for part in parts if len(part[0])]


def _risk_group(outcome: Flags, probability: Floats) -> RiskGroup:
    n, churned = len(outcome), int(outcome.sum())
    share = churned / n
    centre = share + Z_95**2 / (2 * n)
    half = Z_95 * (share * (1 - share) / n + (Z_95 / (2 * n)) ** 2) ** 0.5
    low, high = ((centre + sign * half) / (1 + Z_95**2 / n) for sign in (-1, 1))
    # At 0 and 1 the interval touches the share itself, which rounding may cross.
    low, high = max(0.0, min(low, share)), min(1.0, max(high, share))
    return RiskGroup(n, churned, float(probability.mean()), low, high)


def _found_by_called(outcome: Flags, probability: Floats) -> tuple[Floats, Floats]:
    """How many are called churners at each threshold, and how many churners are among them."""
    order = np.argsort(-probability, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(probability[order])), len(order) - 1)
    found = np.cumsum(outcome[order])[last_of_tie]
    return np.append(0.0, last_of_tie + 1.0), np.append(0.0, found)
