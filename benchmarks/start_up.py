"""Measures the overhead of Prefect: `python -m benchmarks.start_up`.

Measures whole processes in wall seconds. Every round runs each kind once, so that other load on the
machine affects all alike. Each run has its own data folder with the sample data and its own
results, so that nothing is cached. Prints medians and spread, the parts of a warm run, and whether
the bounds are met. Bounds are computed within each round, and the median over the rounds counts.
"""

import argparse
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120
"""Time limit in seconds for the server to start."""

LIMIT_GC = "import atexit, gc; gc.set_threshold(20_000); atexit.register(gc.freeze)"
"""Limits garbage collection, as the command lines and `benchmarks.plain_train` do."""
LIBRARIES = (
    "churnlib.features.history",
    "churnlib.model.fit",
    "churnlib.versions.folder",
    "churnlib.raw.validate",
    "churnlib.report.html",
    "sklearn.ensemble",
    "skops.io",
)
"""The modules that the work imports."""
KINDS = {
    "python": "a bare interpreter",
    "import": "(a) `import prefect`",
    "libraries": "import of the other libraries: Polars, scikit-learn, skops, matplotlib",
    "plain": "(b) the work, without Prefect",
    "warm": "(c) warm: a server is running",
    "cold": "(d) cold: no server, but the database exists",
    "first": "(e) first run: Prefect's home is empty",
    "sub-flow": "(f) one sub-flow with one task",
    "task": "(g) one task",
}
"""The kinds of measurement, with their names in the table."""

Round = dict[str, float]
"""The seconds of each kind."""


@dataclass(frozen=True)
class Timing:
    """The times of a finished process, in seconds.

    Attributes:
        seconds: From its start to its end.
        first: From its start to its first line of output.
        exit: From its last line to its end.
        output: Its output.
    """

    seconds: float
    first: float
    exit: float
    output: str


def main() -> None:
    """Measures, and prints Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--game", default="game1")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, lasting_server(Path(folder) / "home") as server:
        one_round(Path(folder) / "warm-up", args.game, server)
        rounds = []
        for number in range(args.rounds):
            rounds.append(one_round(Path(folder) / str(number), args.game, server))
            print(json.dumps(rounds[-1]), file=sys.stderr, flush=True)
    print_table(rounds)
    print_breakdown(rounds)
    print_bounds(rounds)


def one_round(folder: Path, game: str, access: Mapping[str, str]) -> Round:
    """Measures each kind once.

    Args:
        folder: The folder for the data of the runs.
        game: The game to train a model of.
        access: The variables by which programs find the running server.
    """
    home = {"PREFECT_HOME": str(folder / "home")}
    server = {**home, **access}
    plain_data = new_data(folder / "plain", game)
    seconds = {
        "python": run("-c", "pass").seconds,
        "import": run("-c", "import prefect", **home).seconds,
        "libraries": run("-c", f"{LIMIT_GC}; import {', '.join(LIBRARIES)}").seconds,
        "plain": run("-m", "benchmarks.plain_train", game, str(plain_data)).seconds,
    }
    warm = train(folder / "warm", game, server)
    seconds |= {"warm": warm.seconds, "first line": warm.first, "exit": warm.exit}
    seconds |= json.loads(run("-m", "benchmarks.parts", **server).output.splitlines()[-1])
    shutil.rmtree(folder / "home", ignore_errors=True)
    seconds["first"] = train(folder / "first", game, home).seconds
    seconds["cold"] = train(folder / "cold", game, home).seconds
    shutil.rmtree(folder)
    return seconds


def train(folder: Path, game: str, environment: Mapping[str, str]) -> Timing:
    """Runs `train --from-raw` by its command line."""
    data = new_data(folder, game)
    results = {"PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(folder / "results")}
    line = ("--game", game, "--from-raw", "--data-dir", str(data))
    return run("-m", "flows.train", *line, **environment, **results)


def new_data(folder: Path, game: str) -> Path:
    """Creates a data folder with the sample data of a game."""
    raw = Path("01_raw", game)
    shutil.copytree(ROOT / "data" / raw, folder / "data" / raw)
    return folder / "data"


def run(*arguments: str, **environment: str) -> Timing:
    """Runs Python in a process of its own; shows its output only if it fails."""
    command = [sys.executable, *arguments]
    lines, times = [], [time.perf_counter()]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=clean_environment() | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            times.append(time.perf_counter())
    end = time.perf_counter()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}\n{''.join(lines)}")
    first = times[1] if lines else end
    return Timing(end - times[0], first - times[0], end - times[-1], "".join(lines))


def clean_environment() -> dict[str, str]:
    """Returns the environment of this process without Prefect's variables and telemetry."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return known | {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


@contextmanager
def lasting_server(home: Path) -> Iterator[Mapping[str, str]]:
    """Runs a server as `make server` does; yields the variables by which programs find it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    password = f"bench:{secrets.token_urlsafe(32)}"
    process = subprocess.Popen(
        [sys.executable, "-m", "flows", "server", "--port", str(port)],
        cwd=ROOT,
        env=clean_environment()
        | {"PREFECT_HOME": str(home), "PREFECT_SERVER_API_AUTH_STRING": password},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/api"
    try:
        wait_for(f"{url}/health")
        yield {"PREFECT_API_URL": url, "PREFECT_API_AUTH_STRING": password}
    finally:
        process.terminate()
        process.wait()


def wait_for(page: str) -> None:
    """Waits until a page answers."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urlopen(page):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def print_table(rounds: list[Round]) -> None:
    """Prints the medians and the spread of each kind."""
    print("| what | median s | min | max |\n|---|---|---|---|")
    for kind, name in KINDS.items():
        values = [each[kind] for each in rounds]
        digits = 3 if kind in ("sub-flow", "task") else 2
        figures = (f"{value:.{digits}f}" for value in (median(values), min(values), max(values)))
        print(f"| {name} | {' | '.join(figures)} |")


def print_breakdown(rounds: list[Round]) -> None:
    """Prints the parts of a warm run."""
    print("\n| part of a warm run | median s |\n|---|---|")
    for name, values in {
        "start to first line of output": [r["first line"] for r in rounds],
        "Python and the other libraries": [r["libraries"] for r in rounds],
        "import of Prefect": [r["import"] - r["python"] for r in rounds],
        "the work": [r["plain"] - r["libraries"] for r in rounds],
        "exit, after the last line": [r["exit"] for r in rounds],
        "the rest: later imports of Prefect, its flows and tasks, the cache": [
            r["warm"] - r["import"] + r["python"] - r["plain"] - r["exit"] for r in rounds
        ],
    }.items():
        print(f"| {name} | {median(values):.2f} |")


def print_bounds(rounds: list[Round]) -> None:
    """Prints the bounds, and whether they are met."""
    print("\n| bound | measured | met |\n|---|---|---|")
    for name, limit, values in (
        (
            "(c) - (a) - (b) <= 1.5 s",
            1.5,
            [r["warm"] - r["import"] - r["plain"] for r in rounds],
        ),
        ("(f) <= 0.2 s", 0.2, [r["sub-flow"] for r in rounds]),
        ("(d) / (c) <= 2", 2, [r["cold"] / r["warm"] for r in rounds]),
        ("(e) / (c) <= 3", 3, [r["first"] / r["warm"] for r in rounds]),
    ):
        measured = median(values)
        print(f"| {name} | {measured:.2f} | {'yes' if measured <= limit else 'NO'} |")


if __name__ == "__main__":
    main()
