"""Calibration in detail: predicted and observed churn, by groups of risk."""

from dataclasses import dataclass

import numpy as np

from churnlib.metrics.intervals import Interval
from churnlib.metrics.predictions import MetricValue, Predictions
from churnlib.metrics.ranking import levels, ratio
from churnlib.metrics.scores import CALIBRATION_GROUPS


@dataclass(frozen=True)
class RiskGroup:
    """Subscriptions of similar predicted probability.

    Attributes:
        rows: The number of subscriptions.
        churned: The number of them that churned.
        churn_rate: The share that churned.
        predicted: The mean of their predicted probabilities.
        interval: The 95 % confidence interval of `churn_rate`.
    """

    rows: int
    churned: int
    churn_rate: float
    predicted: float
    interval: Interval | None


def risk_groups(predictions: Predictions) -> tuple[RiskGroup, ...]:
    """Groups subscriptions as the expected calibration error does.

    Args:
        predictions: The predictions.

    Returns:
        At most `CALIBRATION_GROUPS` groups of about equal size, the riskiest first; equal
        probabilities stay together, so that there may be fewer.
    """
    group = levels(predictions.probability, CALIBRATION_GROUPS)
    count = int(group.max()) + 1
    both = predictions.characters.totals(group + count * ~predictions.outcome, 2 * count)
    drawn = ratio(both[:count], both[:count] + both[count:])
    rows = np.bincount(group, minlength=count)
    churned = np.bincount(group, predictions.outcome, count).astype(np.int64)
    predicted = np.bincount(group, predictions.probability, count)
    return tuple(
        RiskGroup(
            rows=int(rows[n]),
            churned=int(churned[n]),
            churn_rate=float(rate := churned[n] / rows[n]),
            predicted=float(predicted[n] / rows[n]),
            interval=MetricValue(
                rate, drawn[n], predictions.characters.count(group == n)
            ).interval(),
        )
        for n in range(count)
        if rows[n]
    )
