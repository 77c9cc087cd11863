"""The gate: whether a new model, the candidate, may take the champion's place."""

from datetime import date
from statistics import NormalDist
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict

from churnlib.metrics.comparison import Difference, paired_difference
from churnlib.metrics.definitions import METRICS
from churnlib.metrics.intervals import CONFIDENCE, normal_quantile
from churnlib.schemas.columns import LABEL
from churnlib.settings import ChampionSettings, GateMetric

Decision = Literal["accepted", "refused", "undecided"]
"""What the gate decides on a candidate; `undecided` where there is too little data."""
LOW_POWER = 0.5
"""If a smaller share of models equal to the champion would pass, a refusal says what to do."""
MORE_MONTHS = "with windows.train.end and windows.score.start earlier by as many"
"""How to score more months: the training window must end before the scored months begin."""


class Terms(BaseModel):
    """The terms of a comparison of candidate and champion.

    Attributes:
        metric: The metric to compare.
        max_loss: By how much the candidate may be worse, in units of the metric.
        min_outcomes: How many subscriptions must have churned, and how many must not have, for a
            decision; 0 in comparisons older than the setting.
        promote: Whether an accepted candidate becomes champion at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: GateMetric
    max_loss: float
    min_outcomes: int = 0
    promote: bool

    @classmethod
    def of(cls, settings: ChampionSettings) -> "Terms":
        """The terms in the settings."""
        return cls(
            metric=settings.metric,
            max_loss=settings.largest_loss,
            min_outcomes=settings.min_outcomes,
            promote=settings.promote,
        )


class Comparison(Terms):
    """A comparison of a candidate with the champion, on the same subscriptions.

    Attributes:
        candidate: The candidate's version.
        champion: The champion's version; None if there was none.
        cohort: The fingerprint of the feature table that both predicted.
        window: First and last start of its subscriptions.
        as_of: The day as of which its outcomes were known.
        n: Subscriptions with a known outcome; None if nothing was computed.
        positives: Number of them that churned.
        candidate_value: The candidate's metric; None where not defined.
        champion_value: The champion's metric; None where not defined.
        difference: The candidate's value minus the champion's, in units of the metric.
        interval: Its 95 % confidence interval, by a bootstrap over characters.
        decision: The decision.
        reason: The reason in words.
    """

    candidate: str
    champion: str | None
    cohort: str
    window: tuple[date, date]
    as_of: date
    n: int | None = None
    positives: int | None = None
    candidate_value: float | None = None
    champion_value: float | None = None
    difference: float | None = None
    interval: tuple[float, float] | None = None
    decision: Decision
    reason: str

    @property
    def promotes(self) -> bool:
        """Whether this comparison makes the candidate champion."""
        return self.promote and self.decision == "accepted"


def compare_models(
    predictions: pl.DataFrame, metric: GateMetric, max_loss: float, min_outcomes: int = 0
) -> dict[str, Any]:
    """Compares two models on the same subscriptions, and decides.

    A test of non-inferiority: the candidate is accepted if the 95 % confidence interval of its
    difference to the champion, with the sign that makes more better, excludes a loss larger than
    `max_loss`. A candidate that is worse by more is thus accepted in at most 2.5 % of cases; one
    with the champion's own predictions always is. This holds if enough subscriptions churned and
    enough did not; with fewer there is no decision.

    Args:
        predictions: One row per subscription: `char_id`, `sub_id`, `sub_churn` (rows where it is
            null are left out), and the models' probabilities as `candidate` and `champion`.
        metric: The metric to compare.
        max_loss: By how much the candidate may be worse.
        min_outcomes: How many subscriptions must have churned, and how many must not have, for a
            decision.

    Returns:
        The fields of a `Comparison` that follow.
    """
    result = paired_difference(predictions, "candidate", "champion", metric)
    interval, churned = result.interval(), int(predictions[LABEL].sum())
    decision, reason = decide(interval, metric, max_loss, result.reason)
    if min(churned, result.n - churned) < min_outcomes:
        decision, reason = "undecided", _too_few(churned, result.n, min_outcomes)
    elif decision == "refused" and (share := _equal_that_pass(result, max_loss)) < LOW_POWER:
        reason = f"{reason}; {_too_wide(churned, result.n, share)}"
    return {
        "n": result.n,
        "positives": churned,
        "candidate_value": result.candidate,
        "champion_value": result.champion,
        "difference": result.difference,
        "interval": interval,
        "decision": decision,
        "reason": reason,
    }


def _equal_that_pass(result: Difference, max_loss: float) -> float:
    """The share of models as good as the champion that pass with an interval of this width.

    1 if the candidate is refused for another reason: it is significantly worse.
    """
    interval = result.interval()
    if interval is None or not result.standard_error or not interval[0] <= 0 <= interval[1]:
        return 1.0
    return NormalDist().cdf(max_loss / result.standard_error - normal_quantile(CONFIDENCE))


def _too_few(churned: int, n: int, required: int) -> str:
    return (
        f"{churned:,} of {n:,} subscriptions churned and {n - churned:,} did not, and "
        f"champion.min_outcomes requires {required:,} of each: score more months, {MORE_MONTHS}, "
        "once their outcomes are known; or promote manually (churn promote --force)"
    )


def _too_wide(churned: int, n: int, share: float) -> str:
    return (
        f"with only {churned:,} of {n:,} subscriptions churned, the interval is so wide that only "
        f"{share:.0%} of models as good as the champion pass: promote manually (churn promote "
        "--force), or give the next candidate a larger champion.max_loss or more months to score, "
        f"{MORE_MONTHS}"
    )


def decide(
    interval: tuple[float, float] | None,
    metric: GateMetric,
    max_loss: float,
    why_undefined: str | None = None,
) -> tuple[Decision, str]:
    """Decides by the confidence interval of a difference.

    Args:
        interval: The 95 % interval of candidate minus champion; None if it is not defined.
        metric: The metric.
        max_loss: By how much the candidate may be worse.
        why_undefined: Why there is no interval.

    Returns:
        The decision, and the reason in words.

    >>> decide((-0.012, 0.010), "roc_auc", 0.02)
    ('accepted', 'it is worse by at most 0.0120, and 0.0200 is allowed')
    >>> decide((0.0, 0.0), "roc_auc", 0.0)
    ('accepted', 'it is worse by at most 0.0000, and 0.0000 is allowed')
    >>> decide((-0.001, 0.011), "brier", 0.005)
    ('refused', 'it may be worse by 0.0110, and 0.0050 is allowed')
    """
    if interval is None:
        return "undecided", f"the difference is not defined: {why_undefined}"
    low, high = interval
    if METRICS[metric].better == "lower":
        low, high = -high, -low
    allowed, worst = f"and {max_loss:.4f} is allowed", 0.0 - low
    if low > 0:
        return "accepted", f"it is better by at least {low:.4f}"
    if low >= -max_loss:
        return "accepted", f"it is worse by at most {worst:.4f}, {allowed}"
    if high < 0:
        return "refused", f"it is worse, by {-high:.4f} to {worst:.4f}, {allowed}"
    return "refused", f"it may be worse by {worst:.4f}, {allowed}"
