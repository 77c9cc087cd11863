"""The section on growth in `RESULTS.md`, from the figures in `growth.json`, and its plot.

`python -m benchmarks.growth_report` writes both anew without measuring.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.growth_plot import plot

FOLDER = Path(__file__).parent
BEGIN, END = "<!-- growth: written by `make bench` -->", "<!-- growth: end -->"
TABLES = (
    ("CPU seconds, whole process", "process", "cpu"),
    ("Wall seconds, whole process", "process", "wall"),
    ("Peak memory, MiB, whole process", "process", "memory"),
    ("CPU seconds of the work alone", "work", "cpu"),
    ("Wall seconds of the work alone", "work", "wall"),
)
"""A table each: its title, what it is of, and the measure."""
PAIRS = (
    ("pandas from CSV", "engine from CSV"),
    ("pandas from Parquet", "engine from prepared"),
    ("engine from prepared", "bare"),
)
"""Which way is set against which other."""
COMPARED = (
    ("CPU", "process", "cpu"),
    ("CPU of the work alone", "work", "cpu"),
    ("wall", "process", "wall"),
    ("memory", "process", "memory"),
)
"""In what they are set against each other."""
BASE = 10
"""The size against which the CPU a row is told."""

Figures = dict[str, Any]


def main(folder: Path = FOLDER) -> None:
    """Writes plot and section from the figures in a folder."""
    found = json.loads((folder / "growth.json").read_text(encoding="utf-8"))
    (folder / "growth.svg").write_text(plot(measured(found), PLOT_LABEL), encoding="utf-8")
    results = folder / "RESULTS.md"
    text = results.read_text(encoding="utf-8") if results.exists() else f"{BEGIN}\n{END}\n"
    results.write_text(with_section(text, section(found)), encoding="utf-8")


PLOT_LABEL = (
    "CPU, wall time and peak memory of the engine, of pandas and of a bare copy against the number "
    "of characters, all on logarithmic axes"
)


def with_section(text: str, section: str) -> str:
    """Puts the section between its marks."""
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    return re.sub(pattern, lambda _: f"{BEGIN}\n{section}{END}", text, flags=re.S)


def section(found: Figures) -> str:
    """Words what was found.

    >>> found = {"machine": {"cores": 2, "memory_gib": 8, "system": "Linux", "polars": "2.1.0"}}
    >>> section({**found, "game": "hawk", "cap_gib": 4, "ways": {}, "sizes": []}).splitlines()[0]
    '## How it grows with the data'
    """
    lines = [
        "## How it grows with the data",
        "",
        *introduction(found),
        "",
        f"![{PLOT_LABEL}](growth.svg)",
        "",
        *data(found),
        "",
        *ratios(found),
        *(line for table in TABLES for line in ("", *figures_of(found, *table))),
        "",
        *failures(found),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def measured(found: Figures) -> list[Figures]:
    """The sizes of which there are figures."""
    return [size for size in found["sizes"] if "left_out" not in size]


def introduction(found: Figures) -> Iterator[str]:
    """Tells how and on what it was measured."""
    machine = dict(found["machine"])
    cores, memory, system = (machine.pop(name) for name in ("cores", "memory_gib", "system"))
    versions = ", ".join(f"{name} {version}" for name, version in machine.items())
    yield f"`make bench`: sample data of {found['game']}; {cores} cores, {memory} GiB of memory,"
    yield f"{system}; {versions}."
    yield "Every figure is of a process of its own and its children: the median, and where there"
    yield "were several rounds the least and the most. The work alone is what remains when Python"
    yield "has started and imported what it needs. The engine imports Prefect, because its steps"
    yield "are the flows' own tasks, called without a server. Files may be in the system's cache."
    yield "pandas checks nothing; its features were held against the engine's, and are the same to"
    yield f"1e-9. No process may take more than {found['cap_gib']:g} GiB."
    yield ""
    yield "| way | what it does |"
    yield "|---|---|"
    for way, meaning in found["ways"].items():
        yield f"| {way} | {meaning} |"


def data(found: Figures) -> Iterator[str]:
    """Tells how large the data were."""
    yield "| size | characters | subscriptions | currency rows | CSV, MiB | Parquet, MiB | rounds |"
    yield "|---|---|---|---|---|---|---|"
    for size in measured(found):
        rows = size["rows"]
        yield (
            f"| {size['size']}x | {size['characters']:,} | {rows['sub_data']:,} "
            f"| {rows['character_currency']:,} | {size['csv_mib']:,.0f} "
            f"| {size['parquet_mib']:,.0f} | {size['rounds']} |"
        )


def ratios(found: Figures) -> Iterator[str]:
    """Sets the ways against each other, size by size."""
    yield from header("ratio of medians", found)
    for over, under in PAIRS:
        for word, part, measure in COMPARED:
            of_size = partial(ratio, over=over, under=under, part=part, measure=measure)
            yield row(f"{over} / {under}: {word}", found, of_size)
    base = next((size for size in measured(found) if size["size"] == BASE), None)
    for way in ("engine from CSV", "engine from prepared"):
        name = f"{way}: CPU a currency row, against {BASE}x"
        yield row(name, found, partial(cpu_a_row, base=base, way=way))
    yield row(
        "checks, order, digests and counts: share of the preparation's CPU", found, share_of_checks
    )


def ratio(size: Figures, over: str, under: str, part: str, measure: str) -> str:
    """One way's median over that of another."""
    one, other = (middle(size, way, part, measure) for way in (over, under))
    return f"{one / other:.2f}" if one and other else "-"


