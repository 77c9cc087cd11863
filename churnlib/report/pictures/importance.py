"""A picture of what a model leans on."""

from collections.abc import Mapping, Sequence
from typing import Any

from churnlib.report.formatting import between, counted, number
from churnlib.report.pictures.drawing import Picture
from churnlib.report.pictures.forest import Row, bars

MOST_FEATURES = 20
"""More of them say nothing more in a plot."""


def importance(name: str, about: str, features: Sequence[Mapping[str, Any]]) -> Picture:
    """Draws what shuffling each of the most important features costs.

    Args:
        name: What the picture's ids begin with; one of a kind in its page.
        about: Which subscriptions these are.
        features: The features, the most important first; see
            `churnlib.model.importance.Importance`.
    """
    shown = features[:MOST_FEATURES]
    rows = [Row(f["feature"], f["auc_loss"], (f["least"], f["most"])) for f in shown]
    each = "; ".join(
        f"{f['feature']} {number(f['auc_loss'])} ({between((f['least'], f['most']))})"
        for f in shown
    )
    first, costly = shown[0], shown[0]["auc_loss"] > 0
    most = f"Shuffling {first['feature']} costs most: {number(first['auc_loss'])} of the ROC AUC."
    needless = sum(feature["auc_loss"] <= 0 for feature in features)
    rest = (
        f", of which {needless} {'costs' if needless == 1 else 'cost'} nothing" if needless else ""
    )
    of_all = f"The {len(shown)} most important of {counted(len(features), 'feature')}"
    cut = f"{of_all if len(shown) < len(features) else counted(len(features), 'feature')}{rest}. "
    return Picture(
        "Importance",
        most if costly else "Shuffling none of the features costs anything.",
        bars(
            name,
            f"Loss of ROC AUC of {about} by shuffled feature: {each}.",
            rows,
            "ROC AUC lost when shuffled",
        ),
        f"{cut}Lines span five shuffles. Features that say the same stand in for each other, so "
        "that each may seem needless.",
    )
