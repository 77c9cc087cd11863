"""The section of `RESULTS.md` on scaling, and its plot, from the measurements in `growth.json`.

`python -m benchmarks.growth_report` regenerates both without measuring.
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
"""Title of each table, the part measured, and the measure."""
PAIRS = (
    ("pandas from CSV", "engine from CSV"),
    ("pandas from Parquet", "engine from prepared"),
    ("engine from prepared", "bare"),
)
"""The ways that are compared: each first by its second."""
RATIOS = (
    ("CPU", "process", "cpu"),
    ("CPU of the work alone", "work", "cpu"),
    ("wall", "process", "wall"),
    ("memory", "process", "memory"),
)
"""Name of each ratio, the part measured, and the measure."""
BASE = 10
"""The size that CPU per row is relative to."""

Figures = dict[str, Any]


def main(folder: Path = FOLDER) -> None:
    """Writes plot and section from the measurements in a folder."""
    growth = json.loads((folder / "growth.json").read_text(encoding="utf-8"))
    (folder / "growth.svg").write_text(plot(measured(growth), PLOT_LABEL), encoding="utf-8")
    results = folder / "RESULTS.md"
    text = results.read_text(encoding="utf-8") if results.exists() else f"{BEGIN}\n{END}\n"
    results.write_text(with_section(text, section(growth)), encoding="utf-8")


PLOT_LABEL = (
    "CPU, wall time and peak memory of the engine, of pandas and of a bare copy against the number "
    "of characters, all on logarithmic axes"
)


def with_section(text: str, section: str) -> str:
    """Replaces the section between its markers."""
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    return re.sub(pattern, lambda _: f"{BEGIN}\n{section}{END}", text, flags=re.S)


def section(growth: Figures) -> str:
    """Formats the measurements as Markdown.

    >>> growth = {"machine": {"cores": 2, "memory_gib": 8, "system": "Linux", "polars": "2.1.0"}}
    >>> section({**growth, "game": "hawk", "cap_gib": 4, "ways": {}, "sizes": []}).splitlines()[0]
    '## Scaling with the data'
    """
    lines = [
        "## Scaling with the data",
        "",
        *introduction(growth),
        "",
        f"![{PLOT_LABEL}](growth.svg)",
        "",
        *data(growth),
        "",
        *ratios(growth),
        *(line for table in TABLES for line in ("", *figures_of(growth, *table))),
        "",
        *failures(growth),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def measured(growth: Figures) -> list[Figures]:
    """The sizes that were measured."""
    return [size for size in growth["sizes"] if "left_out" not in size]


def introduction(growth: Figures) -> Iterator[str]:
    """Yields what was measured, and on which machine."""
    machine = dict(growth["machine"])
    cores, memory, system = (machine.pop(name) for name in ("cores", "memory_gib", "system"))
    versions = ", ".join(f"{name} {version}" for name, version in machine.items())
    yield f"`make bench`: sample data of {growth['game']}; {cores} cores, {memory} GiB of memory,"
    yield f"{system}; {versions}."
    yield "Each way is measured in a process of its own, with its children: the median, and with"
    yield "several rounds the minimum and maximum. The work alone excludes the start of Python and"
    yield "the imports. The engine imports Prefect, because its steps are the tasks of the flows,"
    yield "called without a server. Files may be in the page cache. pandas checks nothing; its"
    yield f"features equal the engine's to 1e-9. Memory is limited to {growth['cap_gib']:g} GiB."
    yield ""
    yield "| way | what it does |"
    yield "|---|---|"
    for way, meaning in growth["ways"].items():
        yield f"| {way} | {meaning} |"


def data(growth: Figures) -> Iterator[str]:
    """Yields a table of the sizes of the data."""
    yield "| size | characters | subscriptions | currency rows | CSV, MiB | Parquet, MiB | rounds |"
    yield "|---|---|---|---|---|---|---|"
    for size in measured(growth):
        rows = size["rows"]
        yield (
            f"| {size['size']}x | {size['characters']:,} | {rows['sub_data']:,} "
            f"| {rows['character_currency']:,} | {size['csv_mib']:,.0f} "
            f"| {size['parquet_mib']:,.0f} | {size['rounds']} |"
        )


def ratios(growth: Figures) -> Iterator[str]:
    """Yields a table of ratios between ways, with a column per size."""
    yield from header("ratio of medians", growth)
    for over, under in PAIRS:
        for word, part, measure in RATIOS:
            of_size = partial(ratio, over=over, under=under, part=part, measure=measure)
            yield row(f"{over} / {under}: {word}", growth, of_size)
    base = next((size for size in measured(growth) if size["size"] == BASE), None)
    for way in ("engine from CSV", "engine from prepared"):
        name = f"{way}: CPU per currency row, relative to {BASE}x"
        yield row(name, growth, partial(cpu_a_row, base=base, way=way))
    yield row(
        "checks, sorting, digests and counts: share of the preparation's CPU",
        growth,
        share_of_checks,
    )


def ratio(size: Figures, over: str, under: str, part: str, measure: str) -> str:
    """The median of one way divided by that of another."""
    one, other = (middle(size, way, part, measure) for way in (over, under))
    return f"{one / other:.2f}" if one and other else "-"


def cpu_a_row(size: Figures, base: Figures | None, way: str) -> str:
    """CPU of a way's whole process per currency row, relative to that at size `base`."""
    one, other = (
        (middle(s, way, "process", "cpu") or 0) / s["rows"]["character_currency"] if s else 0
        for s in (size, base)
    )
    return f"{one / other:.2f}" if one and other else "-"


