"""What the figures of a group come to, in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from churnlib.report.formatting import capital, times, with_interval
from churnlib.report.names import FIGURES

CHANCE = 0.5
"""The ROC AUC of guessing."""


@dataclass(frozen=True)
class Verdict:
    """A judgement of a model on one group of subscriptions.

    Attributes:
        kind: Whether the model is `better` or `worse` than chance, `unsure`, or `undefined`.
        head: The judgement.
        reason: What it rests on.
    """

    kind: Literal["better", "worse", "unsure", "undefined"]
    head: str
    reason: str


def verdict(scores: Mapping[str, Any]) -> Verdict:
    """Judges whether a model ranks better than chance, by the 95 % interval of its ROC AUC.

    Args:
        scores: The figures of a group, as `churnlib.metrics.evaluate.Scores` gives them.

    >>> scores = {"roc_auc": 0.71, "roc_auc_ci": [0.6, 0.8], "lift_top_decile": 3.14}
    >>> verdict(scores).reason
    'ROC AUC 0.710 (0.600 to 0.800); the riskiest tenth churn 3.1 times as often as the average.'
    """
    if scores["roc_auc_ci"] is None:
        return Verdict("undefined", "Cannot be judged.", f"{capital(scores['reason'])}.")
    low, high = scores["roc_auc_ci"]
    told = f"ROC AUC {with_interval(scores['roc_auc'], (low, high))}"
    if low > CHANCE:
        often = f"{times(scores['lift_top_decile'])} times as often as the average"
        reason = f"{told}; the riskiest tenth churn {often}."
        return Verdict("better", "Better than chance.", reason)
    if high < CHANCE:
        reason = f"{told}, all below 0.5: those called safe churn more often."
        return Verdict("worse", "Worse than chance.", reason)
    return Verdict("unsure", "Not told apart from chance.", f"{told}, which holds 0.5.")


GATE_KINDS: Mapping[str, Literal["better", "worse", "unsure"]] = {
    "accepted": "better",
    "refused": "worse",
    "undecided": "unsure",
}


def gate_verdict(comparison: Mapping[str, Any]) -> Verdict:
    """Words what the gate decided of a candidate, and why.

    Args:
        comparison: A `churnlib.versions.gate.Comparison` as plain data.

    >>> found = {"decision": "accepted", "promote": False, "candidate": "v2", "champion": "v1",
    ...          "reason": "it is better by 0.0100 at the least"}
    >>> gate_verdict(found).head
    'v2 may be champion in place of v1 (champion.promote is false: promote it by hand), because'
    """
    candidate, champion = comparison["candidate"], comparison["champion"]
    place = f" in place of {champion}" if champion else ""
    if comparison["decision"] == "refused":
        head = f"Refused: {champion} stays champion and {candidate} does not replace it, because"
    elif comparison["decision"] == "undecided":
        head = f"Not decided: {champion} stays champion and {candidate} the candidate, because"
    elif comparison["promote"]:
        head = f"Promoted: {candidate} is champion{place}, because"
    else:
        by_hand = "(champion.promote is false: promote it by hand)"
        head = f"{candidate} may be champion{place} {by_hand}, because"
    return Verdict(GATE_KINDS[comparison["decision"]], head, f"{comparison['reason']}.")


def cohort_of(comparison: Mapping[str, Any]) -> str:
    """Words which subscriptions two models were compared on.

    >>> cohort_of({"window": ["2024-05-01", "2024-07-31"], "as_of": "2025-01-01"})
    'subscriptions begun 2024-05-01 to 2024-07-31, as known on 2025-01-01'
    """
    first, last = comparison["window"]
    return f"subscriptions begun {first} to {last}, as known on {comparison['as_of']}"


def compared(comparison: Mapping[str, Any]) -> Iterator[str]:
    """Words what the gate compared, line by line; nothing where no figures were needed.

    Args:
        comparison: See `gate_verdict`.
    """
    if comparison["difference"] is None:
        return
    yield (
        f"{capital(FIGURES[comparison['metric']])} of {comparison['n']:,} "
        f"{cohort_of(comparison)}, {comparison['positives']:,} churned: "
        f"candidate {comparison['candidate_value']:.4f}, "
        f"champion {comparison['champion_value']:.4f}"
    )
    if comparison["interval"]:
        low, high = comparison["interval"]
        yield (
            f"difference {comparison['difference']:+.4f}, 95% interval {low:+.4f} to {high:+.4f}; "
            f"a loss of {comparison['max_loss']:.4f} is allowed (champion.max_loss)"
        )
