"""Pictures of performance over time, by month, which show whether a model decays."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from churnlib.report.formatting import capital, counted, number, share, with_interval
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

Cohorts = Sequence[Mapping[str, Any]]

MOST_LABELS = 5


def ranking_by_month(
    name: str, about: str, cohorts: Cohorts, overall: float, month: str = "month of start"
) -> Picture:
    """Draws the ROC AUC of each month.

    Args:
        name: The prefix of the picture's ids, unique in its page.
        about: The subscriptions that it is about.
        cohorts: The months, each a `churnlib.metrics.segments.Segment`; at least one has a ROC AUC.
        overall: The ROC AUC of all.
        month: What the months are; see `churnlib.settings.RowWords`.
    """
    known = [cohort for cohort in cohorts if cohort["roc_auc"] is not None]
    values = [cohort["roc_auc"] for cohort in known]
    ends = [cohort["intervals"]["roc_auc"] for cohort in known]
    first, last = known[0], known[-1]
    finding = f"ROC AUC {number(first['roc_auc'])} in {first['value']}"
    finding += f", {number(last['roc_auc'])} in {last['value']}" if len(known) > 1 else " alone"

    def paint(axes: Axes) -> None:
        at = _months(axes, cohorts, known)
        axes.axhline(overall, color=MUTED, ls=DOTTED, lw=1.2, label="all months")
        _dots(axes, at, values, ends, "month")
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        low, high = axes.get_ylim()
        axes.set_ylim(low - 0.3 * (high - low), high)  # Room for the key.
        name_axes(axes, month, "ROC AUC")
        key(axes, "lower left")

    each = "; ".join(
        f"{cohort['value']} {with_interval(cohort['roc_auc'], end)}"
        for cohort, end in zip(known, ends, strict=True)
    )
    return Picture(
        "Ranking by month",
        f"{finding}; {_trend(ends)}.",
        draw(name, f"ROC AUC of {about} by {month}: {each}.", paint),
        "The line of a decaying model falls. Vertical lines are 95% confidence intervals.",
    )


def churn_by_month(
    name: str, about: str, cohorts: Cohorts, month: str = "month of start"
) -> Picture:
    """Draws observed and predicted churn of each month.

    Args:
        name: See `ranking_by_month`.
        about: See `ranking_by_month`.
        cohorts: The months; at least one has a prediction.
        month: See `ranking_by_month`.
    """
    known = [cohort for cohort in cohorts if cohort["mean_predicted"] is not None]
    observed = [cohort["base_rate"] for cohort in known]
    predicted = [cohort["mean_predicted"] for cohort in known]
    ends = [cohort["intervals"]["base_rate"] for cohort in known]

    def paint(axes: Axes) -> None:
        at = _months(axes, cohorts, known)
        rings: dict[str, Any] = {"marker": "D", "mfc": "none", "ms": 6, "lw": 1, "clip_on": False}
        axes.plot(at, predicted, color=INK, **rings, label="predicted", zorder=4)
        _dots(axes, at, observed, ends, "observed")
        highest = max(*predicted, *observed, *(end[1] for end in ends if end))
        percentages(axes, 1.1 * highest)
        name_axes(axes, month, "churn rate")
        key(axes, "lower left")

    off = sum(
        end is not None and not end[0] <= p <= end[1]
        for p, end in zip(predicted, ends, strict=True)
    )
    each = "; ".join(
        f"{c['value']} {share(c['mean_predicted'])} and {share(c['base_rate'])}" for c in known
    )
    return Picture(
        "Churn by month",
        f"{capital(str(off or 'none'))} of {counted(len(known), 'month')} "
        f"{'has' if off == 1 else 'have'} a mean prediction outside the interval of the churn "
        "rate.",
        draw(name, f"Predicted and observed churn of {about} by {month}: {each}.", paint),
        "Dots are churn rates with 95% confidence intervals, diamonds are mean predictions.",
    )


def _months(axes: Axes, cohorts: Cohorts, known: Cohorts) -> list[int]:
    """Puts the months on the x axis, and returns the positions of the known ones."""
    months = [str(cohort["value"]) for cohort in cohorts]
    shown = range(0, len(months), -(-len(months) // MOST_LABELS))
    axes.set_xticks(list(shown), [months[i] for i in shown])
    axes.set_xlim(-0.5, len(months) - 0.5)
    axes.grid(visible=False, axis="x")
    return [months.index(str(cohort["value"])) for cohort in known]


def _dots(
    axes: Axes, at: Sequence[int], values: Sequence[float], ends: Sequence[Any], label: str
) -> None:
    axes.errorbar(at, values, reach(values, ends), fmt="none", ecolor=INK, elinewidth=1)
    axes.plot(at, values, color=ACCENT, marker="o", lw=1.2, ms=5, label=label, zorder=3)


def _trend(ends: Sequence[Any]) -> str:
    """Compares the intervals of the first month and the last."""
    first, last = ends[0], ends[-1]
    if len(ends) < 2 or first is None or last is None:
        return "a trend cannot be judged"
    if last[1] < first[0]:
        return "significant decay"
    return "significant rise" if first[1] < last[0] else "no significant change"