def share_of_checks(size: Figures) -> str:
    """The share of the preparation's CPU that is not reading and writing."""
    whole, read = (middle(size, f"engine: {x}", "work", "cpu") for x in ("preparation", "reading"))
    return f"{1 - read / whole:.0%}" if whole and read else "-"


def middle(size: Figures, way: str, part: str, measure: str) -> float | None:
    """The median of a way's runs; `None` if it failed."""
    figures = size["ways"][way]
    values = [run[part][measure] for run in figures["runs"]]
    return median(values) if values and not figures["failure"] else None


def figures_of(growth: Figures, title: str, part: str, measure: str) -> Iterator[str]:
    """Yields a table of the median, minimum and maximum of each way, with a column per size."""
    yield from header(title, growth)
    for way in growth["ways"]:
        yield row(way, growth, partial(cell, way=way, part=part, measure=measure))


def cell(size: Figures, way: str, part: str, measure: str) -> str:
    """Formats the measurements of a way at a size."""
    figures = size["ways"][way]
    if figures["failure"]:
        return "failed" if "cpu" in figures["failure"] else "not tried"
    values = [run[part][measure] for run in figures["runs"]]
    digits = 0 if measure == "memory" else 2
    texts = [f"{value:,.{digits}f}" for value in (median(values), min(values), max(values))]
    return texts[0] if len(values) == 1 else "{} ({} to {})".format(*texts)


def failures(growth: Figures) -> Iterator[str]:
    """Yields the sizes that were not measured, and the ways that failed."""
    for size in growth["sizes"]:
        if "left_out" in size:
            yield f"- {size['size']}x was not measured: it {size['left_out']}."
            continue
        for way, figures in size["ways"].items():
            if failure := figures["failure"]:
                yield f"- {size['size']}x, {way}: {failure['what']}{until(failure)}."


def until(failure: Figures) -> str:
    """Formats the time that a way took until it failed."""
    if "cpu" not in failure:
        return ""
    return f", after {failure['cpu']:.0f} CPU seconds and {failure['wall']:.0f} wall seconds"


def header(title: str, growth: Figures) -> Iterator[str]:
    """Yields the header of a table with a column per size."""
    sizes = [f"{size['size']}x" for size in measured(growth)]
    yield f"| {title} | {' | '.join(sizes)} |"
    yield f"|---|{'---|' * len(sizes)}"


def row(name: str, growth: Figures, value: Callable[[Figures], str]) -> str:
    """Formats a row of a table with a column per size."""
    return f"| {name} | {' | '.join(value(size) for size in measured(growth))} |"


if __name__ == "__main__":
    main()
