"""The number of outcomes that it takes to say how well a model ranks."""

from collections.abc import Mapping
from typing import Any


def require_outcomes(
    groups: Mapping[str, Mapping[str, Any]], least: int
) -> dict[str, dict[str, Any]]:
    """Adds to the metrics of groups how many outcomes a verdict needs, and where there are fewer.

    Intervals of the ROC AUC are too short with a handful of churners: with two, one in eight random
    rankings would be called better than chance.

    Args:
        groups: The metrics of each group, as `churnlib.metrics.evaluate.Scores.to_json` gives them.
        least: The setting `evaluation.min_outcomes`.

    Returns:
        The same, with `min_outcomes`, and with the number of outcomes in `reason` if it is too low.
    """
    return {name: _required(scores, least) for name, scores in groups.items()}


def _required(scores: Mapping[str, Any], least: int) -> dict[str, Any]:
    required = {**scores, "min_outcomes": least}
    reasons = (scores["reason"], too_few(required) if scores["roc_auc"] is not None else None)
    return {**required, "reason": "; ".join(filter(None, reasons)) or None}


def too_few(scores: Mapping[str, Any]) -> str | None:
    """Why a ranking cannot be judged although it has an interval; None if it can.

    Args:
        scores: The metrics of a group; without `min_outcomes`, any number is enough.

    >>> too_few({"n": 300, "positives": 2, "min_outcomes": 10})
    'a verdict on the ranking needs 10 churners and 10 others, and there are 2 and 298'
    """
    least = scores.get("min_outcomes")
    if least is None:
        return None
    churned, stayed = outcomes_of(scores)
    if min(churned, stayed) >= least:
        return None
    return (
        f"a verdict on the ranking needs {least:,} churners and {least:,} others, and there are "
        f"{churned:,} and {stayed:,}"
    )


def outcomes_of(scores: Mapping[str, Any]) -> tuple[int, int]:
    """The number of subscriptions of a group that churned, and of those that did not.

    Where a subscription has several rows, its churn is in the label of several, which say little
    more than one.

    Args:
        scores: The metrics of a group; those of an earlier version count a row a subscription.

    >>> outcomes_of({"n": 300, "positives": 60, "subscriptions": 50, "churned_subscriptions": 12})
    (12, 38)
    """
    n: int = scores.get("subscriptions", scores["n"])
    churned: int = scores.get("churned_subscriptions", scores["positives"])
    return churned, n - churned
