"""The compared ways from data to features, each run in a process of its own.

`python -m benchmarks.ways WAY FOLDER GAME` runs one of them and prints its time, without the start
of Python and the imports. FOLDER has the inputs, as `benchmarks.inputs` generates them.
"""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

OUT_OF_MEMORY = 3
"""The exit status of a process that ran out of memory."""
FEATURES = "csv/04_feature/{game}/train_features.parquet"
"""The features of the engine, below FOLDER."""
FORMATS = {"CSV": "csv", "Parquet": "parquet"}

Work = Callable[[], None]


@dataclass(frozen=True)
class Way:
    """A way from data to features.

    Attributes:
        name: Its name on the command line and in the results.
        meaning: What it does.
        load: Imports the modules that it needs and returns its work; takes folder and game.
        needs: The way that must run before it, if any.
        data: The data folder that it reads, below FOLDER.
        features: The file of its features, below FOLDER, if they are compared with the engine's.
        limit: The system's resource limit that enforces the memory cap.
        up_to: The largest size at which it is run by default.
        failed: How it failed beyond that size when it was last tried.
    """

    name: str
    meaning: str
    load: Callable[[Path, str], Work]
    needs: str | None = None
    data: str = "csv"
    features: str | None = None
    limit: int = resource.RLIMIT_DATA
    up_to: int | None = None
    failed: str = ""


def main() -> int:
    """Runs a way; prints its wall seconds and CPU seconds as JSON."""
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
    """Measures the time of some work."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": cpu_seconds() - cpu}


def cpu_seconds() -> float:
    """CPU seconds of this process and its children so far."""
    return sum(os.times()[:4])


def selected(names: Collection[str] | None, size: int) -> list[Way]:
    """Returns the ways to run at a size, in their order.

    Args:
        names: Those asked for; the ways that they need are added. If None, all that are run at this
            size by default.
        size: The size.
    """
    if names is None:
        return [way for way in WAYS.values() if way.up_to is None or size <= way.up_to]
    wanted = set(names)
    for way in reversed(WAYS.values()):
        if way.name in wanted and way.needs:
            wanted.add(way.needs)
    return [way for way in WAYS.values() if way.name in wanted]


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

    return partial(engine.features, folder / "csv", game)


def bare_copy(folder: Path, game: str) -> Work:
    """Reads the inputs, copies the result."""
    from benchmarks import bare

    return partial(bare.copy, folder / "csv", game, folder / "bare")


def preparation(suffix: str, meaning: str, data: str) -> Way:
    """Makes the way of preparing tables from a data folder."""

    def load(folder: Path, game: str) -> Work:
        from benchmarks import engine

        return partial(engine.prepare, folder / data, game)

    needs = "engine: preparation" if suffix else None
    return Way(f"engine: preparation{suffix}", meaning, load, needs, data)


def peer(library: str, source: str, up_to: int | None = None, failed: str = "") -> Way:
    """Makes the way of another library, which computes the same features.

    Args:
        library: The library; `benchmarks.<library>_features` uses it.
        source: What it reads: `CSV` or `Parquet`.
        up_to: See `Way`.
        failed: See `Way`.
    """
    module, file_format = f"{library.lower()}_features", FORMATS[source]
    target = f"{module}-{file_format}.parquet"

    def load(folder: Path, game: str) -> Work:
        from churnlib.settings import load_settings

        raw, settings = folder / file_format / "01_raw" / game, load_settings(game)
        features: Callable[..., None] = import_module(f"benchmarks.{module}").features
        return partial(features, raw, file_format, settings, folder / target)

    return Way(
        f"{library} from {source}",
        f"the same features from {source}, unchecked, by {library}",
        load,
        data=file_format,
        features=target,
        limit=resource.RLIMIT_AS if library == "pandas" else resource.RLIMIT_DATA,
        up_to=up_to,
        failed=failed,
    )


WAYS = {
    way.name: way
    for way in (
        Way("engine from CSV", "preparation, then features", engine_from_csv),
        preparation("", "raw tables from CSV, checked, counted, sorted, kept as Parquet", "csv"),
        preparation(", late rows", "the same with the last month at the end of the CSV", "late"),
        preparation(", shuffled rows", "the same with all rows in random order", "shuffled"),
        preparation(", Parquet", "the same from Parquet", "parquet"),
        Way(
            "engine from prepared",
            "all features of all subscriptions from the prepared tables, as Parquet",
            engine_from_prepared,
            needs="engine: preparation",
        ),
        peer("DuckDB", "CSV"),
        peer("DuckDB", "Parquet"),
        peer("Polars", "CSV"),
        peer("Polars", "Parquet"),
        peer(
            "pandas",
            "CSV",
            up_to=30,
            failed="300x: MemoryError under a cap of 17 GiB, after 76 CPU seconds",
        ),
        peer(
            "pandas",
            "Parquet",
            up_to=30,
            failed="100x: MemoryError under a cap of 17 GiB, after 17 CPU seconds",
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
