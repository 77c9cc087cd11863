"""The gate: whether a new model, the candidate, may take the champion's place."""

from datetime import date
from statistics import NormalDist
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict

from churnlib.metrics.comparison import Difference, paired_difference
from churnlib.metrics.definitions import HIGHER_IS_BETTER
from churnlib.metrics.intervals import CONFIDENCE, quantile
from churnlib.schemas.columns import LABEL
from churnlib.settings import ChampionSettings, GateMetric

Decision = Literal["accepted", "refused", "undecided"]
"""Of a candidate: it may be champion, it may not, or nothing can be said yet."""
MOST = 0.5
"""Where a smaller share of equal models would pass, a refusal tells what is to be done."""
MORE_MONTHS = "with windows.train.end and windows.score.start earlier by as many"
"""How there are more months to score: no window of training may reach into what is scored."""


class Terms(BaseModel):
    """By what candidate and champion are compared.

    Attributes:
        metric: What is compared.
        max_loss: By how much the candidate may be worse, in units of the metric.
        min_outcomes: How many must have churned, and how many not, for a decision; 0 where a
            comparison is older than the setting.
        promote: Whether a candidate that is accepted becomes champion at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: GateMetric
    max_loss: float
    min_outcomes: int = 0
    promote: bool

    @classmethod
    def of(cls, settings: ChampionSettings) -> "Terms":
        """The terms that the settings state."""
        return cls(
            metric=settings.metric,
            max_loss=settings.largest_loss,
            min_outcomes=settings.min_outcomes,
            promote=settings.promote,
        )


class Comparison(Terms):
    """A candidate held against a champion, on the same subscriptions.

    Attributes:
        candidate: The version that is to be champion.
        champion: The version that it was held against; null where there was none.
        cohort: The fingerprint of the feature table that both predicted.
        window: First and last start of its subscriptions.
        as_of: The day by which its outcomes were known.
        n: Subscriptions with a known outcome; null where nothing was computed.
        positives: How many of them churned.
        candidate_value: The metric of the candidate; null where not defined.
        champion_value: The same of the champion.
        difference: Candidate less champion, in units of the metric.
        interval: Its 95 % interval, by a bootstrap over characters.
        decision: What follows.
        reason: Why.
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
        """Whether the candidate becomes champion by this comparison."""
        return self.promote and self.decision == "accepted"


def measure(
    both: pl.DataFrame, metric: GateMetric, max_loss: float, min_outcomes: int = 0
) -> dict[str, Any]:
    """Compares two models on the same subscriptions, and decides.

    The test is one of non-inferiority: the candidate is accepted where the 95 % interval of its
    difference to the champion, turned so that more is better, leaves no larger loss than
    `max_loss`. A candidate that is worse by more is so accepted in 2.5 % of cases at the most; one
    that says the same as the champion always is. That holds where enough churned and enough did
    not; on fewer nothing is decided.

    Args:
        both: A row a subscription: `char_id`, `sub_id`, `sub_churn` (rows of a null are left out),
            and the probabilities of the two as `candidate` and `champion`.
        metric: What to compare.
        max_loss: By how much the candidate may be worse.
        min_outcomes: How many must have churned, and how many not, for a decision.

    Returns:
        The fields of a `Comparison` that follow.
    """
    found = paired_difference(both, "candidate", "champion", metric)
    interval, churned = found.interval(), int(both[LABEL].sum())
    decision, reason = judge(interval, metric, max_loss, found.reason)
    if min(churned, found.n - churned) < min_outcomes:
        decision, reason = "undecided", _too_few(churned, found.n, min_outcomes)
    elif decision == "refused" and (share := _equal_that_pass(found, max_loss)) < MOST:
        reason = f"{reason}; {_too_wide(churned, found.n, share)}"
    return {
        "n": found.n,
        "positives": churned,
        "candidate_value": found.candidate,
        "champion_value": found.champion,
        "difference": found.difference,
        "interval": interval,
        "decision": decision,
        "reason": reason,
    }


def _equal_that_pass(found: Difference, max_loss: float) -> float:
    """The share of models as good as the champion that such an interval lets pass.

    1 where the interval is not what speaks against the candidate: it is worse beyond doubt.
    """
    interval = found.interval()
    if interval is None or not found.standard_error or not interval[0] <= 0 <= interval[1]:
        return 1.0
    return NormalDist().cdf(max_loss / found.standard_error - quantile(CONFIDENCE))


def _too_few(churned: int, n: int, wanted: int) -> str:
    return (
        f"{churned:,} of {n:,} subscriptions churned and {n - churned:,} did not, and "
        f"champion.min_outcomes asks for {wanted:,} of each: score more months, {MORE_MONTHS}, "
        "when their outcomes are known; or promote it by hand (churn promote --force)"
    )


def _too_wide(churned: int, n: int, share: float) -> str:
    return (
        f"as only {churned:,} of {n:,} subscriptions churned, the interval is so wide that of "
        f"models as good as the champion only {share:.0%} pass: promote it by hand (churn promote "
        "--force), or give the next candidate a larger champion.max_loss or more months to score, "
        f"{MORE_MONTHS}"
    )


def judge(
    interval: tuple[float, float] | None,
    metric: GateMetric,
    max_loss: float,
    why_undefined: str | None = None,
) -> tuple[Decision, str]:
    """Decides by the interval of a difference.

    Args:
        interval: The 95 % interval of candidate less champion; null where it is not defined.
        metric: Of what; tells whether more is better.
        max_loss: By how much the candidate may be worse.
        why_undefined: Why there is no interval.

    Returns:
        The decision, and the reason in words.

    >>> judge((-0.012, 0.010), "roc_auc", 0.02)
    ('accepted', 'it is worse by 0.0120 at the most, and 0.0200 is allowed')
    >>> judge((0.0, 0.0), "roc_auc", 0.0)
    ('accepted', 'it is worse by 0.0000 at the most, and 0.0000 is allowed')
    >>> judge((-0.001, 0.011), "brier", 0.005)
    ('refused', 'it may be worse by 0.0110, and 0.0050 is allowed')
    """
    if interval is None:
        return "undecided", f"the difference cannot be told: {why_undefined}"
    low, high = interval if HIGHER_IS_BETTER[metric] else (-interval[1], -interval[0])
    allowed, worst = f"and {max_loss:.4f} is allowed", 0.0 - low
    if low > 0:
        return "accepted", f"it is better by {low:.4f} at the least"
    if low >= -max_loss:
        return "accepted", f"it is worse by {worst:.4f} at the most, {allowed}"
    if high < 0:
        return "refused", f"it is worse, by {-high:.4f} to {worst:.4f}, {allowed}"
    return "refused", f"it may be worse by {worst:.4f}, {allowed}"
