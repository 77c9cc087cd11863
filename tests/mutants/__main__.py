"""`make mutants`: runs mutation tests, and shows the surviving mutants.

mutmut generates the mutants. Its own runner forks, which Polars does not support, so pytest runs
the tests of one mutant after another in one process (`tests.mutants.plugin`).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.project import TARGETS, Mutant, make_mutants

OPTIONS = (
    *("-m", "not slow", "--hypothesis-profile=mutants"),
    *("-p", "no:cacheprovider", "-p", "tests.mutants.plugin"),
)
ONE_THREAD = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""The tables of these tests are small, and mutants run in parallel."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the tests of every mutant and prints the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"{', '.join(TARGETS)}; all if none is given")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many at once")
    parser.add_argument("--every", type=int, default=1, help="take only every n-th mutant")
    given = parser.parse_args(arguments)
    mutants: list[Mutant] = []
    statuses: dict[str, str] = {}
    for target in given.targets or TARGETS:
        with tempfile.TemporaryDirectory(prefix="churn-mutants-") as folder:
            changed = make_mutants(target, Path(folder))[:: given.every]
            statuses |= run_tests(changed, TARGETS[target][1], Path(folder), given.processes)
            mutants += changed
    report(mutants, statuses)
    return 0


def run_tests(mutants: list[Mutant], tests: str, folder: Path, processes: int) -> dict[str, str]:
    """Runs the tests of some mutants, and returns the status of each by its name."""
    names = [mutant.name for mutant in mutants]
    shares = [names[first::processes] for first in range(processes)]
    with ThreadPoolExecutor(processes) as pool:
        parts = pool.map(lambda share: _test_share(share, tests, folder), shares)
        return {name: status for part in parts for name, status in part.items()}


def _test_share(names: list[str], tests: str, folder: Path) -> dict[str, str]:
    """Tests mutants in one process, and in a new one after a crash."""
    statuses: dict[str, str] = {}
    while remaining := [name for name in names if name not in statuses]:
        with tempfile.TemporaryDirectory() as place:
            task, results = Path(place) / "task.json", Path(place) / "results.jsonl"
            task.write_text(json.dumps(remaining), encoding="utf-8")
            results.touch()
            pytest = [sys.executable, "-m", "pytest", "-q", *OPTIONS, f"--mutants={task}", tests]
            run = subprocess.run(
                pytest,
                cwd=folder,
                env=os.environ | ONE_THREAD,
                capture_output=True,
                text=True,
                check=False,
            )
            lines = results.read_text(encoding="utf-8").splitlines()
        statuses |= dict(json.loads(line) for line in lines)
        if not lines:
            sys.exit(f"the tests of the unchanged code do not pass:\n{run.stdout}{run.stderr}")
        statuses = {name: status or "crashed" for name, status in statuses.items()}
    return statuses


def report(mutants: list[Mutant], statuses: dict[str, str]) -> None:
    """Prints the surviving mutants, then the share killed in each module."""
    for mutant in mutants:
        if statuses[mutant.name] in ("survived", "untested"):
            print(f"# {mutant.name}: {statuses[mutant.name]}\n{mutant.diff}")
    print(f"{'module':40}{'mutants':>8}{'killed':>8}{'share':>8}")
    for module, own in [*by_module(mutants), ("all", mutants)]:
        count = Counter(statuses[mutant.name] for mutant in own)
        killed = len(own) - count["survived"] - count["untested"]
        print(f"{module:40}{len(own):8}{killed:8}{killed / len(own):8.1%}")


def by_module(mutants: Iterable[Mutant]) -> list[tuple[str, list[Mutant]]]:
    """The mutants of each module."""
    modules: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        modules.setdefault(mutant.module, []).append(mutant)
    return list(modules.items())


if __name__ == "__main__":
    sys.exit(main())
