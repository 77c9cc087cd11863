"""How the gate decides on a candidate, by what was measured on a cohort.

A candidate must be better than chance, not significantly worse than a logistic regression, and not
worse by more than the allowed loss than the champion and than the anchor, the best champion of the
last year. It is refused if it is significantly worse than one of them; if the intervals are too
wide to tell, nothing is decided, and it is compared again on more months.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from churnlib.metrics.comparison import Difference
from churnlib.metrics.definitions import METRICS
from churnlib.metrics.intervals import Interval, normal_quantile
from churnlib.metrics.ranking import CHANCE
from churnlib.settings import ERRORS_ALLOWED, LEAST_LOSS_SHARE, MAX_LOSS, GateMetric

Decision = Literal["accepted", "refused", "undecided"]
"""What the gate decides on a candidate; `undecided` where there is too little data."""
ERROR = 0.05
"""The chance that any of many looks accepts a candidate that is worse by the allowed loss."""
FLOOR_ERROR = 0.002
"""The chance that any of many looks takes a ranking by chance for a better one."""
LOW_POWER = 0.5
"""If a smaller share of models equal to the champion would pass, the reason says so."""
MORE_MONTHS = (
    "score again once the outcomes of more months are known, which are added to these; or promote "
    "it manually"
)
"""What to do with a candidate that is not decided on."""


@dataclass(frozen=True)
class Rules:
    """The rules of one decision.

    Attributes:
        metric: The metric of the comparison.
        max_loss: By how much the candidate may be worse, in units of the metric.
        min_outcomes: How many subscriptions must have churned, and how many must not have.
        look: 1 + how often models of this configuration were compared on these subscriptions.
    """

    metric: GateMetric
    max_loss: float
    min_outcomes: int = 0
    look: int = 1

    @property
    def confidence(self) -> float:
        """The level of the intervals of differences: 95 % at the first look."""
        return confidence_of_look(self.look, ERROR)


@dataclass(frozen=True)
class Measured:
    """What was measured of a candidate on a cohort.

    Attributes:
        champion: Its difference to the champion.
        anchor: Its difference to the anchor; None without one.
        own: The interval of its ROC AUC, at the level of `floor_confidence`; None if not defined.
        baseline: The 95 % interval of its difference in ROC AUC to a logistic regression; None
            without one.
        n: Subscriptions with a known outcome.
        churned: The number of them that churned.
    """

    champion: Difference
    anchor: Difference | None
    own: Interval | None
    baseline: Interval | None
    n: int
    churned: int


def confidence_of_look(look: int, error: float) -> float:
    """The level of a two-sided interval for which all looks together err as often as allowed.

    Look k spends `error / (k (k + 1))` at either end, so any number of looks spends less than
    `error`, and the first spends half of it.

    >>> [round(confidence_of_look(look, 0.05), 4) for look in (1, 2, 3)]
    [0.95, 0.9833, 0.9917]
    """
    return 1 - 2 * error / (look * (look + 1))


def floor_confidence(look: int) -> float:
    """The level of the interval of a candidate's ROC AUC: 99.8 % at the first look."""
    return confidence_of_look(look, FLOOR_ERROR)


def loss_that_follows(metric: GateMetric, standard_error: float | None) -> float:
    """The allowed loss where the settings state none: `ERRORS_ALLOWED` standard errors.

    It is at most the metric's value in `MAX_LOSS`, and at least `LEAST_LOSS_SHARE` of it.

    >>> [loss_that_follows("roc_auc", error) for error in (0.001, 0.004, 0.01, None)]
    [0.005, 0.012, 0.02, 0.02]
    """
    most = MAX_LOSS[metric]
    if standard_error is None:
        return most
    return min(max(ERRORS_ALLOWED * standard_error, LEAST_LOSS_SHARE * most), most)


def decide(measured: Measured, rules: Rules) -> tuple[Decision, str]:
    """Decides on a candidate.

    Returns:
        The decision, and the reason in words.
    """
    n, churned = measured.n, measured.churned
    if min(churned, n - churned) < rules.min_outcomes:
        return "undecided", _too_few(churned, n, rules.min_outcomes)
    checks = list(_checks(measured, rules))
    for worst in ("refused", "undecided"):
        for decision, reason in checks:
            if decision == worst:
                return decision, reason + _what_next(decision, measured, rules)
    return checks[0]


