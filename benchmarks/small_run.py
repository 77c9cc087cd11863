"""Measures a small run beside a plain script of the same work: `python -m benchmarks.small_run`.

Whole processes with their children: wall and CPU seconds, and memory. Every round runs each way
once, so that other load on the machine affects all alike. Ratios are computed within each round.
Prints medians as Markdown.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

from benchmarks.process import Ended, run
from benchmarks.start_up import lasting_server

CHARACTERS, SEED = 30_000, 1

WAYS = {
    "plain": "a plain script with scikit-learn: no checks, no intervals, no report",
    "warm": "`train --from-raw`, a server is running, nothing is cached",
    "cached": "the same, everything is cached",
    "cold": "`train --from-raw`, no server is running, nothing is cached",
    "cold, cached": "the same, everything is cached",
}
"""The ways with their names in the table."""
BASE = "plain"
"""The way that the others are compared with."""

Round = dict[str, Ended]
"""What each way took."""


def main() -> None:
    """Measures, and prints Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--game", default="game1", help="whose settings and sample data")
    parser.add_argument("--characters", type=int, default=CHARACTERS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = folder / "raw" / args.game
        sizes = ("--characters", str(args.characters), "--seed", str(SEED), "--out", str(raw))
        checked("-m", "churnlib.synthesis", "--game", args.game, *sizes, home=folder / "home")
        with lasting_server(folder / "server") as access:
            one_round(folder, raw, access)  # Creates databases and compiles modules.
            rounds = [one_round(folder, raw, access) for _ in range(args.rounds)]
    print("\n".join(table(rounds)))


def one_round(folder: Path, raw: Path, access: Mapping[str, str]) -> Round:
    """Runs each way once.

    Args:
        folder: The folder for the data of the runs.
        raw: The raw tables of the game.
        access: The variables by which programs find the running server.
    """
    taken = {"plain": checked("-m", "benchmarks.plain_script", str(raw), home=folder / "home")}
    taken["warm"], taken["cached"] = train_twice(folder, raw, access)
    taken["cold"], taken["cold, cached"] = train_twice(folder, raw, {})
    load = os.getloadavg()[0]
    seconds = ", ".join(f"{way} {ended.wall:.1f}" for way, ended in taken.items())
    print(f"load {load:.1f}; wall seconds: {seconds}", file=sys.stderr, flush=True)
    return taken


def train_twice(folder: Path, raw: Path, server: Mapping[str, str]) -> Iterator[Ended]:
    """Trains in a new data folder, and once more when all results are cached."""
    data, results = folder / "data", folder / "results"
    (data / "01_raw").mkdir(parents=True)
    (data / "01_raw" / raw.name).symlink_to(raw)
    environment = {**server, "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(results)}
    line = ("--game", raw.name, "--from-raw", "--data-dir", str(data))
    for _ in range(2):
        yield checked("-m", "flows.train", *line, home=folder / "home", environment=environment)
    shutil.rmtree(data)
    shutil.rmtree(results)


def checked(*arguments: str, home: Path, environment: Mapping[str, str] | None = None) -> Ended:
    """Runs Python; ends this process if it fails."""
    ended = run(*arguments, home=home, environment=environment)
    if ended.status:
        raise SystemExit(f"{' '.join(arguments)}\n{ended.output}{ended.errors}")
    return ended


def table(rounds: list[Round]) -> Iterator[str]:
    """The medians of each way, and the medians of its ratios to the plain script."""
    yield "| what | wall s | CPU s | MiB | wall, ratio | CPU, ratio |"
    yield "|---|---|---|---|---|---|"
    for way, meaning in WAYS.items():
        taken = [each[way] for each in rounds]
        base = [each[BASE] for each in rounds]
        ratios = (
            median(one.wall / plain.wall for one, plain in zip(taken, base, strict=True)),
            median(one.cpu / plain.cpu for one, plain in zip(taken, base, strict=True)),
        )
        cells = (
            f"{median(one.wall for one in taken):.1f}",
            f"{median(one.cpu for one in taken):.1f}",
            f"{median(one.memory for one in taken):.0f}",
            *(f"{ratio:.2f}" for ratio in ratios),
        )
        yield f"| {meaning} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
