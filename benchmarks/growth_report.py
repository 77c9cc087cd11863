"""The section of `RESULTS.md` on scaling, and its plot, from the measurements in `growth.json`.

`python -m benchmarks.growth_report [FOLDER]` regenerates both without measuring.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.growth_plot import plot
from benchmarks.ways import WAYS

FOLDER = Path(__file__).parent
BEGIN, END = "<!-- growth: written by `make bench` -->", "<!-- growth: end -->"
PAIRS = (
    ("engine from CSV", "DuckDB from CSV"),
    ("engine from CSV", "Polars from CSV"),
    ("engine from CSV", "pandas from CSV"),
    ("engine from prepared", "DuckDB from Parquet"),
    ("engine from prepared", "Polars from Parquet"),
    ("engine from prepared", "pandas from Parquet"),
    ("engine from prepared", "bare"),
    ("engine: preparation, late rows", "engine: preparation"),
    ("engine: preparation, shuffled rows", "engine: preparation"),
    ("engine: preparation, Parquet", "engine: preparation"),
)
"""The ways that are compared: each first by its second."""
RATIOS = (
    ("CPU / wall / memory, whole process", "process", ("cpu", "wall", "memory")),
    ("CPU / wall, the work alone", "work", ("cpu", "wall")),
)
"""Title of each table of ratios, the part of a run, and the measures of a cell."""
BASE = 10
"""The size that CPU per row is relative to."""
PLOT_LABEL = (
    "CPU, wall time and peak memory of the engine, DuckDB, Polars, pandas and a bare copy against "
    "the number of characters, all on logarithmic axes"
)

Figures = dict[str, Any]


def main(folder: Path = FOLDER) -> None:
    """Writes plot and section from the measurements in a folder."""
    growth = json.loads((folder / "growth.json").read_text(encoding="utf-8"))
    (folder / "growth.svg").write_text(plot(measured(growth), PLOT_LABEL), encoding="utf-8")
    results = folder / "RESULTS.md"
    text = results.read_text(encoding="utf-8") if results.exists() else f"{BEGIN}\n{END}\n"
    results.write_text(with_section(text, section(growth)), encoding="utf-8")


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
    blocks = (
        ["## Scaling with the data"],
        introduction(growth),
        meanings(growth),
        [f"![{PLOT_LABEL}](growth.svg)"],
        data(growth),
        *(ratios(growth, *table) for table in RATIOS),
        scaling(growth),
        *(medians(size, growth["ways"]) for size in measured(growth)),
        failures(growth),
    )
    texts = ("\n".join(lines) for lines in blocks)
    return "\n\n".join(filter(None, texts)) + "\n"


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
    yield "Each way is measured in a process of its own: medians over the rounds of one run. CPU,"
    yield "wall time and peak memory are those of the whole process, with the start of Python and"
    yield "the imports, because that is what users see; the work alone is without these. The engine"
    yield "imports Prefect, because its steps are the tasks of the flows, called without a server."
    yield "DuckDB, Polars and pandas check nothing, and only pandas computes the labels; all other"
    yield "columns equal the engine's to 1e-9. They load the game's settings with churnlib. The"
    yield "engine's prepared tables have the same bytes for each input. Files may be in the page"
    yield f"cache. Memory is limited to {growth['cap_gib']:g} GiB."


def meanings(growth: Figures) -> Iterator[str]:
    """Yields a table of the ways."""
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


def ratios(growth: Figures, title: str, part: str, measures: Sequence[str]) -> Iterator[str]:
    """Yields a table of ratios between the ways that were run, with a column per size."""
    yield from header(f"ratios: {title}", growth)
    for over, under in PAIRS:
        if any({over, under} <= size["ways"].keys() for size in measured(growth)):
            of_size = partial(ratio, over=over, under=under, part=part, measures=measures)
            yield row(f"{over} / {under}", growth, of_size)


def ratio(size: Figures, over: str, under: str, part: str, measures: Sequence[str]) -> str:
    """The medians of one way divided by those of another."""
    one, other = ([middle(size, way, part, m) for m in measures] for way in (over, under))
    pairs = zip(one, other, strict=True)
    return " / ".join(f"{a / b:.2f}" for a, b in pairs if a and b) or "-"


def scaling(growth: Figures) -> Iterator[str]:
    """Yields a table of CPU per row, with a column per size, if `BASE` was measured."""
    base = next((size for size in measured(growth) if size["size"] == BASE), None)
    if base is None:
        return
    yield from header(f"CPU per currency row, relative to {BASE}x", growth)
    for way in ("engine from CSV", "engine from prepared"):
        yield row(way, growth, partial(cpu_a_row, base=base, way=way))


def cpu_a_row(size: Figures, base: Figures, way: str) -> str:
    """CPU of a way's whole process per currency row, relative to that at size `base`."""
    one, other = (
        (middle(s, way, "process", "cpu") or 0) / s["rows"]["character_currency"]
        for s in (size, base)
    )
    return f"{one / other:.2f}" if one and other else "-"


def middle(size: Figures, way: str, part: str, measure: str) -> float | None:
    """The median of a way's runs; `None` if it failed or was not run."""
    figures = size["ways"].get(way)
    if not figures or figures["failure"] or not figures["runs"]:
        return None
    return median(float(run[part][measure]) for run in figures["runs"])


def medians(size: Figures, ways: dict[str, str]) -> Iterator[str]:
    """Yields a table of the measurements at a size, with a row per way that was run."""
    yield f"| {size['size']}x, {size['characters']:,} characters | CPU s | wall s | peak MiB |"
    yield "|---|---|---|---|"
    for way in ways:
        if figures := size["ways"].get(way):
            cells = "failed | failed | failed"
            if not figures["failure"]:
                cpu, wall, memory = (
                    middle(size, way, "process", measure) for measure in ("cpu", "wall", "memory")
                )
                cells = f"{cpu:,.2f} | {wall:,.2f} | {memory:,.0f}"
            elif "cpu" not in figures["failure"]:
                cells = cells.replace("failed", "not tried")
            yield f"| {way} | {cells} |"


def failures(growth: Figures) -> Iterator[str]:
    """Yields the sizes that were not measured, and the ways that failed or were not run."""
    for size in growth["sizes"]:
        if "left_out" in size:
            yield f"- {size['size']}x was not measured: it {size['left_out']}."
            continue
        for way, figures in size["ways"].items():
            if failure := figures["failure"]:
                yield f"- {size['size']}x, {way}: {failure['what']}{until(failure)}."
    for way in WAYS.values():
        left_out = [s["size"] for s in measured(growth) if way.name not in s["ways"]]
        sizes = [f"{size}x" for size in left_out if way.up_to and size > way.up_to]
        if sizes:
            yield f"- {way.name}: not run at {', '.join(sizes)}. When last tried, at {way.failed}."


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
    main(*map(Path, sys.argv[1:]))
