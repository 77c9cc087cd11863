"""A picture of calibration: predicted and observed churn by groups of risk."""

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
    """Draws observed against predicted churn, by groups of similar predictions.

    Args:
        name: The prefix of the picture's ids, unique in its page.
        about: Which subscriptions it is about.
        groups: The groups, riskiest first; see `churnlib.metrics.reliability.RiskGroup`.
        error: The expected calibration error.
        interval: Its 95 % confidence interval.
    """
    predicted = np.array([group["predicted"] for group in groups])
    observed = np.array([group["churn_rate"] for group in groups])
    ends = [group["interval"] for group in groups]

    def paint(axes: Axes) -> None:
        highest = max(float(predicted.max()), *(end[1] for end in ends if end), observed.max())
        axes.plot([0, 1], [0, 1], color=MUTED, ls=DOTTED, lw=1.2, label="perfect calibration")
        lines = reach(list(observed), ends)
        axes.errorbar(predicted, observed, lines, fmt="none", ecolor=INK, elinewidth=1)
        axes.plot(predicted, observed, color=ACCENT, marker="o", lw=1.2, label="observed", zorder=3)
        percentages(axes, highest, "both")
        name_axes(axes, "predicted churn probability", "observed churn rate")
        key(axes, "upper left")

    n = sum(group["rows"] for group in groups)
    predicted_mean = sum(group["rows"] * group["predicted"] for group in groups) / n
    observed_mean = sum(group["rows"] * group["churn_rate"] for group in groups) / n
    each = "; ".join(
        f"{share(g['predicted'])} and {share(g['churn_rate'])} of {count(round(g['rows']))}"
        for g in groups
    )
    certainty = f", 95% confidence interval {between(interval)}" if interval else ""
    return Picture(
        "Calibration curve",
        f"The mean prediction is {share(predicted_mean)}, the churn rate {share(observed_mean)}.",
        draw(name, f"Predicted and observed churn of {about}, riskiest first: {each}.", paint),
        "Each dot is a group of similar predictions, all of the same size; on the dotted line they "
        f"are calibrated. Calibration error {number(error)}{certainty}.",
    )