def decide_by_interval(
    interval: Interval | None, rules: Rules, why_undefined: str | None = None
) -> tuple[Decision, str]:
    """Decides by the confidence interval of a difference.

    Args:
        interval: The interval of the candidate minus the other model; None if it is not defined.
        rules: The rules.
        why_undefined: Why there is no interval.

    >>> decide_by_interval((-0.012, 0.010), Rules("roc_auc", 0.02))
    ('accepted', 'it is worse by at most 0.0120, and 0.0200 is allowed')
    >>> decide_by_interval((-0.001, 0.011), Rules("brier", 0.005))
    ('undecided', 'it may be worse by 0.0110, and 0.0050 is allowed')
    >>> decide_by_interval((-0.04, -0.01), Rules("roc_auc", 0.02))
    ('refused', 'it is worse, by 0.0100 to 0.0400, and 0.0200 is allowed')
    """
    if interval is None:
        return "undecided", f"the difference is not defined: {why_undefined}"
    low, high = interval
    if METRICS[rules.metric].better == "lower":
        low, high = -high, -low
    allowed, worst = f"and {rules.max_loss:.4f} is allowed", 0.0 - low
    if low > 0:
        return "accepted", f"it is better by at least {low:.4f}"
    if low >= -rules.max_loss:
        return "accepted", f"it is worse by at most {worst:.4f}, {allowed}"
    if high < 0:
        return "refused", f"it is worse, by {-high:.4f} to {worst:.4f}, {allowed}"
    return "undecided", f"it may be worse by {worst:.4f}, {allowed}"


def _checks(measured: Measured, rules: Rules) -> Iterator[tuple[Decision, str]]:
    """All checks of a candidate, that against the champion first."""
    yield _against(measured.champion, rules)
    if measured.anchor:
        decision, reason = _against(measured.anchor, rules)
        yield decision, f"compared with the best champion of the last 12 months, {reason}"
    yield _against_chance(measured.own, rules)
    if measured.baseline and measured.baseline[1] < 0:
        low, high = measured.baseline
        less = f"by {-high:.4f} to {-low:.4f} of ROC AUC"
        yield "refused", f"it is significantly worse than a logistic regression, {less}"


def _against(difference: Difference, rules: Rules) -> tuple[Decision, str]:
    interval = difference.interval(rules.confidence)
    decision, reason = decide_by_interval(interval, rules, difference.reason)
    return decision, reason + (_look(rules) if interval else "")


def _against_chance(own: Interval | None, rules: Rules) -> tuple[Decision, str]:
    if own is None:
        return "undecided", "its own ROC AUC has no confidence interval"
    low, high = own
    between = f"its ROC AUC lies between {low:.4f} and {high:.4f}"
    sure = f"({floor_confidence(rules.look):.2%} confidence)"
    if low > CHANCE:
        return "accepted", f"it is better than chance: {between} {sure}"
    if high < CHANCE:
        return "refused", f"it is worse than chance: {between} {sure}"
    return "undecided", f"it may be no better than chance: {between} {sure}"


def _look(rules: Rules) -> str:
    if rules.look == 1:
        return ""
    return (
        f" (with {rules.confidence:.2%} confidence, because this is look {rules.look} at models of "
        "this configuration on these subscriptions)"
    )


def _what_next(decision: Decision, measured: Measured, rules: Rules) -> str:
    if decision == "refused":
        return ""
    share = equal_that_pass(measured.champion, rules)
    if share >= LOW_POWER:
        return f": {MORE_MONTHS}"
    return (
        f"; with only {measured.churned:,} of {measured.n:,} subscriptions churned, the interval "
        f"is so wide that only {share:.0%} of models as good as the champion pass: {MORE_MONTHS}"
    )


def equal_that_pass(difference: Difference, rules: Rules) -> float:
    """The share of models as good as the champion that pass with an interval of this width.

    1 if the width does not decide: the candidate's predictions are the champion's, or the interval
    does not include 0.
    """
    interval, error = difference.interval(rules.confidence), difference.standard_error
    if interval is None or not error or not interval[0] <= 0 <= interval[1]:
        return 1.0
    return NormalDist().cdf(rules.max_loss / error - normal_quantile(rules.confidence))


def _too_few(churned: int, n: int, required: int) -> str:
    return (
        f"{churned:,} of {n:,} subscriptions churned and {n - churned:,} did not, and "
        f"champion.min_outcomes requires {required:,} of each: {MORE_MONTHS}"
    )
