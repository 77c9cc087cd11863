"""The functions of the metrics: each computes a value and one for every bootstrap draw.

The predictions must meet `churnlib.metrics.definitions.Metric.needs`.
"""

from dataclasses import replace

import numpy as np

from churnlib.metrics import ranking
from churnlib.metrics.bootstrap import Flags, Floats, Whole
from churnlib.metrics.deciles import DECIMALS
from churnlib.metrics.predictions import MetricValue, Predictions
from churnlib.metrics.ranking import levels, ratio

CALIBRATION_GROUPS = 10
"""The number of groups of equal size in the expected calibration error."""


def base_rate(predictions: Predictions) -> MetricValue:
    """The share of subscriptions that churned."""
    draws = ratio(predictions.churned_drawn, predictions.characters.rows)
    return MetricValue(float(predictions.outcome.mean()), draws, predictions.units)


def mean_predicted(predictions: Predictions) -> MetricValue:
    """The mean predicted probability."""
    return mean(predictions, predictions.probability)


def roc_auc(predictions: Predictions) -> MetricValue:
    """The probability that a churner is ranked above a non-churner; ties count half."""
    (value,) = ranking.roc_auc(predictions.tally)
    return MetricValue(float(value), ranking.roc_auc(predictions.drawn), predictions.ranked_units)


def average_precision(predictions: Predictions) -> MetricValue:
    """Precision averaged over recall."""
    (value,) = ranking.average_precision(predictions.tally)
    draws = ranking.average_precision(predictions.drawn)
    return MetricValue(float(value), draws, predictions.ranked_units)


def lift_top_decile(predictions: Predictions) -> MetricValue:
    """The churn rate of the riskiest decile divided by the base rate."""
    value, draws = (10 * gains[0] for gains in (predictions.gains, predictions.gains_drawn))
    return MetricValue(round(float(value), DECIMALS), draws, predictions.ranked_units, "positive")


def log_loss(predictions: Predictions) -> MetricValue:
    """The mean negative log-likelihood in nats; see `log_losses`."""
    return replace(mean(predictions, log_losses(predictions)), scale="positive")


def log_losses(predictions: Predictions) -> Floats:
    """The negative log-likelihood of each row; probabilities are kept 2^-52 away from 0 and 1."""
    least = np.finfo(np.float64).eps
    of_outcome = np.where(predictions.outcome, predictions.probability, 1 - predictions.probability)
    losses: Floats = -np.log(np.clip(of_outcome, least, 1 - least))
    return losses


def brier(predictions: Predictions) -> MetricValue:
    """The mean squared difference between probability and outcome."""
    return replace(mean(predictions, squared_errors(predictions)), scale="positive")


def squared_errors(predictions: Predictions) -> Floats:
    """The squared difference between probability and outcome of each row."""
    squares: Floats = (predictions.probability - predictions.outcome) ** 2
    return squares


def expected_calibration_error(predictions: Predictions) -> MetricValue:
    """The mean distance between churn rate and prediction over groups of equal size.

    There are `CALIBRATION_GROUPS` groups by predicted probability; equal probabilities stay
    together. It has no draws: see `churnlib.metrics.gap_interval`.
    """
    group = calibration_groups(predictions)
    gaps = np.bincount(group, predictions.outcome - predictions.probability) / len(group)
    return MetricValue(float(np.abs(gaps).sum()), np.empty(0), predictions.units)


def calibration_groups(predictions: Predictions) -> Whole:
    """The group of each row, from 0, the riskiest; there may be empty ones."""
    return levels(predictions.probability, CALIBRATION_GROUPS)


def precision(predictions: Predictions) -> MetricValue:
    """The share of churners among the subscriptions that reach the threshold."""
    selected = predictions.selected
    drawn = predictions.characters.sums(selected.astype(np.float64))
    return share_of_hits(predictions, selected, drawn)


def recall(predictions: Predictions) -> MetricValue:
    """The share of the churners that reach the threshold."""
    return share_of_hits(predictions, predictions.outcome, predictions.churned_drawn)


def mean(predictions: Predictions, values: Floats) -> MetricValue:
    """The mean of a value of each row."""
    draws = ratio(predictions.characters.sums(values), predictions.characters.rows)
    return MetricValue(float(values.mean()), draws, predictions.units)


def share_of_hits(predictions: Predictions, rows: Flags, drawn: Floats) -> MetricValue:
    """The share of some rows that churned and reach the threshold; NaN if there are none.

    Args:
        predictions: The predictions.
        rows: Which rows.
        drawn: The number of them in each draw.
    """
    value = predictions.hits.sum() / rows.sum() if rows.any() else float("nan")
    draws = ratio(predictions.hits_drawn, drawn)
    return MetricValue(float(value), draws, predictions.characters.count(rows))
