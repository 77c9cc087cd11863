"""The plot of CPU, wall time and memory of each way against the size of the data."""

import re
from collections.abc import Sequence
from html import escape
from io import StringIO
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from matplotlib.typing import RcKeyType

MEASURES = {"cpu": "CPU, seconds", "wall": "wall time, seconds", "memory": "peak memory, MiB"}
LINES = {
    "engine from CSV": ("#aa0001", "-", "o"),
    "engine: preparation": ("#aa0001", (0, (4, 2)), "v"),
    "engine: reading": ("#aa0001", (0, (1, 1.5)), "^"),
    "engine from prepared": ("#aa0002", "-", "o"),
    "pandas from CSV": ("#aa0003", "-", "s"),
    "pandas from Parquet": ("#aa0003", (0, (4, 2)), "D"),
    "bare": ("#aa0004", (0, (1, 1.5)), "P"),
}
"""Colour, dashes and marker of each way's line."""
FAILED = "what it took until it ran out of memory"
PAPER, INK, GRID = "#aa0005", "#aa0006", "#aa0007"
COLOURS = {
    "#aa0001": ("#0b6bcb", "#6cb2ff"),
    "#aa0002": ("#0a7d5a", "#4fd1a5"),
    "#aa0003": ("#c2410c", "#ff9f66"),
    "#aa0004": ("#6b7280", "#a2adbd"),
    PAPER: ("#ffffff", "#12161c"),
    INK: ("#1b2330", "#e6eaf1"),
    GRID: ("#e2e6ed", "#2c3440"),
}
"""The colours in light and dark mode, by the placeholder that Matplotlib draws with."""
STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "growth",
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
}
NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))

Figures = dict[str, Any]


def plot(sizes: Sequence[Figures], label: str) -> str:
    """Draws the medians of whole processes, with minimum and maximum.

    Args:
        sizes: The results of each measured size.
        label: A description of the plot for screen readers.

    Returns:
        An SVG that follows the reader's colour scheme; equal results give equal bytes.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        figure = Figure(figsize=(11, 4.6), facecolor=PAPER)
        for number, (measure, title) in enumerate(MEASURES.items()):
            panel(figure.add_axes((0.05 + 0.335 * number, 0.28, 0.265, 0.65)), sizes, measure)
            figure.axes[-1].set_title(title)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        named = dict(zip(labels, handles, strict=True))  # Drops duplicate labels of failures.
        figure.legend([*named.values()], [*named], loc="lower center", ncols=4)
        drawn = StringIO()
        figure.savefig(drawn, format="svg", metadata=NO_METADATA)
    return in_light_and_dark(drawn.getvalue(), label)


def panel(axes: Axes, sizes: Sequence[Figures], measure: str) -> None:
    """Draws a line per way, with logarithmic axes."""
    for way, (colour, dashes, mark) in LINES.items():
        runs = {
            figures["characters"]: [run["process"][measure] for run in figures["ways"][way]["runs"]]
            for figures in sizes
            if figures["ways"][way]["runs"]
        }
        axes.plot(
            [*runs],
            [median(values) for values in runs.values()],
            color=colour,
            linestyle=dashes,
            marker=mark,
            label=way,
        )
        least, most = ([f(v) for v in runs.values()] for f in (min, max))
        axes.vlines([*runs], least, most, color=colour, linewidth=1)
    for figures in sizes:
        for way, (colour, *_) in LINES.items():
            failure = figures["ways"][way]["failure"] or {}
            if measure in failure:
                at = (figures["characters"], failure[measure])
                axes.plot(*at, color=colour, marker="x", ms=9, mew=2, ls="", label=FAILED)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("characters")
    axes.set_xticks([f["characters"] for f in sizes], [short(f["characters"]) for f in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def short(count: int) -> str:
    """Abbreviates a count.

    >>> short(300), short(30_000), short(9_000_000)
    ('300', '30k', '9M')
    """
    for unit, letter in ((1_000_000, "M"), (1000, "k")):
        if count >= unit:
            return f"{count / unit:g}{letter}"
    return str(count)


def in_light_and_dark(svg: str, label: str) -> str:
    """Replaces colours by CSS variables, with values for light and dark mode."""
    light, dark = (
        "".join(f"--{name[1:]}:{both[shade]};" for name, both in COLOURS.items())
        for shade in (0, 1)
    )
    style = (
        f"svg{{{light}}}@media(prefers-color-scheme:dark){{svg{{{dark}}}}}"
        "text{font-family:system-ui,'Segoe UI',Roboto,'Liberation Sans',sans-serif!important}"
    )
    for name in COLOURS:
        svg = svg.replace(name, f"var(--{name[1:]})")
    svg = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.S)
    head = f'<svg role="img" aria-label="{escape(label)}"'
    return re.sub("<svg([^>]*)>", rf"{head}\1><style>{style}</style>", svg, count=1)
