"""The curves in a report's pictures, as numbers."""

import numpy as np
from numpy.typing import NDArray

from churnlib.metrics.ranking import Tally

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Curve = tuple[Floats, Floats]
"""The x and y coordinates of a line, from left to right."""

DECILE_ENDS = np.linspace(0, 1, 11)
"""The shares of the subscriptions up to each decile."""
MAX_POINTS = 200
"""More points of a curve cannot be distinguished in a plot."""


def roc(outcome: Flags, probability: Floats) -> Curve:
    """Computes the ROC curve; both outcomes must occur.

    Returns:
        The false positive rate and the true positive rate at each threshold, from (0, 0) to
        (1, 1); at most `MAX_POINTS` points.
    """
    selected, churners = _thinned(*_counts(outcome, probability))
    return (selected - churners) / np.count_nonzero(~outcome), churners / np.count_nonzero(outcome)


def precision_recall(outcome: Flags, probability: Floats) -> Curve:
    """Computes the precision-recall curve; both outcomes must occur.

    Returns:
        Recall and precision at each threshold, from recall 0, where the precision is that of the
        highest threshold, to 1; at most `MAX_POINTS` points.
    """
    selected, churners = _thinned(*_counts(outcome, probability))
    precision = churners[1:] / selected[1:]
    return churners / np.count_nonzero(outcome), np.append(precision[0], precision)


def height_at(curve: Curve, x: Floats) -> Floats:
    """Interpolates a line at some points."""
    return np.interp(x, *curve)


def _counts(outcome: Flags, probability: Floats) -> Curve:
    """Counts the subscriptions, and the churners, at or above each threshold."""
    tally = Tally.of(outcome, probability)
    return np.append(0.0, tally.rows_above), np.append(0.0, tally.churned_above)


def _thinned(selected: Floats, churners: Floats) -> Curve:
    """Keeps thresholds at about equal steps along the ROC curve, if there are many."""
    if len(selected) <= MAX_POINTS:
        return selected, churners
    others = selected - churners
    distance = churners / churners[-1] + others / others[-1]
    kept = np.searchsorted(distance, np.linspace(0, distance[-1], MAX_POINTS))
    kept = np.unique(np.append(kept, len(selected) - 1))
    return selected[kept], churners[kept]
