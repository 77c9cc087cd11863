"""How good predicted probabilities are, once the outcome is known."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from churnlib.metrics import definitions
from churnlib.metrics.bootstrap import Floats
from churnlib.metrics.comparison import between
from churnlib.metrics.deciles import Decile, deciles
from churnlib.metrics.definitions import METRICS, Metric, MetricValue, Predicted, probabilities
from churnlib.metrics.intervals import Interval
from churnlib.metrics.reliability import RiskGroup, risk_groups
from churnlib.metrics.scores import (
    intervals_of,
    is_mixed,
    known_rows,
    measure,
    predictions,
    values_of,
    why_undefined,
)
from churnlib.schemas.columns import BASELINE, LABEL, PROBABILITY
from churnlib.schemas.validation import (
    as_frame,
    check_flags,
    check_labels,
    check_share,
    check_whole,
    require,
)

BASE_RATE, LOGISTIC_REGRESSION = "base_rate", "logistic_regression"
"""The baselines: the training rows' churn rate for everyone, and a plain model of the same rows."""
SCORED = "the scored rows"
"""What messages call what is evaluated."""
FIGURES = (
    "mean_predicted",
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
    "expected_calibration_error",
    "lift_top_decile",
    "precision",
    "recall",
)
"""What is told of a model and of its baselines, as far as it is defined."""


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
        intervals: The interval of each of `FIGURES`; null where it is not known.
        differences: How far the model is from it, by metric, where that is defined.
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
    intervals: Mapping[str, Interval | None] = field(default_factory=lambda: dict.fromkeys(FIGURES))
    differences: Mapping[Metric, Against] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """The figures of one group of subscriptions.

    Intervals are of 95 %, by a bootstrap that draws characters; see `churnlib.metrics.bootstrap`.

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
        intervals: The interval of each of `FIGURES` and of `base_rate`; null where it is not known.
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
    intervals: Mapping[str, Interval | None] = field(
        default_factory=lambda: dict.fromkeys(("base_rate", *FIGURES))
    )
    deciles: tuple[Decile, ...] = ()
    risk_groups: tuple[RiskGroup, ...] = ()
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The figures as plain data, of the same keys whatever is known; null what is not."""
        plain = asdict(self)
        plain["baselines"] = {
            **dict.fromkeys((BASE_RATE, LOGISTIC_REGRESSION)),
            **plain["baselines"],
        }
        for baseline in filter(None, plain["baselines"].values()):
            baseline["differences"] = {**dict.fromkeys(METRICS), **baseline["differences"]}
        return plain


def evaluate(
    scored: pl.DataFrame | pl.LazyFrame,
    *,
    threshold: float | None = None,
    base_rate: float | None = None,
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

    Raises:
        DataError: A column is missing or holds what it must not, such as a label that is neither 0
            nor 1, or a share is not one.
    """
    scored = _checked(scored, threshold, base_rate)
    check_flags(scored, "is_first_sub")
    known = known_rows(scored)
    # New characters are drawn as they are among all, so that their figures have one interval here
    # and among the segments.
    predicted, is_new = predictions(known), pl.col("is_first_sub")
    told = {"threshold": threshold, "base_rate": base_rate}
    new = predicted.where(known["is_first_sub"].cast(pl.Boolean).to_numpy())
    young = scored.filter(pl.col(LABEL).is_null())
    return {
        "general": _score(known, predicted, len(young), **told),
        "new_characters": _score(known.filter(is_new), new, len(young.filter(is_new)), **told),
    }


def score_group(
    scored: pl.DataFrame, *, threshold: float | None = None, base_rate: float | None = None
) -> Scores:
    """Scores one group of subscriptions; see `evaluate` for the arguments."""
    scored = _checked(scored, threshold, base_rate, ())
    known = known_rows(scored)
    immature = len(scored) - len(known)
    return _score(known, predictions(known), immature, threshold=threshold, base_rate=base_rate)


def _checked(
    scored: pl.DataFrame | pl.LazyFrame,
    threshold: float | None,
    base_rate: float | None,
    also: Sequence[str] = ("is_first_sub",),
) -> pl.DataFrame:
    rows = as_frame(scored, SCORED)
    require(rows.columns, ("sub_id", LABEL, PROBABILITY, *also), SCORED)
    check_labels(rows[LABEL])
    check_whole(rows, "sub_id", "char_id")
    check_share("threshold", threshold)
    check_share("base_rate", base_rate)
    return rows


def _score(
    known: pl.DataFrame,
    predicted: Predicted,
    immature: int,
    *,
    threshold: float | None,
    base_rate: float | None,
) -> Scores:
    n, positives = len(known), int(known[LABEL].sum())
    counts = Scores(
        n=n,
        positives=positives,
        immature=immature,
        without_currency=known["currency_age_months"].null_count()
        if "currency_age_months" in known.columns
        else None,
        threshold=threshold,
    )
    if n == 0:
        are = "is" if immature == 1 else "are"
        young = f" yet: {immature:,} {are} not old enough" if immature else ""
        return replace(counts, reason=f"no subscription has a known outcome{young}")
    found = measure(predicted, threshold)
    base = definitions.mean(predicted, predicted.outcome.astype(np.float64))
    intervals = {**counts.intervals, **intervals_of(found, predicted), "base_rate": base.interval()}
    return replace(
        counts,
        base_rate=base.value,
        **values_of(found),
        roc_auc_ci=intervals["roc_auc"],
        intervals=intervals,
        deciles=deciles(predicted) if is_mixed(predicted.outcome) else (),
        risk_groups=risk_groups(predicted),
        baselines={
            name: _baseline(replace(predicted, probability=probability), found, threshold)
            for name, probability in _baselines(known, base_rate).items()
        },
        reason="; ".join(filter(None, (why_undefined(predicted), _nobody_called(found, threshold))))
        or None,
    )


def _nobody_called(found: Mapping[str, MetricValue], threshold: float | None) -> str | None:
    if threshold is None or not np.isnan(found["precision"].value):
        return None
    return f"nobody reaches the threshold of {threshold:.3f}, so there is no precision"


def _baselines(known: pl.DataFrame, base_rate: float | None) -> dict[str, Floats]:
    found = {} if base_rate is None else {BASE_RATE: np.full(len(known), base_rate)}
    if BASELINE in known.columns and not known[BASELINE].null_count():
        found[LOGISTIC_REGRESSION] = probabilities(known, BASELINE)
    return found


def _baseline(
    predicted: Predicted, model: Mapping[str, MetricValue], threshold: float | None
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
        intervals={**dict.fromkeys(FIGURES), **intervals_of(found, predicted)},
        differences={
            metric: Against(d.difference, d.interval())
            for metric, d in apart.items()
            if d.difference is not None
        },
    )
