"""Whether one model is better than another: their difference on the same rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from churnlib.errors import ModelError, closest
from churnlib.metrics.bootstrap import Resampling
from churnlib.metrics.definitions import METRICS, compared_metrics
from churnlib.metrics.intervals import CONFIDENCE, Interval, difference_interval, standard_error
from churnlib.metrics.predictions import MetricValue, Predictions, probabilities
from churnlib.schemas.columns import CHAR_ID, DAY, LABEL, SUB_ID
from churnlib.schemas.validation import as_frame, check_labels, check_whole, require

COMPARED = "the rows to compare on"
"""The name of the rows in messages."""


@dataclass(frozen=True)
class Difference:
    """The difference between two models in a metric.

    Attributes:
        metric: The key of the metric.
        candidate: The value of the first model; None if not defined.
        champion: The value of the second model.
        difference: The first minus the second, in units of the metric.
        standard_error: The standard error of the difference, paired: both models share the draws.
        n: The number of subscriptions.
        characters: The number of characters they belong to, at most
            `churnlib.metrics.bootstrap.MAX_UNITS`, because more are drawn in groups.
        reason: Why values are None, if any is.
    """

    metric: str
    candidate: float | None
    champion: float | None
    difference: float | None
    standard_error: float | None
    n: int
    characters: int
    reason: str | None = None

    def interval(self, confidence: float = CONFIDENCE) -> Interval | None:
        """Computes the two-sided confidence interval of the difference.

        Args:
            confidence: Its level, such as 0.95.
        """
        if self.difference is None:
            return None
        return difference_interval(self.difference, self.standard_error, confidence)

    def to_json(self) -> dict[str, Any]:
        """The difference and its 95 % confidence interval as plain data."""
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
        rows: One row per subscription, or per subscription and month: `char_id`, `sub_id`,
            `sub_churn` (rows where it is null are left out), the two probabilities, and optionally
            `day`. The order does not matter.
        candidate: The column with the probabilities of the first model.
        champion: The column with those of the second.
        metric: A key that `churnlib.metrics.definitions.compared_metrics` lists, such as
            `average_precision`.

    Returns:
        The difference, with a standard error from bootstrap draws of characters that both models
        share. Two models with equal probabilities differ by exactly 0.

    Raises:
        ModelError: Models cannot be compared by this metric.
        DataError: A column is missing, or holds invalid labels or probabilities.
    """
    comparable = [metric.key for metric in compared_metrics()]
    if metric not in comparable:
        raise ModelError(
            f"there is no metric '{metric}' to compare by. {closest(metric, comparable)}"
        )
    rows = as_frame(rows, COMPARED)
    needed = list(dict.fromkeys((CHAR_ID, SUB_ID, LABEL, candidate, champion)))
    require(rows.columns, needed, COMPARED)
    check_labels(rows[LABEL])
    check_whole(rows, SUB_ID, CHAR_ID)
    needed += [DAY] if DAY in rows.columns else []
    known = rows.select(needed).filter(pl.col(LABEL).is_not_null())
    known = known.sort(SUB_ID, candidate, *needed[5:])
    predicted = [probabilities(known, column) for column in (candidate, champion)]
    outcome = known[LABEL].to_numpy().astype(np.bool_)
    characters = Resampling.over(known[CHAR_ID])
    counts = (known[SUB_ID].n_unique(), len(characters.weights))
    if len(known) == 0 or outcome.all() or not outcome.any():
        churned = known.filter(outcome)[SUB_ID].n_unique()
        reason = f"of {counts[0]:,} subscriptions with a label {churned:,} churned"
        return Difference(metric, None, None, None, None, *counts, reason)
    compute = METRICS[metric].compute
    one, other = (compute(Predictions(outcome, each, characters)) for each in predicted)
    return difference_of(metric, one, other, *counts)


def difference_of(
    metric: str, one: MetricValue, other: MetricValue, n: int, characters: int
) -> Difference:
    """Subtracts two values of a metric that share their draws; see `Difference`."""
    difference = one.value - other.value
    error = standard_error(one.draws - other.draws, one.units)
    reason = None
    if error is None or (error == 0 and difference):
        error, reason = None, f"too few characters to judge by: {one.units}"
    return Difference(metric, one.value, other.value, difference, error, n, characters, reason)
