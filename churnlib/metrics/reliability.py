"""Whether probabilities come true: predicted and observed churn, by groups of risk."""

from dataclasses import dataclass

import numpy as np

from churnlib.metrics.definitions import CALIBRATION_GROUPS, MetricValue, Predicted
from churnlib.metrics.intervals import Interval
from churnlib.metrics.ranking import levels, ratio


@dataclass(frozen=True)
class RiskGroup:
    """Subscriptions of about the same predicted probability.

    Attributes:
        rows: How many there are.
        churned: How many of them churned.
        churn_rate: The share that churned.
        predicted: The mean of their predicted probabilities.
        interval: The 95 % interval of `churn_rate`.
    """

    rows: int
    churned: int
    churn_rate: float
    predicted: float
    interval: Interval | None


def risk_groups(predicted: Predicted) -> tuple[RiskGroup, ...]:
    """Parts subscriptions as the expected calibration error does, and says what came of each part.

    Args:
        predicted: The probabilities, with what came of them.

    Returns:
        At most `CALIBRATION_GROUPS` of about equal size, the likeliest to churn first; equal
        probabilities stay together, so that groups may be fewer.
    """
    group = levels(predicted.probability, CALIBRATION_GROUPS)
    count = int(group.max()) + 1
    both = predicted.characters.totals(group + count * ~predicted.outcome, 2 * count)
    drawn = ratio(both[:count], both[:count] + both[count:])
    rows = np.bincount(group, minlength=count)
    churned = np.bincount(group, predicted.outcome, count).astype(np.int64)
    said = np.bincount(group, predicted.probability, count)
    return tuple(
        RiskGroup(
            rows=int(rows[n]),
            churned=int(churned[n]),
            churn_rate=float(rate := churned[n] / rows[n]),
            predicted=float(said[n] / rows[n]),
            interval=MetricValue(rate, drawn[n], predicted.characters.count(group == n)).interval(),
        )
        for n in range(count)
        if rows[n]
    )
