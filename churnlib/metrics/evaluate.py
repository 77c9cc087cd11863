"""The metrics of predicted probabilities, once the outcome is known."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from textwrap import fill
from typing import Any

import numpy as np
import polars as pl

from churnlib.metrics.bootstrap import Floats
from churnlib.metrics.comparison import difference_of
from churnlib.metrics.deciles import Decile, deciles
from churnlib.metrics.definitions import (
    compared_metrics,
    intervals_of,
    measure,
    metrics_in,
    values_of,
    why_missing,
)
from churnlib.metrics.intervals import Interval
from churnlib.metrics.predictions import MetricValue, Predictions, known_rows, probabilities
from churnlib.metrics.reliability import RiskGroup, risk_groups
from churnlib.schemas.columns import BASELINE, CHAR_ID, LABEL, PROBABILITY, SUB_ID
from churnlib.schemas.validation import (
    as_frame,
    check_flags,
    check_labels,
    check_share,
    check_whole,
    require,
)

BASE_RATE, LOGISTIC_REGRESSION = "base_rate", "logistic_regression"
"""The baselines: the churn rate of the training rows, and a logistic regression on them."""
SCORED = "the scored rows"
"""The name of the rows in messages."""


@dataclass(frozen=True)
class BaselineDifference:
    """The difference between a model and a baseline in one metric, on the same rows.

    Attributes:
        difference: The value of the model minus that of the baseline.
        interval: Its 95 % confidence interval; None with too few characters.
    """

    difference: float
    interval: Interval | None


class _MetricAttributes:
    """Makes each metric in `values` an attribute."""

    values: Mapping[str, float | None]

    def __getattr__(self, name: str) -> float | None:
        try:
            value: float | None = self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(f"there is no metric '{name}'", name=name, obj=self) from None
        return value

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.values]


@dataclass(frozen=True)
class Baseline(_MetricAttributes):
    """The metrics of a baseline on the rows of a group.

    Attributes:
        values: The value of each metric, by key; None if it is not defined.
        intervals: Their 95 % confidence intervals; None if unknown.
        differences: The difference between the model and the baseline, by metric, if defined.
    """

    values: Mapping[str, float | None]
    intervals: Mapping[str, Interval | None]
    differences: Mapping[str, BaselineDifference]

    def to_json(self) -> dict[str, Any]:
        """The metrics as plain data, always with the same keys."""
        plain = asdict(self)
        differences = {metric.key: None for metric in compared_metrics()} | plain["differences"]
        return {**plain.pop("values"), **plain, "differences": differences}


def _unknown() -> dict[str, Any]:
    return {metric.key: None for metric in metrics_in("groups")}


@dataclass(frozen=True, repr=False)
class Scores(_MetricAttributes):
    """The metrics of one group of subscriptions.

    Each metric is an attribute, too: `scores.roc_auc`. Intervals are 95 % confidence intervals by a
    bootstrap that draws characters; see `churnlib.metrics.bootstrap`.

    Attributes:
        n: The number of rows scored: subscriptions, or subscriptions and months, with a label.
        positives: The number of them that churned.
        immature: The number of rows left out because their label is not yet available.
        subscriptions: The number of subscriptions that the scored rows are of.
        churned_subscriptions: The number of them that churned, in one row or several.
        without_currency: The number of those scored without a visible currency row; None if not
            counted.
        threshold: The probability from which a subscription counts as predicted to churn; None if
            there is none.
        values: The value of each metric, by its key in `churnlib.metrics.definitions.METRICS`; None
            if it is not defined.
        intervals: The interval of each metric; None if it is unknown.
        deciles: The risk deciles, the riskiest first; empty if only one outcome occurs.
        risk_groups: The groups behind the expected calibration error.
        baselines: The metrics of `base_rate` and `logistic_regression`, if known.
        reason: Why metrics are None, if any is.
    """

    n: int
    positives: int
    immature: int
    subscriptions: int
    churned_subscriptions: int
    without_currency: int | None
    threshold: float | None = None
    values: Mapping[str, float | None] = field(default_factory=_unknown)
    intervals: Mapping[str, Interval | None] = field(default_factory=_unknown)
    deciles: tuple[Decile, ...] = ()
    risk_groups: tuple[RiskGroup, ...] = ()
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    reason: str | None = None

    @property
    def roc_auc_ci(self) -> Interval | None:
        """The interval of the ROC AUC; None if all probabilities are equal."""
        return self.intervals["roc_auc"]

    def __repr__(self) -> str:
        counts = {"n": self.n, "positives": self.positives, "immature": self.immature}
        metrics = {key: None if v is None else round(v, 4) for key, v in self.values.items()}
        facts = counts | metrics | ({"reason": self.reason} if self.reason else {})
        words = ", ".join(f"{name}={value!r}" for name, value in facts.items())
        return fill(f"Scores({words})", 100, subsequent_indent="  ")

    def to_json(self) -> dict[str, Any]:
        """The metrics as plain data, always with the same keys."""
        plain = asdict(replace(self, baselines={}))
        baselines = {name: baseline.to_json() for name, baseline in self.baselines.items()}
        counts = {name: plain.pop(name) for name in ("n", "positives", "immature")}
        return {
            **counts,
            **plain.pop("values"),
            "roc_auc_ci": self.roc_auc_ci,
            **plain,
            "baselines": dict.fromkeys((BASE_RATE, LOGISTIC_REGRESSION)) | baselines,
        }


def evaluate(
    scored: pl.DataFrame | pl.LazyFrame,
    *,
    threshold: float | None = None,
    base_rate: float | None = None,
) -> dict[str, Scores]:
    """Computes the metrics of all subscriptions, and of new characters.

    Args:
        scored: One row per subscription, or per subscription and month: `char_id`, `sub_id`,
            `is_first_sub`, `sub_churn` (null if not yet available), `churn_probability`, and
            optionally `day`, `baseline_probability` and `currency_age_months`. Without `char_id`,
            each subscription counts as a character, so intervals are too narrow if characters have
            several.
        threshold: The probability from which a subscription counts as predicted to churn.
        base_rate: The share of churners among the rows that the model was fitted on.

    Returns:
        `general` and `new_characters`.

    Raises:
        DataError: A column is missing or holds an invalid value, such as a label that is neither 0
            nor 1, or a share is not between 0 and 1.
    """
    scored = _checked(scored, threshold, base_rate)
    check_flags(scored, "is_first_sub")
    known = known_rows(scored)
    # New characters share the draws of all, so that their intervals are the same here and among
    # the segments.
    everyone, is_new = Predictions.of(known, threshold), pl.col("is_first_sub")
    new = everyone.where(known["is_first_sub"].cast(pl.Boolean).to_numpy())
    immature = scored.filter(pl.col(LABEL).is_null())
    return {
        "general": _score(known, everyone, immature, base_rate),
        "new_characters": _score(known.filter(is_new), new, immature.filter(is_new), base_rate),
    }


def score_group(
    scored: pl.DataFrame, *, threshold: float | None = None, base_rate: float | None = None
) -> Scores:
    """Computes the metrics of one group of subscriptions; see `evaluate` for the arguments."""
    scored = _checked(scored, threshold, base_rate, ())
    known = known_rows(scored)
    immature = scored.filter(pl.col(LABEL).is_null())
    return _score(known, Predictions.of(known, threshold), immature, base_rate)


def _checked(
    scored: pl.DataFrame | pl.LazyFrame,
    threshold: float | None,
    base_rate: float | None,
    also: Sequence[str] = ("is_first_sub",),
) -> pl.DataFrame:
    rows = as_frame(scored, SCORED)
    require(rows.columns, (SUB_ID, LABEL, PROBABILITY, *also), SCORED)
    check_labels(rows[LABEL])
    check_whole(rows, SUB_ID, CHAR_ID)
    check_share("threshold", threshold)
    check_share("base_rate", base_rate)
    return rows


def _score(
    known: pl.DataFrame, predictions: Predictions, immature: pl.DataFrame, base_rate: float | None
) -> Scores:
    n, positives = len(known), int(known[LABEL].sum())
    counts = Scores(
        n=n,
        positives=positives,
        immature=len(immature),
        subscriptions=predictions.subscriptions,
        churned_subscriptions=predictions.churned_subscriptions,
        without_currency=known["currency_age_months"].null_count()
        if "currency_age_months" in known.columns
        else None,
        threshold=predictions.threshold,
    )
    if n == 0:
        return replace(counts, reason=_why_no_labels(immature[SUB_ID].n_unique()))
    measured = measure(predictions, "groups")
    reasons = (why_missing(predictions), _why_no_precision(predictions))
    return replace(
        counts,
        values=values_of(measured, "groups"),
        intervals=intervals_of(predictions, measured, "groups"),
        deciles=deciles(predictions) if predictions.is_mixed else (),
        risk_groups=risk_groups(predictions),
        baselines={
            name: _baseline(replace(predictions, probability=probability), measured)
            for name, probability in _baselines(known, base_rate).items()
        },
        reason="; ".join(filter(None, reasons)) or None,
    )


def _why_no_labels(subs: int) -> str:
    if not subs:
        return "there are no subscriptions"
    which = "the only subscription" if subs == 1 else f"any of the {subs:,} subscriptions"
    return f"the label is not yet available for {which}"


def _why_no_precision(predictions: Predictions) -> str | None:
    if predictions.threshold is None or predictions.selected.any():
        return None
    threshold = f"{predictions.threshold:.3f}"
    return f"no subscription reaches the threshold of {threshold}, so there is no precision"


def _baselines(known: pl.DataFrame, base_rate: float | None) -> dict[str, Floats]:
    baselines = {} if base_rate is None else {BASE_RATE: np.full(len(known), base_rate)}
    if BASELINE in known.columns and not known[BASELINE].null_count():
        baselines[LOGISTIC_REGRESSION] = probabilities(known, BASELINE)
    return baselines


def _baseline(predictions: Predictions, model: Mapping[str, MetricValue]) -> Baseline:
    measured = measure(predictions, "baselines")
    counts = (predictions.subscriptions, predictions.units)
    differences = {
        metric.key: difference_of(metric.key, model[metric.key], measured[metric.key], *counts)
        for metric in compared_metrics()
        if metric.key in measured
    }
    return Baseline(
        values_of(measured, "baselines"),
        intervals_of(predictions, measured, "baselines"),
        {
            key: BaselineDifference(result.difference, result.interval())
            for key, result in differences.items()
            if result.difference is not None
        },
    )
