"""A plugin of pytest that runs, for one mutant after another, the tests that reach its function.

Each test runs with fixtures of its own, also those of a module or a session, so that nothing is
left over from another mutant.
"""

import json
import math
import resource
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from _pytest.runner import runtestprotocol

SLOWER = 5
"""How many times as long as without a mutant a test may run, in processor time, before it fails."""
LEAST = 5.0
"""How many seconds of processor time every test may run."""
MEMORY = 6 * 2**30
"""Bytes of address space; a mutant that asks for more fails."""


class EndlessError(BaseException):
    """A test runs much longer than without the mutant, perhaps forever."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Takes the file that names the mutants; the results go beside it."""
    parser.addoption("--mutants", type=Path)


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Runs the tests without a mutant, then with each."""
    from mutmut.mutation.trampoline import set_mutant_under_test

    task: Path = session.config.getoption("--mutants")
    reaching = find_tests(session.items)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with (task.parent / "results.jsonl").open("w", encoding="utf-8") as results:
        for name in json.loads(task.read_text(encoding="utf-8")):
            tests = reaching[name.partition("__mutmut_")[0]]
            place = results.tell()
            print(json.dumps([name, ""]), file=results, flush=True)
            set_mutant_under_test(name)
            killed = any(fails(test, LEAST + SLOWER * seconds) for test, seconds in tests)
            status = "killed" if killed else "survived" if tests else "untested"
            results.seek(place)
            results.truncate()
            print(json.dumps([name, status]), file=results, flush=True)
    return True


def find_tests(items: list[pytest.Item]) -> dict[str, list[tuple[pytest.Item, float]]]:
    """Runs all tests without a mutant.

    Returns:
        The tests that reach each function and their seconds of processor time, fastest first.
    """
    from mutmut.mutation.trampoline import set_mutant_under_test
    from mutmut.state import state

    set_mutant_under_test("stats")
    reached: dict[pytest.Item, set[str]] = {}
    seconds: dict[pytest.Item, float] = {}
    for item in items:
        state()._stats.clear()
        start = time.process_time()
        if fails(item, math.inf):
            raise pytest.UsageError(f"{item.nodeid} fails without a mutant")
        seconds[item], reached[item] = time.process_time() - start, set(state()._stats)
    tests: dict[str, list[tuple[pytest.Item, float]]] = defaultdict(list)
    for item in sorted(reached, key=seconds.__getitem__):
        for function in reached[item]:
            tests[function].append((item, seconds[item]))
    return tests


def fails(item: pytest.Item, longest: float) -> bool:
    """Runs a test with fixtures of its own, and stops it after some seconds."""
    with time_limit(longest):
        return any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))


@contextmanager
def time_limit(longest: float) -> Iterator[None]:
    """Raises an error after some seconds of processor time.

    Where the main thread does not come to raise it, because it waits for a thread of Polars in
    which the mutant runs, the process ends after twice that time.
    """
    if longest == math.inf:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise EndlessError

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, longest, longest)
    signal.setitimer(signal.ITIMER_VIRTUAL, 2 * longest)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
