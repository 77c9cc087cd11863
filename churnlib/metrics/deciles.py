"""Subscriptions by predicted probability, in tenths."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from churnlib.metrics.bootstrap import Floats
from churnlib.metrics.definitions import DECIMALS, MetricValue, Predicted
from churnlib.metrics.intervals import Interval, of_share
from churnlib.metrics.ranking import ratio


@dataclass(frozen=True)
class Decile:
    """A tenth of the subscriptions, by predicted probability.

    Its rates are those of exactly a tenth: the subscription that a border falls into counts in
    part, as do all of one probability that a border crosses. Its counts are whole, and add up to
    those of all.

    Attributes:
        decile: From 1, the likeliest tenth, to 10.
        rows: How many subscriptions it has.
        churned: How many of them churned.
        churn_rate: The share that churned.
        lift: The churn rate over that of all.
        cumulative_gain: The share of all churners in this tenth and those before it.
        intervals: The 95 % intervals of the last three, by name; of lift and gain null where all
            probabilities are equal, so that nothing was ranked.
    """

    decile: int
    rows: int
    churned: int
    churn_rate: float
    lift: float
    cumulative_gain: float
    intervals: Mapping[str, Interval | None]


def deciles(predicted: Predicted) -> tuple[Decile, ...]:
    """Cuts subscriptions into tenths, the likeliest first.

    Args:
        predicted: The probabilities, with what came of them; both outcomes occur.
    """
    rows, churned = len(predicted.outcome), int(predicted.outcome.sum())
    churners = predicted.characters.count(predicted.outcome)
    gained, drawn = predicted.gains, predicted.gains_drawn
    churned_in = _whole(gained * churned)
    stayed_in = _whole(np.arange(1, 11) * rows / 10 - gained * churned)
    lifts = (10 * np.diff(gained, prepend=0)).round(11)
    lifts_drawn = 10 * np.diff(drawn, axis=0, prepend=0)
    base_rates = ratio(predicted.drawn.found[-1], predicted.drawn.called[-1])
    made: list[Decile] = []
    reached = 0.0
    for n, (lift, of_draws) in enumerate(zip(lifts.tolist(), lifts_drawn, strict=True)):
        found = lift / 10 * churned
        rate = MetricValue(
            lift * churned / rows, of_draws * base_rates, max(predicted.units // 10, 1)
        )
        gain = MetricValue(float(gained[n]), drawn[n], churners)
        low, high = gain.interval() or (0.0, 1.0)
        reached = max(reached, low)  # What a tenth less has found, is found.
        intervals: dict[str, Interval | None] = {
            "churn_rate": _of_rate(rate, found),
            "lift": _of_lift(
                MetricValue(lift, of_draws, churners, "positive"), rate, rows, churned
            ),
            "cumulative_gain": (reached, high) if n < 9 else (1.0, 1.0),
        }
        counts = (churned_in[n] + stayed_in[n], churned_in[n])
        if not predicted.is_ranked:
            intervals |= {"lift": None, "cumulative_gain": None}
        figures = [round(figure, DECIMALS) for figure in (rate.value, lift, gain.value)]
        made.append(Decile(n + 1, *counts, figures[0], figures[1], figures[2], intervals))
    return tuple(made)


def _whole(so_far: Floats) -> list[int]:
    """How many lie in each tenth, where parts of one are given to a side; all are there."""
    # Rounded twice, so that what calculation leaves over does not move a half to another tenth.
    reached = np.floor(so_far.round(6) + 0.5).astype(np.int64)
    return [int(count) for count in np.diff(reached, prepend=0)]


def _of_rate(rate: MetricValue, found: float) -> Interval | None:
    """The interval of a churn rate; of part of a churner the draws tell as little as of none."""
    if found >= 1:
        return rate.interval()
    low, high = of_share(0.0, None, rate.units)
    return low, max(high, rate.value)


def _of_lift(lift: MetricValue, rate: MetricValue, rows: int, churned: int) -> Interval | None:
    """The interval of a lift, which is 10 at the most, and that of a tenth where all churn."""
    most, found = min(10.0, rows / churned), lift.value / 10 * churned
    if 0 < found < 1:
        low, high = _of_rate(rate, found) or (0.0, 1.0)
        low, high = low * rows / churned, high * rows / churned
    elif (interval := lift.interval()) is not None:
        low, high = interval
    else:
        return None
    return low, max(min(high, most), lift.value)
