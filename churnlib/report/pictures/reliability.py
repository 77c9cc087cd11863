"""A picture of whether probabilities can be taken at their word."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from churnlib.report.formatting import Interval, between, count, number, share
from churnlib.report.pictures.drawing import (
    ACCENT,
    DOTTED,
    INK,
    MUTED,
    Picture,
    draw,
    key,
    name_axes,
    percentages,
    reach,
)


def reliability(
    name: str,
    about: str,
    groups: Sequence[Mapping[str, Any]],
    error: float,
    interval: Interval | None,
) -> Picture:
    """Draws predicted against observed churn, by groups of about equal predictions.

    Args:
        name: What the picture's ids begin with; one of a kind in its page.
        about: Which subscriptions these are.
        groups: The groups, riskiest first; see `churnlib.metrics.reliability.RiskGroup`.
        error: The expected calibration error.
        interval: Its 95 % interval.
    """
    predicted = np.array([group["predicted"] for group in groups])
    observed = np.array([group["churn_rate"] for group in groups])
    ends = [group["interval"] for group in groups]

    def paint(axes: Axes) -> None:
        highest = max(float(predicted.max()), *(end[1] for end in ends if end), observed.max())
        axes.plot([0, 1], [0, 1], color=MUTED, ls=DOTTED, lw=1.2, label="as predicted")
        lines = reach(list(observed), ends)
        axes.errorbar(predicted, observed, lines, fmt="none", ecolor=INK, elinewidth=1)
        axes.plot(predicted, observed, color=ACCENT, marker="o", lw=1.2, label="observed", zorder=3)
        percentages(axes, highest, "both")
        name_axes(axes, "predicted churn", "observed churn")
        key(axes, "upper left")

    n = sum(group["rows"] for group in groups)
    said = sum(group["rows"] * group["predicted"] for group in groups) / n
    came = sum(group["rows"] * group["churn_rate"] for group in groups) / n
    each = "; ".join(
        f"{share(g['predicted'])} and {share(g['churn_rate'])} of {count(round(g['rows']))}"
        for g in groups
    )
    sure = f", 95% interval {between(interval)}" if interval else ""
    return Picture(
        "Reliability",
        f"On average {share(said)} were predicted to churn, and {share(came)} did.",
        draw(name, f"Predicted and observed churn of {about}, riskiest first: {each}.", paint),
        "Each dot is a group of similar predictions, all of one size; on the dotted line, they can "
        f"be taken at their word. Expected calibration error {number(error)}{sure}.",
    )
