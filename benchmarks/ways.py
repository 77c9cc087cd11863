"""The compared ways from data to features, each run in a process of its own.

`python -m benchmarks.ways WAY FOLDER GAME` runs one of them and prints its time and memory, without
the start of Python and the imports. FOLDER has the data folders `csv` and `parquet`.
"""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

OUT_OF_MEMORY = 3
"""The exit status of a process that ran out of memory."""
MIB = 1024
PANDAS = {
    "pandas from CSV": "pandas-csv.parquet",
    "pandas from Parquet": "pandas-parquet.parquet",
}
"""The ways of pandas, and the file of each result."""

Work = Callable[[], None]


@dataclass(frozen=True)
class Way:
    """A way from data to features.

    Attributes:
        name: Its name on the command line and in the results.
        meaning: What it does.
        load: Imports the modules that it needs and returns its work; takes folder and game.
        needs: The way whose output it reads, if any.
        limit: The system's resource limit that enforces the memory cap.
    """

    name: str
    meaning: str
    load: Callable[[Path, str], Work]
    needs: str | None = None
    limit: int = resource.RLIMIT_DATA


def main() -> int:
    """Runs a way; prints its wall seconds, CPU seconds and MiB as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("game")
    parser.add_argument("--cap", type=float, default=17, help="memory limit in GiB")
    args = parser.parse_args()
    way = WAYS[args.way]
    if args.way.startswith("engine"):
        import flows  # noqa: F401  First, as in a run: it sets the memory allocator.
    resource.setrlimit(way.limit, (int(args.cap * 2**30),) * 2)
    try:
        work = way.load(args.folder, args.game)
        print(json.dumps(measure(work)))
    except MemoryError:
        return OUT_OF_MEMORY
    return 0


def measure(work: Work) -> dict[str, float]:
    """Measures time and memory of some work; memory is the increase of the process's peak."""
    memory, wall, cpu = peak_memory(), time.perf_counter(), cpu_seconds()
    work()
    return {
        "wall": time.perf_counter() - wall,
        "cpu": cpu_seconds() - cpu,
        "memory": peak_memory() - memory,
    }


def cpu_seconds() -> float:
    """CPU seconds of this process and its children so far."""
    return sum(os.times()[:4])


def peak_memory() -> float:
    """Peak memory of this process, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB


def engine_from_csv(folder: Path, game: str) -> Work:
    """Preparation, then features."""
    from benchmarks import engine

    def work() -> None:
        engine.prepare(folder / "csv", game)
        engine.features(folder / "csv", game)

    return work


def engine_from_prepared(folder: Path, game: str) -> Work:
    """Features alone."""
    from benchmarks import engine

    return lambda: engine.features(folder / "csv", game)


def preparation(folder: Path, game: str) -> Work:
    """Preparation alone."""
    from benchmarks import engine

    return lambda: engine.prepare(folder / "csv", game)


def pandas_from_csv(folder: Path, game: str) -> Work:
    """The same features in pandas."""
    from benchmarks import pandas_features as pandas
    from churnlib.settings import load_settings

    settings, raw = load_settings(game), folder / "csv" / "01_raw" / game
    target = folder / PANDAS["pandas from CSV"]
    return lambda: pandas.features(raw, pandas.read_csv, settings, target)


def pandas_from_parquet(folder: Path, game: str) -> Work:
    """The same from Parquet."""
    from benchmarks import pandas_features as pandas
    from churnlib.settings import load_settings

    settings, raw = load_settings(game), folder / "parquet" / "01_raw" / game
    target = folder / PANDAS["pandas from Parquet"]
    return lambda: pandas.features(raw, pandas.read_parquet, settings, target)


def bare_copy(folder: Path, game: str) -> Work:
    """Reads the inputs, copies the result."""
    from benchmarks import bare

    return lambda: bare.copy(folder / "csv", game, folder / "bare")


WAYS = {
    way.name: way
    for way in (
        Way("engine from CSV", "preparation, then features", engine_from_csv),
        Way(
            "engine: preparation",
            "raw tables from CSV, read, checked, described, kept as Parquet",
            preparation,
        ),
        Way(
            "engine from prepared",
            "all features of all subscriptions from the prepared tables, as Parquet",
            engine_from_prepared,
            needs="engine: preparation",
        ),
        Way(
            "pandas from CSV",
            "the same features, unchecked, in pandas",
            pandas_from_csv,
            limit=resource.RLIMIT_AS,
        ),
        Way(
            "pandas from Parquet",
            "the same from Parquet",
            pandas_from_parquet,
            limit=resource.RLIMIT_AS,
        ),
        Way(
            "bare",
            "Polars reads the inputs of `engine from prepared` and copies its result",
            bare_copy,
            needs="engine from prepared",
        ),
    )
}
"""The ways by name, each after the one that it needs."""


if __name__ == "__main__":
    sys.exit(main())
