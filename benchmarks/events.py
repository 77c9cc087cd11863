"""Features from events beside DuckDB and plain Polars: `python -m benchmarks.events`.

Generates events and a cohort with one or two rows a character, as Parquet sorted by character and
time, and computes the same features in three ways, each in a process of its own and writing its
result as Parquet. The results must be equal. `benchmarks.event_ways` has the ways.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.process import Ended, run

WAYS = ("churnlib", "duckdb", "polars")


def main() -> int:
    """Prints CPU seconds, wall seconds and peak memory of each way; returns 1 if results differ."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=30_000_000)
    parser.add_argument("--characters", type=int, default=900_000)
    parser.add_argument("--memory-mib", type=int, default=512, help="engine.memory_mib")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _step(folder, "generate", args.characters, args.events)
        runs: dict[str, list[Ended]] = {way: [] for way in WAYS}
        for _ in range(args.rounds):
            for way in WAYS:  # Beside each other, as the load of a machine changes.
                options = (args.memory_mib,) if way == "churnlib" else ()
                runs[way].append(_step(folder, way, *options))
        print(f"{args.events:,} events of {args.characters:,} characters; medians")
        print("\n".join(_table(runs)))
        return max(map(_differs, [folder] * 2, WAYS[1:]))


def _step(folder: Path, step: str, *options: int) -> Ended:
    arguments = ("-m", "benchmarks.event_ways", step, str(folder), *map(str, options))
    ended = run(*arguments, home=folder)
    if ended.status:
        sys.exit(f"{step} failed with status {ended.status}:\n{ended.errors}")
    return ended


def _table(runs: dict[str, list[Ended]]) -> Iterator[str]:
    yield f"{'':10}{'CPU s':>8}{'wall s':>8}{'peak MiB':>10}"
    for way, rounds in runs.items():
        cpu, wall, memory = (
            statistics.median(getattr(each, name) for each in rounds)
            for name in ("cpu", "wall", "memory")
        )
        yield f"{way:10}{cpu:8.1f}{wall:8.1f}{memory:10,.0f}"


def _differs(folder: Path, way: str) -> bool:
    files = (str(folder / f"{name}.parquet") for name in ("churnlib", way))
    ended = run("-m", "benchmarks.compare", *files, home=folder)
    print(f"churnlib and {way}: {'equal' if not ended.status else ended.output + ended.errors}")
    return bool(ended.status)


if __name__ == "__main__":
    sys.exit(main())
