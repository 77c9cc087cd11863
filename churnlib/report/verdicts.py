"""Verdicts on a model: compared with chance, a baseline and the champion, and its calibration."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from churnlib.metrics.definitions import METRICS
from churnlib.metrics.evaluate import LOGISTIC_REGRESSION
from churnlib.metrics.few_outcomes import outcomes_of, too_few
from churnlib.metrics.ranking import CHANCE
from churnlib.report.content import Plain
from churnlib.report.formatting import (
    between,
    capital,
    count,
    number,
    share,
    signed,
    times,
    with_interval,
)
from churnlib.settings import Grain, words_of

SMALL_ERROR, SMALL_PART = 0.05, 0.25
"""A calibration error is small if it is below the first, and below the second times the rate of the
rarer outcome."""
MIN_OUTCOMES = 30
"""With fewer churners or non-churners, most risk groups have none, and their gaps alone do not show
poor calibration."""
WELL, POORLY, INCONCLUSIVE = "Well calibrated.", "Poorly calibrated.", "Calibration inconclusive."
GATE_KINDS: Mapping[str, Literal["better", "worse", "unsure"]] = {
    "accepted": "better",
    "refused": "worse",
    "undecided": "unsure",
}


Kind = Literal["better", "worse", "unsure", "undefined"]


@dataclass(frozen=True)
class Verdict:
    """A verdict on a model.

    Attributes:
        kind: Whether it is in favour of the model (`better`), against it (`worse`), inconclusive
            (`unsure`), or not possible (`undefined`).
        head: The verdict.
        reason: The reason.
    """

    kind: Kind
    head: str
    reason: str


def against_chance(scores: Plain) -> Verdict:
    """Judges whether a model ranks better than chance, by the interval of its ROC AUC.

    With fewer churners or others than `evaluation.min_outcomes`, that is not known.

    Args:
        scores: The metrics of a group, as `churnlib.metrics.evaluate.Scores.to_json` gives them.

    >>> scores = {"roc_auc": 0.71, "roc_auc_ci": [0.6, 0.8], "lift_top_decile": 3.14}
    >>> against_chance(scores).reason
    'ROC AUC 0.710 (0.600 to 0.800); the riskiest decile churns 3.1 times as often as average.'
    """
    if scores["roc_auc_ci"] is None:
        return Verdict("undefined", "Cannot be judged.", f"{capital(scores['reason'])}.")
    low, high = scores["roc_auc_ci"]
    area = f"{METRICS['roc_auc'].name} {with_interval(scores['roc_auc'], (low, high))}"
    if few := too_few(scores):
        return Verdict("unsure", "Too few outcomes to compare with chance.", f"{area}; {few}.")
    if low > CHANCE:
        lift = f"{times(scores['lift_top_decile'])} times as often as average"
        return Verdict(
            "better", "Better than chance.", f"{area}; the riskiest decile churns {lift}."
        )
    if high < CHANCE:
        reason = f"{area}, entirely below 0.5: subscriptions ranked as safer churn more often."
        return Verdict("worse", "Worse than chance.", reason)
    reason = f"{area}; the interval includes 0.5."
    return Verdict("unsure", "No significant difference from chance.", reason)


def against_baseline(scores: Plain) -> Verdict | None:
    """Compares a model with a logistic regression, by the ROC AUC on the same rows.

    Args:
        scores: See `against_chance`.

    Returns:
        The verdict; None without such a baseline or interval, or with too few outcomes.
    """
    baseline = scores["baselines"].get(LOGISTIC_REGRESSION)
    difference = baseline and baseline["differences"].get("roc_auc")
    if not difference or difference["interval"] is None or too_few(scores):
        return None
    low, high = difference["interval"]
    written = with_interval(difference["difference"], (low, high), signed)
    reason = f"Difference in {METRICS['roc_auc'].name} {written}."
    if low > 0:
        return Verdict("better", "Better than a logistic regression.", reason)
    if high < 0:
        return Verdict("worse", "Worse than a logistic regression.", reason)
    reason = f"{reason} The logistic regression is the simpler choice."
    return Verdict("unsure", "No significant difference from a logistic regression.", reason)


def against_champion(
    comparison: Plain, grain: Grain = "start", *, earlier: bool = False
) -> Verdict:
    """The gate's decision on a candidate, and the reason.

    Args:
        comparison: A `churnlib.versions.gate.Comparison` as plain data.
        grain: Which rows a subscription has.
        earlier: Whether the comparison is on other subscriptions than the report.
    """
    decision = comparison["decision"]
    reason = f"{capital(comparison['reason'])}."
    if comparison["difference"] is not None:
        name = METRICS[comparison["metric"]].name
        written = with_interval(comparison["difference"], comparison["interval"], signed)
        reason = f"Difference in {name} {written} from {comparison['champion']}. {reason}"
    if earlier:
        on = cohort_of(comparison, grain)
        reason = f"Compared on {on}, not on those of this report. {reason}"
    heads = {
        "accepted": "Promoted to champion." if comparison["promote"] else "May become champion.",
        "refused": "Refused: the champion stays.",
        "undecided": "Undecided: the champion stays.",
    }
    return Verdict(GATE_KINDS[decision], heads[decision], reason)


def calibration(scores: Plain) -> Verdict | None:
    """Judges whether probabilities are calibrated, individually and on average.

    They are well calibrated if the interval of the expected calibration error is below
    `small_error`. That error is at least the distance between mean prediction and churn rate, which
    is then small, too. Otherwise they are poorly calibrated if the interval is above 0, so that the
    error is not due to chance, or if the mean prediction is outside the interval of the churn rate.

    With one outcome only, or fewer than `MIN_OUTCOMES` of either, only the mean prediction can show
    poor calibration; so it is without an interval.

    Args:
        scores: See `against_chance`.
    """
    error, intervals = scores["expected_calibration_error"], scores["intervals"]
    interval = intervals.get("expected_calibration_error")
    churn_interval = intervals.get("base_rate")
    if error is None or churn_interval is None:
        return None
    predicted, churned = scores["mean_predicted"], scores["base_rate"]
    mean_is_off = not churn_interval[0] <= predicted <= churn_interval[1]
    if churned in (0, 1):
        how_many = "all" if churned else "none"
        reason = f"Mean prediction {share(predicted)}; {how_many} of {count(scores['n'])} churned."
        if mean_is_off:
            return Verdict("worse", POORLY, reason)
        return Verdict("unsure", INCONCLUSIVE, f"{reason} That may be chance.")
    small = small_error(churned)
    reason = (
        f"Mean prediction {share(predicted)}, churn rate {share(churned)} "
        f"({between(churn_interval, share)}). Calibration error {number(error)}"
    )
    if interval is None:
        kind: Kind = "worse" if mean_is_off else "unsure"
        head = POORLY if mean_is_off else INCONCLUSIVE
        return Verdict(kind, head, f"{reason}, with too few outcomes for an interval.")
    reason = f"{reason} ({between(interval)}); below {number(small)} is small."
    if interval[1] < small:
        return Verdict("better", WELL, reason)
    rarer = min(outcomes_of(scores))
    if mean_is_off or (interval[0] > 0 and rarer >= MIN_OUTCOMES):
        return Verdict("worse", POORLY, reason)
    return Verdict("unsure", INCONCLUSIVE, reason)


def small_error(churn_rate: float) -> float:
    """The largest harmless calibration error at a churn rate.

    >>> small_error(0.4), small_error(0.02), small_error(0.98)
    (0.05, 0.005, 0.005)
    """
    return round(min(SMALL_ERROR, SMALL_PART * min(churn_rate, 1 - churn_rate)), 6)


def cohort_of(comparison: Plain, grain: Grain = "start") -> str:
    """Describes the rows on which two models were compared.

    >>> cohort_of({"window": ["2024-05-01", "2024-07-31"], "as_of": "2025-01-01"})
    'subscriptions started 2024-05-01 to 2024-07-31, as of 2025-01-01'
    """
    first, last = (date.fromisoformat(str(day)) for day in comparison["window"])
    return f"{words_of(grain, first, last).within(first, last)}, as of {comparison['as_of']}"
