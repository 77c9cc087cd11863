"""What the figures of a group come to, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

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
        scores: The figures of a group, as `churnlib.model.evaluate.Scores` gives them.

    >>> scores = {"roc_auc_ci": [0.6, 0.8], "lift_top_decile": 3.14}
    >>> verdict(scores).reason
    'The likeliest tenth churn 3.1 times as often as the average.'
    """
    if scores["roc_auc_ci"] is None:
        return Verdict("undefined", "Not defined:", f"{scores['reason']}.")
    low, high = scores["roc_auc_ci"]
    interval = f"the 95% interval of the ROC AUC ({low:.2f} to {high:.2f})"
    if low > CHANCE:
        often = f"{scores['lift_top_decile']:.1f} times as often as the average"
        return Verdict("better", "Better than chance: yes.", f"The likeliest tenth churn {often}.")
    if high < CHANCE:
        reason = f"{interval} lies below 0.5: those called safe churn more often."
        return Verdict("worse", "Worse than chance:", reason)
    return Verdict("unsure", "Cannot be told from chance:", f"{interval} holds 0.5.")
