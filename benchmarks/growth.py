"""Measures how the work scales with the data: `python -m benchmarks.growth`, or `make bench`.

Runs the ways of `benchmarks.ways` on sample data of growing size, each in a process of its own.
Every round runs each way once, so that other load on the machine affects all alike, and ratios are
of one run. Writes the measurements to `growth.json`, the plot to `growth.svg` and a section of
`RESULTS.md`, anew after each size. Sizes that need too much disk space or time, and ways that run
out of memory, are listed there.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.checks import same_features, same_tables
from benchmarks.machine import machine
from benchmarks.process import Ended, run
from benchmarks.start_up import ROOT
from benchmarks.ways import OUT_OF_MEMORY, WAYS, Way, selected

CHARACTERS = 30_000
SIZES = (1, 10, 30, 100, 300)
ONCE_FROM = 100
"""From this size on, one round is enough."""
NO_MEMORY = (
    *("MemoryError", "bad_alloc", "memory allocation of", "ArrowMemoryError"),
    "OutOfMemoryException",
)
"""Error messages of libraries that run out of memory."""
ROOM = 1.2
"""The free disk space that a size needs, relative to its expected size."""

Figures = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, and writes the results."""
    args = parser().parse_args(arguments)
    deadline = time.monotonic() + 60 * args.budget
    sizes = kept(args) if args.add else []
    with tempfile.TemporaryDirectory(dir=args.work, prefix="growth-") as work:
        for size in sorted(args.sizes):
            rounds = args.rounds or (1 if size >= ONCE_FROM else 3)
            smaller = [figures for figures in sizes if figures["size"] < size]
            reason = obstacle(size, rounds, smaller, Path(work), deadline - time.monotonic())
            if reason:
                sizes.append({"size": size, "left_out": reason})
            else:
                sizes.append(measure(size, rounds, smaller, Path(work, f"{size}x"), args))
            log_progress(f"{size}x: {reason or 'done'}")
            write(sorted(sizes, key=lambda figures: int(figures["size"])), args)


def kept(args: argparse.Namespace) -> list[Figures]:
    """Returns the stored results of sizes that are not measured now."""
    results = json.loads((args.out / "growth.json").read_text(encoding="utf-8"))
    return [figures for figures in results["sizes"] if figures["size"] not in args.sizes]


