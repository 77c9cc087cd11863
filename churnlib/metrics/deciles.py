"""Risk deciles: the subscriptions by predicted probability, in ten parts of equal size."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from churnlib.metrics.bootstrap import Floats
from churnlib.metrics.intervals import Interval, share_interval
from churnlib.metrics.predictions import MetricValue, Predictions
from churnlib.metrics.ranking import ratio

DECIMALS = 10
"""Decimals that rates, lifts and gains are rounded to, which removes floating-point residue."""


@dataclass(frozen=True)
class Decile:
    """A tenth of the subscriptions, by predicted probability.

    The rates are those of exactly a tenth: where a boundary falls into a subscription, or into
    several of equal probability, each counts in part. The counts are whole, and add up to those of
    all subscriptions.

    Attributes:
        decile: From 1, the riskiest, to 10.
        rows: The number of subscriptions.
        churned: The number of them that churned.
        churn_rate: The share that churned.
        lift: The churn rate divided by that of all.
        cumulative_gain: The share of all churners in this decile and those before it.
        intervals: The 95 % confidence intervals of the last three, by name; those of lift and gain
            are None if all probabilities are equal, so that nothing was ranked.
    """

    decile: int
    rows: int
    churned: int
    churn_rate: float
    lift: float
    cumulative_gain: float
    intervals: Mapping[str, Interval | None]


def deciles(predictions: Predictions) -> tuple[Decile, ...]:
    """Divides subscriptions into ten deciles, the riskiest first.

    Args:
        predictions: The predictions; both outcomes occur.
    """
    rows, churned = len(predictions.outcome), int(predictions.outcome.sum())
    churners = predictions.characters.count(predictions.outcome)
    gained, drawn = predictions.gains, predictions.gains_drawn
    churned_in = _whole_counts(gained * churned)
    stayed_in = _whole_counts(np.arange(1, 11) * rows / 10 - gained * churned)
    lifts = (10 * np.diff(gained, prepend=0)).round(11)
    lifts_drawn = 10 * np.diff(drawn, axis=0, prepend=0)
    base_rates = ratio(predictions.drawn.churned_above[-1], predictions.drawn.rows_above[-1])
    result: list[Decile] = []
    least_gain = 0.0
    for n, (lift, lift_draws) in enumerate(zip(lifts.tolist(), lifts_drawn, strict=True)):
        rate = MetricValue(
            lift * churned / rows, lift_draws * base_rates, max(predictions.units // 10, 1)
        )
        gain = MetricValue(float(gained[n]), drawn[n], churners)
        low, high = gain.interval() or (0.0, 1.0)
        least_gain = max(least_gain, low)  # No less than in the decile before.
        intervals: dict[str, Interval | None] = {
            "churn_rate": _rate_interval(rate, lift / 10 * churned),
            "lift": _lift_interval(
                MetricValue(lift, lift_draws, churners, "positive"), rate, rows, churned
            ),
            "cumulative_gain": (least_gain, high) if n < 9 else (1.0, 1.0),
        }
        if not predictions.is_ranked:
            intervals |= {"lift": None, "cumulative_gain": None}
        counts = (churned_in[n] + stayed_in[n], churned_in[n])
        rounded = [round(value, DECIMALS) for value in (rate.value, lift, gain.value)]
        result.append(Decile(n + 1, *counts, rounded[0], rounded[1], rounded[2], intervals))
    return tuple(result)


def _whole_counts(cumulative: Floats) -> list[int]:
    """Turns cumulative counts with fractions into whole counts per decile, with the same total."""
    # Rounded twice, so that floating-point residue does not move a half to another decile.
    reached = np.floor(cumulative.round(6) + 0.5).astype(np.int64)
    return [int(count) for count in np.diff(reached, prepend=0)]


def _rate_interval(rate: MetricValue, churners: float) -> Interval | None:
    """The interval of a churn rate; with less than one churner, that of none."""
    if churners >= 1:
        return rate.interval()
    low, high = share_interval(0.0, None, rate.units)
    return low, max(high, rate.value)


def _lift_interval(
    lift: MetricValue, rate: MetricValue, rows: int, churned: int
) -> Interval | None:
    """The interval of a lift, which is at most 10, and at most that of a decile where all churn."""
    largest, churners = min(10.0, rows / churned), lift.value / 10 * churned
    if 0 < churners < 1:
        low, high = _rate_interval(rate, churners) or (0.0, 1.0)
        low, high = low * rows / churned, high * rows / churned
    elif (interval := lift.interval()) is not None:
        low, high = interval
    else:
        return None
    return low, max(min(high, largest), lift.value)
