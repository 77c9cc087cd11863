"""The confidence interval of the expected calibration error.

Chance increases the error: the gaps of calibrated probabilities are not 0, and none is negative in
the sum. The interval therefore holds the sizes of the true error that, with the chance of these
rows added, would give one like the error found: neither less nor more often than in 2.5 %.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from churnlib.metrics.bootstrap import SEED, Floats, Whole
from churnlib.metrics.intervals import CONFIDENCE, Interval
from churnlib.metrics.predictions import Predictions
from churnlib.metrics.ranking import ratio
from churnlib.seeds import derive_seed

DRAWS = 1000
"""The number of simulated outcomes for each size of the true error."""
TINY = 1e-24
"""Replaces a variance of 0."""
HALVINGS = 14
"""The number of bisection steps."""


def gap_interval(predictions: Predictions, groups: Whole) -> Interval | None:
    """Computes the interval of the expected calibration error.

    Args:
        predictions: The predictions.
        groups: The group of each row, from 0.

    Returns:
        Both ends between 0 and 1; the lower is 0 if chance alone explains the error found. None
        with fewer than two characters.
    """
    if predictions.units < 2:
        return None
    gaps, errors = _gaps(predictions, groups)
    found = float(np.abs(gaps).sum())
    chance = _normal(len(gaps)) * errors[:, None]

    def share_below(true: Floats) -> float:
        """How often the true gaps, with chance added, give at most the error found."""
        return float((np.abs(true[:, None] + chance).sum(axis=0) <= found).mean())

    # The lower end is for gaps in some groups only, to which chance adds most; the upper end for
    # equal gaps in all, to which it adds least.
    low = _largest(lambda size: share_below(_shrunk(gaps, errors, size)), found, upper=True)
    equal = np.full(len(gaps), 1 / len(gaps))
    high = _largest(lambda size: share_below(size * equal), found + 4 * errors.sum(), upper=False)
    return low, min(1.0, max(found, high))


def _gaps(predictions: Predictions, groups: Whole) -> tuple[Floats, Floats]:
    """The part of each group in the mean gap, and its standard error; without empty groups."""
    count, n = int(groups.max()) + 1, len(groups)
    missed = predictions.outcome - predictions.probability
    drawn = predictions.characters.totals(groups, count, missed)
    units = predictions.units
    clustered = ratio(drawn, predictions.characters.rows).var(axis=1, ddof=1) * units / (units - 1)
    rows, churned, predicted = (
        np.bincount(groups, values, count).astype(np.float64)
        for values in (np.ones(n), predictions.outcome, predictions.probability)
    )
    is_used = rows > 0
    places = groups * units + predictions.characters.units
    of_characters = np.bincount(places, minlength=count * units).reshape(count, units)
    # Groups without churners do not vary between draws: one more character is as predicted.
    characters = (of_characters > 0).sum(axis=1)
    rate = (characters * ratio(churned, rows) + ratio(predicted, rows)) / (characters + 1)
    weight = (of_characters.astype(np.float64) ** 2).sum(axis=1) / n**2
    variance = np.maximum(clustered, weight * rate * (1 - rate))
    gaps = np.bincount(groups, missed, count) / n
    return gaps[is_used], np.sqrt(np.maximum(variance[is_used], TINY))


def _largest(share_below: Callable[[float], float], most: float, *, upper: bool) -> float:
    """The largest size of the true error whose share below is not less than a quantile."""
    tail = (1 - CONFIDENCE) / 2
    level = 1 - tail if upper else tail
    if share_below(0.0) < level:
        return 0.0
    low, high = 0.0, most
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if share_below(middle) >= level else (low, middle)
    return high


def _shrunk(gaps: Floats, errors: Floats, size: float) -> Floats:
    """Shrinks gaps by the same number of standard errors, until their sizes add up to `size`."""
    sizes = np.abs(gaps)
    low, high = 0.0, float((sizes / errors).max())
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        rest = np.maximum(sizes - middle * errors, 0).sum()
        low, high = (middle, high) if rest > size else (low, middle)
    shrunk: Floats = np.sign(gaps) * np.maximum(sizes - high * errors, 0)
    return shrunk


@cache
def _normal(groups: int) -> Floats:
    """Normal numbers, always the same."""
    return np.random.default_rng(derive_seed(SEED, "gaps")).standard_normal((groups, DRAWS))
