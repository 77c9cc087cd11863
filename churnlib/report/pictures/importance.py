"""A picture of feature importance."""

from collections.abc import Mapping, Sequence
from typing import Any

from churnlib.report.formatting import between, counted, number
from churnlib.report.pictures.drawing import Picture
from churnlib.report.pictures.forest import Row, bars

MOST_FEATURES = 20
"""Number of features in a picture."""


def importance(name: str, about: str, features: Sequence[Mapping[str, Any]]) -> Picture:
    """Draws the loss in ROC AUC when each of the most important features is shuffled.

    Args:
        name: The prefix of the picture's ids, unique in its page.
        about: Which subscriptions it is about.
        features: The features, the most important first; see
            `churnlib.model.importance.Importance`.
    """
    shown = features[:MOST_FEATURES]
    rows = [Row(f["feature"], f["auc_loss"], (f["least"], f["most"])) for f in shown]
    each = "; ".join(
        f"{f['feature']} {number(f['auc_loss'])} ({between((f['least'], f['most']))})"
        for f in shown
    )
    first = shown[0]
    most = f"Shuffling {first['feature']} loses most: {number(first['auc_loss'])} of the ROC AUC."
    unimportant = sum(feature["auc_loss"] <= 0 for feature in features)
    verb = "loses" if unimportant == 1 else "lose"
    rest = f", of which {unimportant} {verb} nothing" if unimportant else ""
    of_all = f"The {len(shown)} most important of {counted(len(features), 'feature')}"
    cut = f"{of_all if len(shown) < len(features) else counted(len(features), 'feature')}{rest}. "
    return Picture(
        "Permutation importance",
        most if first["auc_loss"] > 0 else "Shuffling any of the features loses nothing.",
        bars(
            name,
            f"Loss in ROC AUC of {about} by shuffled feature: {each}.",
            rows,
            "loss in ROC AUC when shuffled",
        ),
        f"{cut}Lines are 95% confidence intervals. Correlated features can replace each other, so "
        "that each may seem unimportant.",
    )
