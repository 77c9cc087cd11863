"""Draws SVG to be embedded in a page.

The page sets the colours by CSS variables, so that it can be light or dark. Lines of the model are
solid in the accent colour, lines to compare with are grey and dashed.
"""

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from io import StringIO
from threading import Lock
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from matplotlib.typing import RcKeyType

from churnlib.report.curves import Floats
from churnlib.shown import one_line

INK, MUTED, GRID, ACCENT, FILL, PAPER = (
    f"#{n}{n}{n}" for n in ("01", "02", "03", "04", "05", "06")
)
"""Placeholders for the page's colours in Matplotlib."""
COLOURS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    ACCENT: "var(--accent)",
    FILL: "var(--fill)",
    PAPER: "var(--paper)",
}
STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "font.size": 9.5,
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.labelpad": 5,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.left": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "ytick.major.size": 0,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 2,
    "lines.markersize": 4.5,
    "legend.frameon": True,
    "legend.framealpha": 0.85,
    "legend.facecolor": PAPER,
    "legend.edgecolor": "none",
    "legend.borderpad": 0.15,
    "legend.handlelength": 1.6,
    "legend.labelspacing": 0.3,
    "legend.borderaxespad": 0.3,
}
WIDTH_INCHES = 3.75
HEIGHT_INCHES = 3.1
MARGINS_INCHES = (0.52, 0.14, 0.5, 0.14)
"""Space left, right, below and above the axes."""
DASHED, DOTTED = (0, (4, 3)), (0, (1, 2))
NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))

Corner = Literal["lower right", "lower left", "upper right", "upper left"]

_lock = Lock()


@dataclass(frozen=True)
class Picture:
    """A picture with its captions.

    Attributes:
        kind: The kind of picture, such as `ROC curve`.
        finding: What it shows, in a sentence.
        svg: The drawing.
        reading: How to read it.
    """

    kind: str
    finding: str
    svg: Markup
    reading: str


def draw(
    name: str,
    label: str,
    paint: Callable[[Axes], None],
    *,
    height: float = HEIGHT_INCHES,
    left: float | None = None,
) -> Markup:
    """Draws a picture.

    Args:
        name: The prefix of its ids, unique in its page.
        label: A description in words and numbers, for screen readers.
        paint: Paints on empty axes.
        height: The height in inches; the width is always `WIDTH_INCHES`.
        left: The space left of the axes in inches; the default margin if None.

    Returns:
        An `svg` element; the same input gives the same bytes.
    """
    west, east, south, north = MARGINS_INCHES
    west = west if left is None else left
    across, up = WIDTH_INCHES - west - east, height - south - north
    box = (west / WIDTH_INCHES, south / height, across / WIDTH_INCHES, up / height)
    # Matplotlib reads the style of ids and fonts from settings that all threads share.
    with _lock, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**STYLE, "svg.hashsalt": name})
        figure = Figure(figsize=(WIDTH_INCHES, height), facecolor="none")
        paint(figure.add_axes(box))
        drawn = StringIO()
        with warnings.catch_warnings():
            # The text stays text, so the reader's fonts draw what Matplotlib's lacks.
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            figure.savefig(drawn, format="svg", metadata=NO_METADATA)
    return Markup(_for_page(drawn.getvalue(), name, label))


def shares(axes: Axes, across: str, up: str) -> None:
    """Makes both axes run from 0 to 100 %."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, 0))
        axis.set_ticks(np.linspace(0, 1, 6))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    name_axes(axes, across, up)


def name_axes(axes: Axes, across: str, up: str = "") -> None:
    """Labels the axes in small type."""
    axes.set_xlabel(across, fontsize=9)
    axes.set_ylabel(up, fontsize=9)


def percentages(axes: Axes, highest: float, which: Literal["x", "y", "both"] = "y") -> None:
    """Makes axes run from 0 to a share, with decimals where needed."""
    for axis, limit in ((axes.xaxis, axes.set_xlim), (axes.yaxis, axes.set_ylim)):
        if which in (axis.axis_name, "both"):
            top = min(1.0, max(1.06 * highest, 1e-4))
            limit(0, top)
            axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
            axis.set_major_formatter(
                PercentFormatter(1, 0 if top > 0.1 else 1 if top > 0.01 else 2)
            )


def key(axes: Axes, corner: Corner) -> None:
    """Draws the legend in a corner."""
    axes.legend(loc=corner, fontsize=9)


def reach(values: Sequence[float], intervals: Sequence[Sequence[float] | None]) -> Floats:
    """Computes error bars: how far intervals reach below and above their values; 0 without one."""
    ends = [interval or (value, value) for value, interval in zip(values, intervals, strict=True)]
    pairs = zip(values, ends, strict=True)
    return np.array([(max(v - low, 0), max(high - v, 0)) for v, (low, high) in pairs]).T


def _for_page(svg: str, name: str, label: str) -> str:
    """Prepares an SVG file for a page: no prologue, unique ids, a label, the page's colours.

    Its style sheet is removed, because it would apply to the whole page.
    """
    svg = re.sub(
        r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", svg[svg.index("<svg") :], flags=re.S
    )
    svg = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    for placeholder, colour in COLOURS.items():
        svg = svg.replace(placeholder, colour)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(one_line(label))}"', 1)
