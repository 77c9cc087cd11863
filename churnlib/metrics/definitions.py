"""The metrics: one record each, which reports, page, map, docs and the gate use.

To add a metric, write its function in `churnlib.metrics.scores` and its record here. To let the
gate compare models by it, too, give it an allowed loss in `churnlib.settings.champion.MAX_LOSS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from churnlib.metrics import scores
from churnlib.metrics.deciles import deciles
from churnlib.metrics.gap_interval import gap_interval
from churnlib.metrics.intervals import Interval
from churnlib.metrics.predictions import MetricValue, Predictions
from churnlib.metrics.studentized import average_precision_interval, mean_interval
from churnlib.settings import MAX_LOSS

Place = Literal["groups", "baselines", "segments"]
"""A part of the reports: all and new subscriptions; the baselines; segments and months."""
EVERYWHERE: frozenset[Place] = frozenset({"groups", "baselines", "segments"})
OF_MODELS: frozenset[Place] = frozenset({"groups", "baselines"})
LEAST_FOR_INTERVAL = 15
"""The fewest characters that churned, and that did not, for the intervals of average precision,
losses and calibration error: with fewer, no interval holds what it promises."""
IntervalOf = Callable[[Predictions, MetricValue], "Interval | None"]


def bootstrap_interval(_: Predictions, value: MetricValue) -> Interval | None:
    """The interval that follows from the draws of the metric itself."""
    return value.interval()


@dataclass(frozen=True)
class Metric:
    """The definition of a metric.

    Attributes:
        key: Its name in code, JSON and settings.
        name: Its name in reports.
        meaning: What it measures, in a few words.
        format: Its format: in percent, with three decimals, or as a ratio with two.
        better: Whether a higher or a lower value is better; None if neither is.
        compute: Computes it, with a value for each bootstrap draw.
        needs: What it needs to be defined; None if any row is enough.
        undefined: Why it may be undefined although its needs are met.
        interval: Computes its 95 % confidence interval.
        places: Where it is reported. Terminal, page, Prefect artifact and map show all of them.
    """

    key: str
    name: str
    meaning: str
    format: Literal["percent", "decimals", "ratio"]
    better: Literal["higher", "lower"] | None
    compute: Callable[[Predictions], MetricValue]
    needs: Literal["both outcomes", "a threshold"] | None = None
    undefined: str = ""
    interval: IntervalOf = bootstrap_interval
    places: frozenset[Place] = OF_MODELS

    @property
    def max_loss(self) -> float | None:
        """By how much a new champion may be worse; None if the gate cannot compare by it."""
        return MAX_LOSS.get(self.key)

    def is_defined(self, predictions: Predictions) -> bool:
        """Whether the metric can be computed."""
        if self.needs == "both outcomes":
            return predictions.is_mixed
        return self.needs is None or predictions.threshold is not None


def _ranked_interval(predictions: Predictions, value: MetricValue) -> Interval | None:
    """No interval if all probabilities are equal, since nothing was ranked."""
    return value.interval() if predictions.is_ranked else None


def _with_enough(interval: IntervalOf) -> IntervalOf:
    """No interval with too few churners, or others, to hold what it promises."""

    def bounded(predictions: Predictions, value: MetricValue) -> Interval | None:
        return None if why_no_interval(predictions) else interval(predictions, value)

    return bounded


def _log_loss_interval(predictions: Predictions, _: MetricValue) -> Interval | None:
    return mean_interval(predictions, scores.log_losses(predictions))


def _brier_interval(predictions: Predictions, _: MetricValue) -> Interval | None:
    return mean_interval(predictions, scores.squared_errors(predictions))


def _gap_interval(predictions: Predictions, _: MetricValue) -> Interval | None:
    return gap_interval(predictions, scores.calibration_groups(predictions))


def _lift_interval(predictions: Predictions, _: MetricValue) -> Interval | None:
    """The interval of the first decile, which takes the largest possible lift into account."""
    return deciles(predictions)[0].intervals["lift"]


METRICS: dict[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric(
            key="base_rate",
            name="base rate",
            meaning="share of subscriptions that churned",
            format="percent",
            better=None,
            compute=scores.base_rate,
            places=frozenset({"groups", "segments"}),
        ),
        Metric(
            key="mean_predicted",
            name="mean prediction",
            meaning="mean predicted churn probability",
            format="percent",
            better=None,
            compute=scores.mean_predicted,
            places=EVERYWHERE,
        ),
        Metric(
            key="roc_auc",
            name="ROC AUC",
            meaning="probability that a churner is ranked above a non-churner",
            format="decimals",
            better="higher",
            compute=scores.roc_auc,
            needs="both outcomes",
            interval=_ranked_interval,
            places=EVERYWHERE,
        ),
        Metric(
            key="average_precision",
            name="average precision",
            meaning="precision averaged over recall",
            format="decimals",
            better="higher",
            compute=scores.average_precision,
            interval=_with_enough(average_precision_interval),
            needs="both outcomes",
        ),
        Metric(
            key="lift_top_decile",
            name="lift, top decile",
            meaning="churn rate of the riskiest decile over the base rate",
            format="ratio",
            better="higher",
            compute=scores.lift_top_decile,
            needs="both outcomes",
            interval=_lift_interval,
        ),
        Metric(
            key="log_loss",
            name="log loss",
            meaning="mean negative log-likelihood, in nats",
            format="decimals",
            better="lower",
            compute=scores.log_loss,
            interval=_with_enough(_log_loss_interval),
        ),
        Metric(
            key="brier",
            name="Brier score",
            meaning="mean squared error of the probabilities",
            format="decimals",
            better="lower",
            compute=scores.brier,
            interval=_with_enough(_brier_interval),
        ),
        Metric(
            key="expected_calibration_error",
            name="calibration error",
            meaning="mean gap between prediction and churn rate, over ten groups by risk",
            format="decimals",
            better="lower",
            compute=scores.expected_calibration_error,
            interval=_with_enough(_gap_interval),
            places=EVERYWHERE,
        ),
        Metric(
            key="precision",
            name="precision",
            meaning="share of churners at or above the threshold",
            format="percent",
            better="higher",
            compute=scores.precision,
            needs="a threshold",
            undefined="no subscription reaches the threshold",
        ),
        Metric(
            key="recall",
            name="recall",
            meaning="share of all churners at or above the threshold",
            format="percent",
            better="higher",
            compute=scores.recall,
            needs="a threshold",
            undefined="nobody churned",
        ),
    )
}
"""All metrics by their keys, in the order of the reports."""


def metrics_in(place: Place) -> tuple[Metric, ...]:
    """Lists the metrics that are reported in a place."""
    return tuple(metric for metric in METRICS.values() if place in metric.places)


def compared_metrics() -> tuple[Metric, ...]:
    """Lists the metrics by which two models can be compared."""
    return tuple(metric for metric in METRICS.values() if metric.max_loss is not None)


def measure(predictions: Predictions, place: Place) -> dict[str, MetricValue]:
    """Computes the metrics of a place that are defined."""
    return {
        metric.key: metric.compute(predictions)
        for metric in metrics_in(place)
        if metric.is_defined(predictions)
    }


def values_of(measured: Mapping[str, MetricValue], place: Place) -> dict[str, float | None]:
    """The value of every metric of a place; None if it is not defined."""
    values = {key: None if np.isnan(m.value) else m.value for key, m in measured.items()}
    return {metric.key: values.get(metric.key) for metric in metrics_in(place)}


def intervals_of(
    predictions: Predictions, measured: Mapping[str, MetricValue], place: Place
) -> dict[str, Interval | None]:
    """The 95 % confidence interval of every metric of a place; None if it is unknown."""
    return {
        metric.key: metric.interval(predictions, measured[metric.key])
        if metric.key in measured
        else None
        for metric in metrics_in(place)
    }


def why_missing(predictions: Predictions) -> str | None:
    """Why metrics or intervals are missing; None if none is."""
    return why_undefined(predictions) or why_no_interval(predictions)


def why_undefined(predictions: Predictions) -> str | None:
    """Why the ranking cannot be judged; None if it can."""
    n = predictions.subscriptions
    if not predictions.is_mixed:
        churned = bool(predictions.outcome.any())
        if n == 1:
            return f"the only subscription {'churned' if churned else 'did not churn'}"
        return f"{'each' if churned else 'none'} of the {n:,} subscriptions churned"
    if not predictions.is_ranked:
        return f"all {n:,} subscriptions have the same predicted probability"
    return None


def why_no_interval(predictions: Predictions) -> str | None:
    """Why losses, average precision and calibration error have no intervals; None if they have."""
    kinds = {"churners": predictions.outcome, "non-churners": ~predictions.outcome}
    for name, kind in kinds.items():
        if (count := predictions.characters.count(kind)) < LEAST_FOR_INTERVAL:
            return f"too few {name} for intervals of losses, precision and calibration: {count}"
    return None
