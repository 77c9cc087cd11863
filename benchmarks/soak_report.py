"""The section of `RESULTS.md` on the soak, and its plot, from the measurements of `soak.json`."""

import json
import re
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.growth_plot import LINES, NO_METADATA, PAPER, STYLE, in_light_and_dark

FOLDER = Path(__file__).parent
BEGIN, END = "<!-- soak: written by `python -m benchmarks.soak` -->", "<!-- soak: end -->"
COLOURS = [colour for colour, _, _ in LINES.values()]
LABEL = "Disk space and run time of two games, month by month"
SIZES = {
    "data": "data folder",
    "predictions": "of it, predictions and reports",
    "database": "Prefect's database",
    "results": "results of tasks",
    "home": "rest of Prefect's home",
}
MIB = 2**20

Facts = dict[str, Any]


def write_report(facts: Facts, folder: Path = FOLDER) -> None:
    """Writes measurements, plot and section."""
    text = json.dumps(facts, indent=1) + "\n"
    (folder / "soak.json").write_text(text, encoding="utf-8")
    (folder / "soak.svg").write_text(plot(facts["months"]), encoding="utf-8")
    results = folder / "RESULTS.md"
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    section = "\n".join([BEGIN, *lines(facts), END])
    whole = re.sub(pattern, lambda _: section, results.read_text(encoding="utf-8"), flags=re.S)
    results.write_text(whole, encoding="utf-8")


def lines(facts: Facts) -> Iterator[str]:
    """The section: what was simulated, the plot, and a row for every few months."""
    months = facts["months"]
    yield "## Months of runs"
    yield ""
    killed, late = (sum(month[name] for month in months) for name in ("killed", "late"))
    whole = len(months) == facts["asked"]
    stopped = f" It was stopped after {facts['minutes']} minutes; without `--minutes`, it does all."
    faulty = len(facts["faults"]) or "No"
    text = (
        f"`python -m benchmarks.soak --seed {facts['seed']}`: {len(months)} of {facts['asked']} "
        "months of two games on one server and one worker, of which the second has the monthly "
        "grain: each month `batch-predict` and "
        "`batch-score-from-raw`, each quarter `train-from-raw` and `score`."
        f"{'' if whole else stopped} {killed} runs were killed and started again, and {late} "
        f"months of a game arrived late. {faulty} batch lacked the predictions or the report that "
        "it should have at the end. Results and runs are made a month older after each month, for "
        "the retention of 90 days; the features of 12 batches are kept."
    )
    yield from wrap(text, 110)
    yield ""
    yield f"![{LABEL}](soak.svg)"
    yield ""
    yield f"| month | {' | '.join(f'{what}, MiB' for what in SIZES.values())} | runs, s |"
    yield f"|---|{'---|' * (len(SIZES) + 1)}"
    step = max(1, len(months) // 12)
    for month in [*months[:-1:step], months[-1]]:
        sizes = " | ".join(f"{month[name] / MIB:.2f}" for name in SIZES)
        yield f"| {month['month']} | {sizes} | {sum(month['seconds'].values()):.0f} |"


def plot(months: Sequence[Facts]) -> str:
    """Draws sizes and times by month, as an SVG that follows the reader's colour scheme."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**STYLE, "svg.hashsalt": "soak"})
        figure = Figure(figsize=(11, 4.4), facecolor=PAPER)
        sizes, times = figure.subplots(1, 2)
        x = range(len(months))
        for (name, what), colour in zip(SIZES.items(), COLOURS, strict=True):
            sizes.plot(x, [month[name] / MIB for month in months], color=colour, label=what)
        sizes.set_title("disk space, MiB")
        flows = sorted({flow for month in months for flow in month["seconds"]})
        for flow, colour in zip(flows, COLOURS, strict=False):
            points = [
                (n, m["seconds"][flow] / 2) for n, m in enumerate(months) if flow in m["seconds"]
            ]
            times.plot(*zip(*points, strict=True), color=colour, label=flow)
        times.set_title("time of a run, seconds")
        for axes in (sizes, times):
            _finish(axes, months)
        figure.tight_layout()
        drawn = StringIO()
        figure.savefig(drawn, format="svg", metadata=NO_METADATA)
    return in_light_and_dark(drawn.getvalue(), LABEL)


def _finish(axes: Axes, months: Sequence[Facts]) -> None:
    step = max(1, len(months) // 6)
    axes.set_xticks(range(0, len(months), step), [m["month"] for m in months[::step]])
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=9)
