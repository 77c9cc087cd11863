"""How good predicted probabilities are, once the outcome is known."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from churnlib.features.labels import LABEL
from churnlib.model import figures
from churnlib.model.compare import between
from churnlib.model.deciles import Decile, deciles
from churnlib.model.figures import METRICS, Figure, Metric, Predicted
from churnlib.model.intervals import Interval
from churnlib.model.predict import BASELINE, PROBABILITY
from churnlib.model.reliability import RiskGroup, risk_groups
from churnlib.model.resample import DRAWS, Flags, Floats, Resampling

BASE_RATE, LOGISTIC_REGRESSION = "base_rate", "logistic_regression"
"""The baselines: the training rows' churn rate for everyone, and a plain model of the same rows."""


@dataclass(frozen=True)
class Against:
    """How far a model is from a baseline in one metric, both on the same rows.

    Attributes:
        difference: The model's less the baseline's.
        interval: Its 95 % interval; null where too few characters tell.
    """

    difference: float
    interval: Interval | None


@dataclass(frozen=True)
class Baseline:
    """The figures of a baseline on the rows of a group; see `Scores` for each.

    Attributes:
        differences: How far the model is from it, by metric.
    """

    roc_auc: float | None = None
    average_precision: float | None = None
    log_loss: float | None = None
    brier: float | None = None
    expected_calibration_error: float | None = None
    lift_top_decile: float | None = None
    precision: float | None = None
    recall: float | None = None
    mean_predicted: float | None = None
    intervals: Mapping[str, Interval | None] = field(default_factory=dict)
    differences: Mapping[Metric, Against] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """The figures of one group of subscriptions.

    Intervals are of 95 %, by a bootstrap that draws characters; see `churnlib.model.resample`.

    Attributes:
        n: Subscriptions scored, those with a known outcome.
        positives: How many of them churned.
        immature: Subscriptions left out because their outcome is not known yet.
        without_currency: Of those scored, how many had no visible currency row; null where
            that was not looked at.
        base_rate: Share of positives.
        mean_predicted: Mean of the predicted probabilities.
        roc_auc: Probability that a churner is ranked above one who stays.
        roc_auc_ci: Its interval, as in `intervals`; null also where nothing was ranked, because all
            probabilities are equal.
        average_precision: Precision averaged over recall.
        log_loss: Mean negative log-likelihood, in nats.
        brier: Mean squared difference of probability and outcome.
        expected_calibration_error: Mean distance of churn rate and prediction, over ten groups of
            equal size by predicted probability.
        lift_top_decile: Churn rate among the likeliest tenth over the base rate.
        threshold: The probability from which on a subscription is called a churner, if there is
            one.
        precision: Share of churners among those called; null without a threshold, or if none is.
        recall: Share of those called among the churners; null without a threshold.
        intervals: The interval of each figure, by name; null where it is not known.
        deciles: The subscriptions by predicted probability, the likeliest tenth first; empty
            where nothing can be ranked.
        risk_groups: The groups of the expected calibration error, with what came of them.
        baselines: The same figures of `base_rate` and `logistic_regression`, as far as known.
        reason: Why figures are null; null where none is.
    """

    n: int
    positives: int
    immature: int
    without_currency: int | None
    base_rate: float | None = None
    mean_predicted: float | None = None
    roc_auc: float | None = None
    roc_auc_ci: Interval | None = None
    average_precision: float | None = None
    log_loss: float | None = None
    brier: float | None = None
    expected_calibration_error: float | None = None
    lift_top_decile: float | None = None
    threshold: float | None = None
    precision: float | None = None
    recall: float | None = None
    intervals: Mapping[str, Interval | None] = field(default_factory=dict)
    deciles: tuple[Decile, ...] = ()
    risk_groups: tuple[RiskGroup, ...] = ()
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The figures as plain data."""
        return asdict(self)


def evaluate(
    scored: pl.DataFrame, *, threshold: float | None = None, base_rate: float | None = None
) -> dict[str, Scores]:
    """Scores all subscriptions, and new characters apart.

    Args:
        scored: A row a subscription: `char_id`, `sub_id`, `is_first_sub`, `sub_churn` (null where
            not known yet), `churn_probability`, and, where there are any, `baseline_probability`
            and `currency_age_months`. Without `char_id` each row counts as a character of its own,
            so intervals are too narrow where characters have several.
        threshold: The probability from which on a subscription is called a churner.
        base_rate: The share of churners among the rows that the model was fitted on.

    Returns:
        `general` and `new_characters`.
    """
    groups = {"general": scored, "new_characters": scored.filter(pl.col("is_first_sub"))}
    return {
        name: score_group(group, threshold=threshold, base_rate=base_rate)
        for name, group in groups.items()
    }


def score_group(
    scored: pl.DataFrame, *, threshold: float | None = None, base_rate: float | None = None
) -> Scores:
    """Scores one group of subscriptions; see `evaluate` for the arguments."""
    known = known_rows(scored)
    n, positives = len(known), int(known[LABEL].sum())
    counts = Scores(
        n=n,
        positives=positives,
        immature=len(scored) - n,
        without_currency=known["currency_age_months"].null_count()
        if "currency_age_months" in known.columns
        else None,
        threshold=threshold,
    )
    if n == 0:
        immature = f": {len(scored):,} are not old enough" if len(scored) else ""
        return replace(counts, reason=f"no subscription with a known outcome{immature}")
    predicted = predictions(known)
    found = measure(predicted, threshold)
    values, intervals = values_of(found), intervals_of(found, predicted)
    base = figures.mean(predicted, predicted.outcome.astype(np.float64))
    intervals["base_rate"] = base.interval()
    return replace(
        counts,
        base_rate=base.value,
        **values,
        roc_auc_ci=intervals.get("roc_auc"),
        intervals=intervals,
        deciles=deciles(predicted) if 0 < positives < n else (),
        risk_groups=risk_groups(predicted),
        baselines={
            name: _baseline(replace(predicted, probability=probability), found, threshold)
            for name, probability in _baselines(known, base_rate).items()
        },
        reason=why_undefined(predicted),
    )


def known_rows(scored: pl.DataFrame) -> pl.DataFrame:
    """The rows whose outcome is known, in an order that does not depend on that of all."""
    return scored.filter(pl.col(LABEL).is_not_null()).sort(PROBABILITY, "sub_id")


def predictions(known: pl.DataFrame, draws: int = DRAWS) -> Predicted:
    """Predictions whose outcome is known, with draws of their characters."""
    characters = known["char_id" if "char_id" in known.columns else "sub_id"]
    return Predicted(
        known[LABEL].to_numpy().astype(np.bool_),
        known[PROBABILITY].to_numpy(),
        Resampling.over(characters, draws),
    )


def measure(predicted: Predicted, threshold: float | None = None) -> dict[str, Figure]:
    """Computes all figures of probabilities, those of ranking only where both outcomes are there.

    Args:
        predicted: The probabilities, with what came of them.
        threshold: The probability from which on a subscription is called a churner; without it
            there is no `precision` and no `recall`.
    """
    found = {
        "mean_predicted": figures.mean(predicted, predicted.probability),
        "log_loss": figures.log_loss(predicted),
        "brier": figures.brier(predicted),
        "expected_calibration_error": figures.expected_calibration_error(predicted),
    }
    if is_mixed(predicted.outcome):
        found["roc_auc"] = figures.roc_auc(predicted)
        found["average_precision"] = figures.average_precision(predicted)
        found["lift_top_decile"] = figures.lift_top_decile(predicted)
    if threshold is not None:
        called = predicted.probability >= threshold
        hit = called & predicted.outcome
        found["precision"] = figures.share_of(predicted, called, hit)
        found["recall"] = figures.share_of(predicted, predicted.outcome, hit)
    return found


def values_of(found: Mapping[str, Figure]) -> dict[str, Any]:
    """The values of figures; null where not defined."""
    return {name: None if np.isnan(f.value) else f.value for name, f in found.items()}


def intervals_of(found: Mapping[str, Figure], predicted: Predicted) -> dict[str, Interval | None]:
    """The intervals of figures; null where not known, of ranking also where nothing was ranked."""
    intervals = {name: figure.interval() for name, figure in found.items()}
    if len(np.unique(predicted.probability)) == 1:
        intervals |= dict.fromkeys(intervals.keys() & {"roc_auc", "lift_top_decile"})
    return intervals


def why_undefined(predicted: Predicted) -> str | None:
    """Tells why nothing can be ranked; null where something can."""
    n = len(predicted.outcome)
    if not is_mixed(predicted.outcome):
        what = "each" if predicted.outcome.any() else "none"
        return f"{what} of the {n:,} subscriptions churned"
    if len(np.unique(predicted.probability)) == 1:
        return f"all {n:,} subscriptions have the same predicted probability"
    return None


def is_mixed(outcome: Flags) -> bool:
    """Whether some churned and some stayed."""
    return bool(outcome.any() and not outcome.all())


def _baselines(known: pl.DataFrame, base_rate: float | None) -> dict[str, Floats]:
    found = {} if base_rate is None else {BASE_RATE: np.full(len(known), base_rate)}
    if BASELINE in known.columns and not known[BASELINE].null_count():
        found[LOGISTIC_REGRESSION] = known[BASELINE].to_numpy()
    return found


def _baseline(
    predicted: Predicted, model: Mapping[str, Figure], threshold: float | None
) -> Baseline:
    found = measure(predicted, threshold)
    counts = (len(predicted.outcome), predicted.units)
    apart = {
        metric: between(metric, model[metric], found[metric], *counts)
        for metric in METRICS
        if metric in found
    }
    return Baseline(
        **values_of(found),
        intervals=intervals_of(found, predicted),
        differences={
            metric: Against(d.difference, d.interval())
            for metric, d in apart.items()
            if d.difference is not None
        },
    )