def cpu_a_row(size: Figures, base: Figures | None, way: str) -> str:
    """The CPU that a way's whole process takes for a currency row, over that at another size."""
    one, other = (
        (middle(s, way, "process", "cpu") or 0) / s["rows"]["character_currency"] if s else 0
        for s in (size, base)
    )
    return f"{one / other:.2f}" if one and other else "-"


def share_of_checks(size: Figures) -> str:
    """What preparation takes beyond reading and writing, as a share of its work."""
    whole, read = (middle(size, f"engine: {x}", "work", "cpu") for x in ("preparation", "reading"))
    return f"{1 - read / whole:.0%}" if whole and read else "-"


def middle(size: Figures, way: str, part: str, measure: str) -> float | None:
    """The median of a way's runs; null where it failed."""
    figures = size["ways"][way]
    values = [run[part][measure] for run in figures["runs"]]
    return median(values) if values and not figures["failure"] else None


def figures_of(found: Figures, title: str, part: str, measure: str) -> Iterator[str]:
    """Tells the median, the least and the most of each way at each size."""
    yield from header(title, found)
    for way in found["ways"]:
        yield row(way, found, partial(cell, way=way, part=part, measure=measure))


def cell(size: Figures, way: str, part: str, measure: str) -> str:
    """Words the figures of a way at a size."""
    figures = size["ways"][way]
    if figures["failure"]:
        return "failed" if "cpu" in figures["failure"] else "not tried"
    values = [run[part][measure] for run in figures["runs"]]
    digits = 0 if measure == "memory" else 2
    worded = [f"{value:,.{digits}f}" for value in (median(values), min(values), max(values))]
    return worded[0] if len(values) == 1 else "{} ({} to {})".format(*worded)


def failures(found: Figures) -> Iterator[str]:
    """Names the sizes that were left out, and the ways that failed."""
    for size in found["sizes"]:
        if "left_out" in size:
            yield f"- {size['size']}x was not measured: it {size['left_out']}."
            continue
        for way, figures in size["ways"].items():
            if failure := figures["failure"]:
                yield f"- {size['size']}x, {way}: {failure['what']}{until(failure)}."


def until(failure: Figures) -> str:
    """Words what a way took until it failed."""
    if "cpu" not in failure:
        return ""
    return f", after {failure['cpu']:.0f} CPU seconds and {failure['wall']:.0f} wall seconds"


def header(title: str, found: Figures) -> Iterator[str]:
    """The head of a table with a column a size."""
    sizes = [f"{size['size']}x" for size in measured(found)]
    yield f"| {title} | {' | '.join(sizes)} |"
    yield f"|---|{'---|' * len(sizes)}"


def row(name: str, found: Figures, value: Callable[[Figures], str]) -> str:
    """A row of a table with a column a size."""
    return f"| {name} | {' | '.join(value(size) for size in measured(found))} |"


if __name__ == "__main__":
    main()
