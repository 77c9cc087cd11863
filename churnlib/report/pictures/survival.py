"""Pictures of survival by tenure: when subscriptions churn, and when they end."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from churnlib.report.formatting import counted, share, with_interval
from churnlib.report.pictures.drawing import (
    ACCENT,
    DASHED,
    DOTTED,
    FILL,
    INK,
    MUTED,
    Picture,
    draw,
    key,
    name_axes,
    percentages,
    reach,
)

Months = Sequence[Mapping[str, Any]]


def survival_by_tenure(
    name: str, about: str, months: Months, horizon_months: int, finding: str
) -> Picture:
    """Draws the shares of subscriptions that have not churned, and not ended.

    Args:
        name: The prefix of the picture's ids, unique in its page.
        about: The subscriptions that it is about.
        months: The months of tenure from the first, each a
            `churnlib.metrics.survival.TenureMonth`; at least one.
        horizon_months: The horizon of the label.
        finding: What it shows, in a sentence.
    """
    across = np.arange(len(months) + 1)

    def line(axes: Axes, share_name: str, **style: Any) -> None:
        low, high = np.array([(1, 1), *(month["intervals"][share_name] for month in months)]).T
        axes.fill_between(across, low, high, step="post", color=FILL, lw=0)
        axes.step(across, [1, *(m[share_name] for m in months)], where="post", **style)

    def paint(axes: Axes) -> None:
        line(axes, "not_ended", color=INK, ls=DASHED, lw=1.2, label="not ended")
        line(axes, "not_churned", color=ACCENT, label="not churned")
        _tenure(axes, months, horizon_months)
        percentages(axes, 1)
        name_axes(axes, "months since the start", "share of subscriptions")
        key(axes, "lower left")

    each = "; ".join(
        f"{m['tenure_months']}: {share(m['not_churned'])} and {share(m['not_ended'])}"
        for m in months
    )
    return Picture(
        "Survival by tenure",
        finding,
        draw(name, f"Shares of {about} not churned and not ended, by months: {each}.", paint),
        "Kaplan-Meier estimates with 95% confidence intervals, each as if the other did not "
        "happen. The dotted line is the horizon.",
    )


def churn_by_tenure(name: str, about: str, months: Months, horizon_months: int) -> Picture:
    """Draws the share of those at risk that churn in each month of tenure.

    Args:
        name: See `survival_by_tenure`.
        about: See `survival_by_tenure`.
        months: See `survival_by_tenure`.
        horizon_months: See `survival_by_tenure`.
    """
    rates = [month["churn_rate"] for month in months]
    ends = [month["intervals"]["churn_rate"] for month in months]
    across = [month["tenure_months"] for month in months]
    worst = months[int(np.argmax(rates))]

    def paint(axes: Axes) -> None:
        axes.errorbar(across, rates, reach(rates, ends), fmt="none", ecolor=INK, elinewidth=1)
        axes.plot(across, rates, color=ACCENT, marker="o", lw=1.2, ms=4, zorder=3)
        _tenure(axes, months, horizon_months)
        percentages(axes, max(end[1] for end in ends))
        name_axes(axes, "months since the start", "churn rate in the month")

    highest = with_interval(worst["churn_rate"], worst["intervals"]["churn_rate"], share)
    each = "; ".join(
        f"{m['tenure_months']}: {share(m['churn_rate'])} of {m['at_risk']:,}" for m in months
    )
    return Picture(
        "Churn by tenure",
        f"Churn is highest in month {worst['tenure_months']}: {highest} of those at risk.",
        draw(name, f"Churn rate of {about} by month of tenure: {each}.", paint),
        f"Of the subscriptions that ran until each of {counted(len(months), 'month')}, with 95% "
        "confidence intervals. The dotted line is the horizon.",
    )


def _tenure(axes: Axes, months: Months, horizon_months: int) -> None:
    """Makes the x axis that of tenure, with the horizon."""
    if horizon_months <= len(months):
        axes.axvline(horizon_months, color=MUTED, ls=DOTTED, lw=1.2)
    axes.set_xlim(0, len(months) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 3, 6, 10]))
