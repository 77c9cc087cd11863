"""The plots of a report, as SVG to stand within a page.

The page gives the colours, as CSS variables, so that it can be light or dark.
"""

import re
from collections.abc import Callable, Sequence
from html import escape
from io import StringIO
from threading import Lock
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from matplotlib.typing import RcKeyType

from churnlib.report.curves import TENTHS, Floats, RiskGroup

INK, MUTED, GRID, ACCENT, FILL = "#010101", "#020202", "#030303", "#040404", "#050505"
"""Colours that stand for those of the page while Matplotlib draws."""
COLOURS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    ACCENT: "var(--accent)",
    FILL: "var(--fill)",
}
STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "font.size": 9.5,
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 2,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.columnspacing": 1.2,
    "legend.borderaxespad": 0.2,
}
SIZE_INCHES = (3.75, 3.6)
AXES_BOX = (0.175, 0.165, 0.775, 0.755)
"""Left, bottom, width and height of the axes, as shares of the figure."""
NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))

_lock = Lock()


def roc_plot(name: str, label: str, false_share: Floats, true_share: Floats) -> str:
    """Draws a ROC curve, with the diagonal of chance.

    Args:
        name: What the plot's ids begin with; one of a kind in its page.
        label: What the plot shows, in words, for those who do not see it.
        false_share: The share of those who stay at or above each threshold.
        true_share: The share of churners there.

    Returns:
        An `svg` element; the same input gives the same bytes.
    """

    def paint(axes: Axes) -> None:
        axes.plot(false_share, true_share, color=ACCENT, label="model", clip_on=False)
        axes.plot([0, 1], [0, 1], color=MUTED, ls=(0, (4, 3)), lw=1.2, label="chance")
        _unit_square(axes, "false alarms, share of those who stay", "share of churners found")

    return _svg(name, label, paint)


def gains_plot(name: str, label: str, found: Floats, base_rate: float) -> str:
    """Draws cumulative gains by tenths, with a mark at 10 %.

    Args:
        name: See `roc_plot`.
        label: See `roc_plot`.
        found: The share of churners among the likeliest 0 %, 10 % to 100 %.
        base_rate: The share of churners among all, which limits how steep the curve can be.

    Returns:
        See `roc_plot`.
    """

    def paint(axes: Axes) -> None:
        axes.plot(TENTHS, found, color=ACCENT, marker="o", label="model", clip_on=False)
        axes.plot([0, 1], [0, 1], color=MUTED, ls=(0, (4, 3)), lw=1.2, label="chance")
        best, dots = ([0, base_rate, 1], [0, 1, 1]), (0, (1, 2))
        axes.plot(*best, color=MUTED, ls=dots, lw=1.4, label="best possible")
        axes.axvline(TENTHS[1], color=INK, lw=1)
        free = 0.035 if found[2] > 0.12 else 0.6  # A curve that starts flat runs below the text.
        axes.text(0.125, free, f"10%: {found[1]:.0%} found", fontweight="bold")
        _unit_square(axes, "share of subscriptions, likeliest first", "share of churners found")

    return _svg(name, label, paint)


def reliability_plot(name: str, label: str, groups: Sequence[RiskGroup]) -> str:
    """Draws predicted against observed churn, by groups of equal risk, with their sizes.

    Args:
        name: See `roc_plot`.
        label: See `roc_plot`.
        groups: The groups, likeliest first.

    Returns:
        See `roc_plot`.
    """
    at = np.arange(len(groups))
    observed = np.array([group.observed for group in groups])
    reach = np.array([(g.observed - g.low, g.high - g.observed) for g in groups]).T
    predicted = np.array([group.predicted for group in groups])

    def paint(axes: Axes) -> None:
        axes.bar(at, observed, 0.72, color=FILL, label="churned, 95% interval")
        axes.errorbar(at, observed, reach, fmt="none", color=INK, elinewidth=1, capsize=2.5)
        axes.plot(
            at, predicted, color=ACCENT, marker="o", label="predicted", zorder=3, clip_on=False
        )
        sizes = [f"{i}\n{_short(group.rows)}" for i, group in enumerate(groups, 1)]
        axes.set_xticks(at, sizes, fontsize=8.5)
        axes.tick_params(axis="x", length=0)
        axes.grid(visible=False, axis="x")
        highest = max(float((observed + reach[1]).max()), float(predicted.max()))
        axes.set_xlim(-0.6, max(len(groups), 4) - 0.4)
        axes.set_ylim(0, min(1.0, 1.05 * highest))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        _dress(axes, "group, likeliest first, and how many are in it", "share that churns")
        axes.xaxis.set_label_coords(0.5, -0.145)

    return _svg(name, label, paint)


def _unit_square(axes: Axes, across: str, up: str) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks(TENTHS[::2])
    axes.set_yticks(TENTHS[::2])
    axes.xaxis.set_major_formatter(PercentFormatter(1, 0))
    _dress(axes, across, up)


def _dress(axes: Axes, across: str, up: str) -> None:
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.yaxis.set_major_formatter(PercentFormatter(1, 0 if axes.get_ylim()[1] > 0.1 else 1))
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.01), ncols=3)


def _short(count: int) -> str:
    """Writes a count in at most five characters.

    >>> _short(950), _short(12_345), _short(2_500_000)
    ('950', '12k', '2.5M')
    """
    if count >= 1_000_000:
        return f"{count / 1_000_000:.2g}M" if count < 99_500_000 else f"{count / 1_000_000:.0f}M"
    return f"{count / 1000:.0f}k" if count >= 10_000 else f"{count}"


def _svg(name: str, label: str, paint: Callable[[Axes], None]) -> str:
    # Matplotlib takes the look of ids and fonts from settings that all threads share.
    with _lock, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**STYLE, "svg.hashsalt": name})
        figure = Figure(figsize=SIZE_INCHES, facecolor="none")
        paint(figure.add_axes(AXES_BOX))
        drawn = StringIO()
        figure.savefig(drawn, format="svg", metadata=NO_METADATA)
    return _for_page(drawn.getvalue(), name, label)


def _for_page(svg: str, name: str, label: str) -> str:
    """Makes an SVG file part of a page: no prologue, ids of its own, a label, the page's colours.

    Its style sheet goes, because it would rule the whole page.
    """
    svg = re.sub(
        r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", svg[svg.index("<svg") :], flags=re.S
    )
    svg = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    for stand_in, colour in COLOURS.items():
        svg = svg.replace(stand_in, colour)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)
