"""Confidence intervals by the studentised bootstrap, for metrics whose draws are skewed.

Each draw gives the distance of its value from that of the rows, in standard errors of the draw. The
quantiles of these distances hold for few churners, too, where a normal interval is too short on one
side (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 12).
"""

from math import exp, sqrt

import numpy as np

from churnlib.metrics.bootstrap import Floats
from churnlib.metrics.intervals import CONFIDENCE, Interval
from churnlib.metrics.predictions import MetricValue, Predictions
from churnlib.metrics.ranking import Tally, ratio

FEW_CHURNERS = 200
"""With as many characters of each outcome, average precision is approximately normal."""
MOST_LEVELS = 50
"""The number of levels of probability that standard errors of average precision distinguish; the
highest are the narrowest."""


def mean_interval(predictions: Predictions, values: Floats) -> Interval | None:
    """Computes the interval of a mean over the rows, on the logarithmic scale.

    Args:
        predictions: The predictions.
        values: The value of each row, from 0.

    Returns:
        The interval; None with fewer than two characters, or if all values are 0.
    """
    characters = predictions.characters
    units = len(characters.weights)
    sums, rows = characters.by_unit(values), characters.by_unit(np.ones(len(values)))
    mean = float(sums.sum() / rows.sum())
    if units < 2 or mean <= 0:
        return None
    moments = np.vstack([sums, rows, sums**2, sums * rows, rows**2])
    drawn = characters.draw_units(moments)
    means = ratio(drawn[0], drawn[1])
    errors = _mean_error(means, drawn)
    error = float(_mean_error(mean, moments.sum(axis=1))) * sqrt(units / (units - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = _quantiles((np.log(means) - np.log(mean)) * means / errors)
    return mean * exp(-high * error / mean), mean * exp(-low * error / mean)


def _mean_error(mean: Floats | float, moments: Floats) -> Floats:
    """The standard error of a ratio of sums over characters, by linearisation."""
    _, rows, squares, products, row_squares = moments
    variance = squares - 2 * mean * products + mean**2 * row_squares
    return ratio(np.sqrt(np.maximum(variance, 0)), rows)


def average_precision_interval(predictions: Predictions, value: MetricValue) -> Interval | None:
    """Computes the interval of the average precision."""
    if value.units >= FEW_CHURNERS:
        return value.interval()
    rows, drawn = (_grouped(tally) for tally in (predictions.level_tally, predictions.drawn))
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = _quantiles((value.draws - value.value) / _precision_error(drawn))
    # Errors count subscriptions as independent, which cancels out: distances are as much longer.
    error = float(_precision_error(rows).item())
    if not error:  # All churners come first.
        return value.interval()
    return max(0.0, value.value - high * error), min(1.0, value.value - low * error)


def _quantiles(distances: Floats) -> tuple[float, float]:
    """The quantiles of the studentised draws; 0 where nothing varies."""
    known = distances[np.isfinite(distances)]
    if not len(known):
        return 0.0, 0.0
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _grouped(tally: Tally) -> Tally:
    """Adds up levels, so that there are at most `MOST_LEVELS`."""
    count = len(tally.churned)
    if count <= MOST_LEVELS:
        return tally
    first = np.unique(np.linspace(0, 1, MOST_LEVELS, endpoint=False) ** 2 * count // 1).astype(int)
    return Tally(*(np.add.reduceat(kind, first, axis=0) for kind in (tally.churned, tally.stayed)))


def _precision_error(tally: Tally) -> Floats:
    """The standard error of average precision for independent rows, by its influence function."""
    churned, stayed = tally.churned, tally.stayed
    rows, churners = np.maximum(tally.rows_above, 1), tally.churned_above
    precision = churners / rows
    average = ratio((churned * precision).sum(axis=0), churners[-1])
    # How much a row at a level changes the precision at the churners below it.
    gained = _sum_below(churned * (1 - precision) / rows)
    lost = _sum_below(churned * precision / rows)
    of_churners = churned * (precision - average + gained) ** 2
    return ratio(np.sqrt((of_churners + stayed * lost**2).sum(axis=0)), churners[-1])


def _sum_below(values: Floats) -> Floats:
    """The sum at and below each level."""
    sums: Floats = np.cumsum(values[::-1], axis=0)[::-1]
    return sums
