"""From draws of a figure to its interval, on a scale on which the figure is about normal."""

from math import exp, hypot, log, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]

CONFIDENCE = 0.95
"""Of the intervals in reports."""
FARTHEST = 20.0
"""How far on the logarithmic scale an end may lie, to tell anything: a factor of 500 million."""


def standard_error(draws: Floats, units: int) -> float | None:
    """The standard error of a figure.

    Args:
        draws: The figure in each draw; NaN where it is not defined, which is left out.
        units: How many characters it rests on; of few, draws vary too little: by (n - 1) / n
            in the variance, which is mended.

    Returns:
        Null where there are not two to tell it from.
    """
    defined = draws[np.isfinite(draws)]
    if units < 2 or len(defined) < 2:
        return None
    return float(defined.std(ddof=1)) * sqrt(units / (units - 1))


def share_interval(
    value: float, error: float | None, units: int, confidence: float = CONFIDENCE
) -> Interval:
    """The interval of a figure within 0 and 1, on the logit scale.

    Args:
        value: The figure.
        error: Its standard error; if null, the most that one value within 0 and 1 can have.
        units: How many characters it rests on.
        confidence: How often the interval is to hold the truth.

    Returns:
        Both ends within 0 and 1. At 0 and 1 the draws tell nothing, so there the rule of three
        bounds what may be missed: after n cases without one, 3 / n at 95 %.
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
    """The interval of a figure above 0, on the logarithmic scale; null where it is unknown."""
    if error is None or value <= 0:
        return None
    half = normal_quantile(confidence) * error / value
    if half > FARTHEST:
        return None
    return value * exp(-half), value * exp(half)


def difference_interval(
    value: float, error: float | None, confidence: float = CONFIDENCE
) -> Interval | None:
    """The interval of a difference; null where its error is unknown."""
    if error is None:
        return None
    half = normal_quantile(confidence) * error
    return value - half, value + half


def wilson_interval(found: int, n: int, confidence: float = CONFIDENCE) -> Interval | None:
    """The interval of a rate that was counted, by Wilson's score (JASA 22, 1927).

    Args:
        found: How many there are.
        n: Of how many; each counts as a fact of its own.
        confidence: How often the interval is to hold the truth.

    Returns:
        Both ends within 0 and 1; null of none.

    >>> low, high = wilson_interval(0, 10)
    >>> round(low, 4), round(high, 4)
    (0.0, 0.2775)
    """
    if not n:
        return None
    squared = normal_quantile(confidence) ** 2
    middle = (found + squared / 2) / (n + squared)
    half = sqrt(squared * (found * (n - found) / n + squared / 4)) / (n + squared)
    return (0.0 if found == 0 else middle - half), (1.0 if found == n else middle + half)


def newcombe_interval(
    one: tuple[int, int], other: tuple[int, int], confidence: float = CONFIDENCE
) -> Interval | None:
    """The interval of the difference of two counted rates, by Newcombe's hybrid score.

    It puts together how far each rate is from the ends of its own interval, so it holds for few
    rows, too (Statistics in Medicine 17, 1998, method 10).

    Args:
        one: How many there are, and of how many.
        other: The same of the rate that is subtracted.
        confidence: How often the interval is to hold the truth.

    Returns:
        Both ends within -1 and 1; null where one of the two is of none.

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
    """How many standard errors lie to each side of a normal value, to hold the truth so often."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _sigmoid(logit: float) -> float:
    return 1 / (1 + exp(-logit)) if logit > -700 else 0.0
