"""Whether one model is better than another: their difference on the same rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from churnlib.errors import ModelError, closest
from churnlib.metrics.bootstrap import Resampling
from churnlib.metrics.definitions import METRICS, Metric, MetricValue, Predicted, probabilities
from churnlib.metrics.intervals import CONFIDENCE, Interval, of_difference, standard_error
from churnlib.schemas.columns import LABEL
from churnlib.schemas.validation import as_frame, check_labels, check_whole, require

COMPARED = "the rows to compare on"
"""What messages call them."""


@dataclass(frozen=True)
class Difference:
    """How far one model is from another in a metric.

    Attributes:
        metric: `roc_auc`, `average_precision`, `log_loss` or `brier`.
        candidate: The metric of the one.
        champion: The metric of the other.
        difference: The first less the second; in the metric's own unit and direction.
        standard_error: Of the difference, both being judged on the same draws of characters.
        n: Subscriptions that both were judged on.
        characters: How many characters these are of; at most
            `churnlib.metrics.bootstrap.MAX_UNITS`, because groups stand for more.
        reason: Why figures are null; null where none is.
    """

    metric: Metric
    candidate: float | None
    champion: float | None
    difference: float | None
    standard_error: float | None
    n: int
    characters: int
    reason: str | None = None

    def interval(self, confidence: float = CONFIDENCE) -> Interval | None:
        """The two-sided interval of the difference.

        Args:
            confidence: How often it is to hold the truth, such as 0.95.
        """
        if self.difference is None:
            return None
        return of_difference(self.difference, self.standard_error, confidence)

    def to_json(self) -> dict[str, Any]:
        """The difference and its 95 % interval as plain data."""
        return {
            "metric": self.metric,
            "candidate": self.candidate,
            "champion": self.champion,
            "difference": self.difference,
            "interval": self.interval(),
            "reason": self.reason,
        }


def paired_difference(
    rows: pl.DataFrame | pl.LazyFrame, candidate: str, champion: str, metric: str = "roc_auc"
) -> Difference:
    """Compares two models on the same subscriptions.

    Args:
        rows: A row a subscription: `char_id`, `sub_id`, `sub_churn` (null where not known yet; such
            rows are left out) and the two probabilities. The order does not matter.
        candidate: The column of the one model's probabilities.
        champion: The column of the other's.
        metric: `roc_auc`, `average_precision`, `log_loss` or `brier`.

    Returns:
        The difference, with its standard error by the bootstrap, whose draws of characters both
        models share. Models that say the same differ by exactly 0.

    Raises:
        ModelError: There is no such metric.
        DataError: A column is missing, or holds what is no label or no probability.
    """
    if metric not in METRICS:
        raise ModelError(f"there is no metric '{metric}' to compare by. {closest(metric, METRICS)}")
    rows = as_frame(rows, COMPARED)
    wanted = list(dict.fromkeys(("char_id", "sub_id", LABEL, candidate, champion)))
    require(rows.columns, wanted, COMPARED)
    check_labels(rows[LABEL])
    check_whole(rows, "sub_id", "char_id")
    known = rows.select(wanted).filter(pl.col(LABEL).is_not_null()).sort("sub_id", candidate)
    said = [probabilities(known, column) for column in (candidate, champion)]
    outcome = known[LABEL].to_numpy().astype(np.bool_)
    characters = Resampling.over(known["char_id"])
    if len(known) == 0 or outcome.all() or not outcome.any():
        reason = f"of {len(known):,} subscriptions with a known outcome {outcome.sum():,} churned"
        counts = (len(known), len(characters.weights))
        return Difference(metric, None, None, None, None, *counts, reason)
    one, other = (METRICS[metric](Predicted(outcome, each, characters)) for each in said)
    return between(metric, one, other, len(known), len(characters.weights))


def between(
    metric: Metric, one: MetricValue, other: MetricValue, n: int, characters: int
) -> Difference:
    """The difference of two figures that share their draws; see `Difference`."""
    apart = one.value - other.value
    error = standard_error(one.draws - other.draws, one.units)
    reason = None
    if error is None or (error == 0 and apart):
        error, reason = None, f"too few characters to tell by: {one.units}"
    return Difference(metric, one.value, other.value, apart, error, n, characters, reason)
