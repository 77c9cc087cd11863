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
ROWS = {
    "from CSV": ("engine from CSV", "DuckDB from CSV", "Polars from CSV", "pandas from CSV"),
    "from Parquet": (
        "engine from prepared",
        "DuckDB from Parquet",
        "Polars from Parquet",
        "pandas from Parquet",
        "bare",
    ),
}
"""The ways in each row of panels."""
LINES = {
    "engine": ("#aa0001", "-", "o"),
    "DuckDB": ("#aa0002", "-", "^"),
    "Polars": ("#aa0008", "-", "D"),
    "pandas": ("#aa0003", "-", "s"),
    "bare": ("#aa0004", (0, (1, 1.5)), "P"),
}
"""Colour, dashes and marker of each line, by the first word of the way."""
FAILED = "what it took until it ran out of memory"
PAPER, INK, GRID = "#aa0005", "#aa0006", "#aa0007"
COLOURS = {
    "#aa0001": ("#0b6bcb", "#6cb2ff"),
    "#aa0002": ("#0a7d5a", "#4fd1a5"),
    "#aa0003": ("#c2410c", "#ff9f66"),
    "#aa0004": ("#6b7280", "#a2adbd"),
    "#aa0008": ("#8b3fc7", "#c99cf2"),
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
        figure = Figure(figsize=(11, 7.2), facecolor=PAPER)
        for row, (inputs, ways) in enumerate(ROWS.items()):
            for column, (measure, title) in enumerate(MEASURES.items()):
                place = (0.055 + 0.333 * column, 0.59 - 0.445 * row, 0.265, 0.36)
                axes = figure.add_axes(place)
                panel(axes, sizes, ways, measure)
                axes.set_title(f"{title}, {inputs}")
                axes.set_xlabel("characters" if row else "")
        named = {
            label: handle
            for axes in figure.axes
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        labels = sorted(named, key=[*LINES, FAILED].index)
        figure.legend([named[label] for label in labels], labels, loc="lower center", ncols=6)
        drawn = StringIO()
        figure.savefig(drawn, format="svg", metadata=NO_METADATA)
    return in_light_and_dark(drawn.getvalue(), label)


def panel(axes: Axes, sizes: Sequence[Figures], ways: Sequence[str], measure: str) -> None:
    """Draws a line per way, with logarithmic axes."""
    for way in ways:
        name = way.split()[0]
        colour, dashes, mark = LINES[name]
        results = {size["characters"]: size["ways"].get(way) for size in sizes}
        runs = {
            characters: [run["process"][measure] for run in figures["runs"]]
            for characters, figures in results.items()
            if figures and figures["runs"]
        }
        middle = [median(values) for values in runs.values()]
        axes.plot([*runs], middle, color=colour, ls=dashes, marker=mark, label=name)
        least, most = ([f(v) for v in runs.values()] for f in (min, max))
        axes.vlines([*runs], least, most, color=colour, linewidth=1)
        for characters, figures in results.items():
            failure = (figures and figures["failure"]) or {}
            if measure in failure:
                at = (characters, failure[measure])
                axes.plot(*at, color=colour, marker="x", ms=9, mew=2, ls="", label=FAILED)
    axes.set_xscale("log")
    axes.set_yscale("log")
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
