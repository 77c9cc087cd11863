"""Subscriptions by predicted probability, in tenths."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from churnlib.model.figures import Figure, Predicted
from churnlib.model.intervals import Interval
from churnlib.model.ranking import ratio


@dataclass(frozen=True)
class Decile:
    """A tenth of the subscriptions, by predicted probability.

    Where equal probabilities cross a border, each of the tied counts in part.

    Attributes:
        decile: From 1, the likeliest tenth, to 10.
        rows: How many subscriptions it has.
        churned: How many of them churned.
        churn_rate: The share of these.
        lift: The churn rate over that of all.
        cumulative_gain: The share of all churners in this tenth and those before it.
        intervals: The 95 % intervals of the last three, by name.
    """

    decile: int
    rows: float
    churned: float
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
    lifts = (10 * np.diff(gained, prepend=0)).round(11)
    lifts_drawn = 10 * np.diff(drawn, axis=0, prepend=0)
    base_rates = ratio(predicted.drawn.found[-1], predicted.drawn.called[-1])
    made = []
    for n, (lift, of_draws) in enumerate(zip(lifts.tolist(), lifts_drawn, strict=True)):
        rate = Figure(lift * churned / rows, of_draws * base_rates, max(predicted.units // 10, 1))
        gain = Figure(float(gained[n]), drawn[n], churners)
        intervals = {
            "churn_rate": rate.interval(),
            "lift": Figure(lift, of_draws, churners, "positive").interval(),
            "cumulative_gain": gain.interval() if n < 9 else (1.0, 1.0),
        }
        found = lift / 10 * churned
        made.append(Decile(n + 1, rows / 10, found, rate.value, lift, gain.value, intervals))
    return tuple(made)
