"""What the plots of a report show, in numbers."""

import numpy as np
from numpy.typing import NDArray

from churnlib.metrics.ranking import Tally

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Curve = tuple[Floats, Floats]
"""Points of a line, from left to right: how far across, and how far up."""

TENTHS = np.linspace(0, 1, 11)
MAX_POINTS = 200
"""More points of a curve than this cannot be told apart in a plot."""


def roc(outcome: Flags, probability: Floats) -> Curve:
    """Computes the ROC curve.

    Args:
        outcome: Whether each churned; both outcomes occur.
        probability: What was predicted.

    Returns:
        The share of those who stay and the share of churners at or above each threshold, from
        (0, 0) to (1, 1); at most `MAX_POINTS` points.
    """
    called, found = _thinned(*_found_by_called(outcome, probability))
    return (called - found) / np.count_nonzero(~outcome), found / np.count_nonzero(outcome)


def precision_recall(outcome: Flags, probability: Floats) -> Curve:
    """Computes the precision-recall curve.

    Args:
        outcome: Whether each churned; both outcomes occur.
        probability: What was predicted.

    Returns:
        The share of churners at or above each threshold (recall), and the share of churners among
        all at or above it (precision); from recall 0, where the precision is that of the highest
        threshold, to 1; at most `MAX_POINTS` points.
    """
    called, found = _thinned(*_found_by_called(outcome, probability))
    precision = found[1:] / called[1:]
    return found / np.count_nonzero(outcome), np.append(precision[0], precision)


def height_at(curve: Curve, across: Floats) -> Floats:
    """How high a line is at some points, straight between its own."""
    return np.interp(across, *curve)


def _found_by_called(outcome: Flags, probability: Floats) -> Curve:
    """How many are called churners at each threshold, and how many churners are among them."""
    tally = Tally.of(outcome, probability)
    return np.append(0.0, tally.called), np.append(0.0, tally.found)


def _thinned(called: Floats, found: Floats) -> Curve:
    """Of many thresholds, those at about equal steps of the way along the ROC curve."""
    if len(called) <= MAX_POINTS:
        return called, found
    stayed = called - found
    way = found / found[-1] + stayed / stayed[-1]
    shown = np.searchsorted(way, np.linspace(0, way[-1], MAX_POINTS))
    shown = np.unique(np.append(shown, len(called) - 1))
    return called[shown], found[shown]
