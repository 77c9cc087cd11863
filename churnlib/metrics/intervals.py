"""Confidence intervals, on scales on which the values are approximately normal."""

from math import exp, hypot, log, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]

CONFIDENCE = 0.95
"""The level of the intervals in reports."""
MAX_LOG_REACH = 20.0
"""Intervals wider than this on the log scale, a factor of 500 million, are useless."""


def standard_error(draws: Floats, units: int) -> float | None:
    """Computes the standard error of a value from its bootstrap draws.

    Args:
        draws: The value of each draw; NaN, where it is not defined, is left out.
        units: The number of characters; with few, the variance of draws is too small by
            (n - 1) / n, which is corrected.

    Returns:
        The standard error; None with fewer than two characters or defined draws.
    """
    defined = draws[np.isfinite(draws)]
    if units < 2 or len(defined) < 2:
        return None
    return float(defined.std(ddof=1)) * sqrt(units / (units - 1))


def share_interval(
    value: float, error: float | None, units: int, confidence: float = CONFIDENCE
) -> Interval:
    """Computes the interval of a value between 0 and 1, on the logit scale.

    Args:
        value: The value.
        error: Its standard error; if None, the largest that one observation between 0 and 1 can
            have.
        units: The number of characters.
        confidence: The confidence level.

    Returns:
        Both ends between 0 and 1. At 0 and 1, where the draws do not vary, they follow from the
        rule of three: after n cases without an event, its rate is below 3 / n at 95 %.
    """
    if not 0 < value < 1:
        bound = min(1.0, -log(1 - confidence) / max(units, 1))
        return (0.0, bound) if value <= 0 else (1 - bound, 1.0)
    spread = value * (1 - value)
    half = normal_quantile(confidence) * (sqrt(spread) if error is None else error) / spread
    logit = log(value / (1 - value))
    return _sigmoid(logit - half), _sigmoid(logit + half)


def positive_interval(
    value: float, error: float | None, confidence: float = CONFIDENCE
) -> Interval | None:
    """Computes the interval of a value above 0, on the log scale; None if it is unknown."""
    if error is None or value <= 0:
        return None
    half = normal_quantile(confidence) * error / value
    if half > MAX_LOG_REACH:
        return None
    return value * exp(-half), value * exp(half)


def difference_interval(
    value: float, error: float | None, confidence: float = CONFIDENCE
) -> Interval | None:
    """Computes the interval of a difference; None if its error is unknown."""
    if error is None:
        return None
    half = normal_quantile(confidence) * error
    return value - half, value + half


def wilson_interval(count: float, n: float, confidence: float = CONFIDENCE) -> Interval | None:
    """Computes the interval of a counted rate by Wilson's score (JASA 22, 1927).

    Args:
        count: The number of events, as if the cases were independent.
        n: The number of independent cases that the cases are worth.
        confidence: The confidence level.

    Returns:
        Both ends between 0 and 1; None without cases.

    >>> low, high = wilson_interval(0, 10)
    >>> round(low, 4), round(high, 4)
    (0.0, 0.2775)
    """
    if not n:
        return None
    squared = normal_quantile(confidence) ** 2
    middle = (count + squared / 2) / (n + squared)
    half = sqrt(squared * (count * (n - count) / n + squared / 4)) / (n + squared)
    return (0.0 if count == 0 else middle - half), (1.0 if count == n else middle + half)


def newcombe_interval(
    one: tuple[float, float], other: tuple[float, float], confidence: float = CONFIDENCE
) -> Interval | None:
    """Computes the interval of a difference of two counted rates by Newcombe's hybrid score.

    It combines the distances of each rate from the ends of its Wilson interval, so it is valid for
    few cases, too (Statistics in Medicine 17, 1998, method 10).

    Args:
        one: The numbers of events and of cases.
        other: The same for the rate that is subtracted.
        confidence: The confidence level.

    Returns:
        Both ends between -1 and 1; None if either has no cases.

    >>> low, high = newcombe_interval((56, 70), (48, 80))
    >>> round(low, 4), round(high, 4)
    (0.0524, 0.3339)
    """
    first, second = wilson_interval(*one, confidence), wilson_interval(*other, confidence)
    if first is None or second is None:
        return None
    p, q = one[0] / one[1], other[0] / other[1]
    return (
        p - q - hypot(p - first[0], second[1] - q),
        p - q + hypot(first[1] - p, q - second[0]),
    )


def normal_quantile(confidence: float) -> float:
    """The half-width of a normal confidence interval in standard errors."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _sigmoid(logit: float) -> float:
    return 1 / (1 + exp(-logit)) if logit > -700 else 0.0