def write(sizes: list[Figures], args: argparse.Namespace) -> None:
    """Writes the measurements, the plot and the section of the results.

    It runs in another process, as this one must stay small while it starts others.
    """
    results = {
        "machine": machine(),
        "game": args.game,
        "cap_gib": args.cap,
        "ways": {way.name: way.meaning for way in WAYS.values()},
        "sizes": sizes,
    }
    (args.out / "growth.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    written = run("-m", "benchmarks.growth_report", str(args.out), home=args.out)
    if written.status:
        raise SystemExit(written.errors)


def parser() -> argparse.ArgumentParser:
    """Builds the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description="Measure how the work scales with the data."
    )
    add = parser.add_argument
    add("--sizes", type=int, nargs="+", default=SIZES, help="in multiples of --characters")
    add("--ways", nargs="+", choices=WAYS, metavar="WAY", help=f"default: all of {', '.join(WAYS)}")
    add("--add", action="store_true", help="keep the results of other sizes")
    add("--characters", type=int, default=CHARACTERS, help="characters at size 1 (default: 30,000)")
    add("--rounds", type=int, help=f"default: 3, and 1 from {ONCE_FROM}x on")
    add("--game", default="game1", help="whose settings and sample data (default: game1)")
    add("--cap", type=float, default=17, help="memory limit of a process in GiB (default: 17)")
    add("--budget", type=float, default=180, help="minutes for all sizes (default: 180)")
    add("--work", type=Path, help="folder for temporary data (default: the system's)")
    add("--out", type=Path, default=ROOT / "benchmarks", help="folder of the results")
    return parser


def obstacle(
    size: int, rounds: int, before: Sequence[Figures], work: Path, seconds: float
) -> str | None:
    """Returns why a size cannot be measured, estimated from the size before; None if it can.

    Args:
        size: The size.
        rounds: Number of rounds.
        before: The results of smaller sizes.
        work: The folder for its data.
        seconds: The remaining time.
    """
    done = [figures for figures in before if "left_out" not in figures]
    if not done:
        return None
    last = done[-1]
    larger = size / last["size"]
    room, free = larger * last["disk_mib"] * ROOM, shutil.disk_usage(work).free / 2**20
    if room > free:
        return f"needs about {room / 1024:.0f} GiB of disk, of which {free / 1024:.0f} are free"
    needed = larger * last["seconds"] / last["rounds"] * rounds
    if needed > seconds:
        return (
            f"needs about {needed / 60:.0f} minutes, and {max(seconds, 0) / 60:.0f} are left of "
            "those that were allowed"
        )
    return None


def measure(
    size: int, rounds: int, before: Sequence[Figures], folder: Path, args: argparse.Namespace
) -> Figures:
    """Measures the ways at a size, then removes the data."""
    started = time.monotonic()
    chosen = selected(args.ways, size)
    rows = generate(folder, args.game, size * args.characters, chosen)
    ways: dict[str, Figures] = {
        way.name: {"runs": [], "failure": failed_before(way.name, before)} for way in chosen
    }
    for number in range(rounds):
        for name, figures in ways.items():
            log_progress(f"{size}x, round {number + 1} of {rounds}: {name}")
            needs = WAYS[name].needs
            if needs and ways[needs]["failure"]:
                figures["failure"] = {"what": f"not tried, as `{needs}` failed"}
            if not figures["failure"]:
                one_run(name, folder, args, figures)
    finished = [way for way in chosen if not ways[way.name]["failure"]]
    figures = {
        "size": size,
        "characters": size * args.characters,
        "rows": rows,
        "csv_mib": mib(folder / "csv" / "01_raw"),
        "parquet_mib": mib(folder / "parquet" / "01_raw"),
        "disk_mib": mib(folder),
        "rounds": rounds,
        "same_tables": same_tables(folder, args.game, finished),
        "same_features": same_features(folder, args.game, finished),
        "ways": ways,
        "seconds": time.monotonic() - started,
    }
    shutil.rmtree(folder)
    return figures


def generate(folder: Path, game: str, characters: int, ways: Sequence[Way]) -> dict[str, int]:
    """Generates the inputs of some ways; returns the number of rows of each table."""
    orders = sorted({way.data for way in ways} - {"csv", "parquet"})
    line = ("-m", "benchmarks.inputs", str(folder), game, str(characters), "--orders", *orders)
    ended = run(*line, home=folder)
    if ended.status:
        raise SystemExit(ended.errors)
    rows: dict[str, int] = json.loads(ended.output)
    return rows


def failed_before(name: str, before: Sequence[Figures]) -> Figures | None:
    """Returns the failure of a way at a smaller size, after which it is not tried again."""
    for figures in before:
        failure = figures.get("ways", {}).get(name, {}).get("failure")
        if failure and "cpu" in failure:
            return {"what": f"not tried, after {failure['what']} at {figures['size']}x"}
    return None


def one_run(name: str, folder: Path, args: argparse.Namespace, figures: Figures) -> None:
    """Runs a way, and adds its measurements, or its failure, to `figures`."""
    cap = ("--cap", str(args.cap))
    ended = run(
        "-m", "benchmarks.ways", name, str(folder), args.game, *cap, home=folder / "prefect"
    )
    process = {"wall": ended.wall, "cpu": ended.cpu, "memory": ended.memory}
    if not ended.status:
        work = json.loads(ended.output.splitlines()[-1])
        figures["runs"].append({"process": process, "work": work})
    elif ran_out_of_memory(ended):
        by_system = ended.status == -signal.SIGKILL
        what = "killed by the system" if by_system else "MemoryError"
        figures["failure"] = {"what": f"{what} under a cap of {args.cap:g} GiB", **process}
    else:
        raise SystemExit(f"{name}: exit {ended.status}\n{ended.errors}")


def ran_out_of_memory(ended: Ended) -> bool:
    """Whether a process ran out of memory, or was killed by the system."""
    return ended.status in (OUT_OF_MEMORY, -signal.SIGKILL) or any(
        word in ended.errors for word in NO_MEMORY
    )


def mib(folder: Path) -> float:
    """The size of all files below a folder, in MiB."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20


def log_progress(what: str) -> None:
    """Prints a progress message."""
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
