"""Many command lines at once: beside one server, and each beside its own in an empty home."""

import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from benchmarks.start_up import clean_environment, lasting_server
from churnlib.synthesis import STANDARD
from flows import COMPOSITES, FLOWS
from flows.engine.server_access import AUTH, URL
from tests.flows.studio import ROOT, Studio

PATIENCE = 240
"""Seconds that all may take."""

PARTS = {
    flow: ("standard-features", flow.replace("_", "-")) if flow in COMPOSITES else ()
    for flow in FLOWS
}
"""The sub-flows of each command line; only composites have some."""


@pytest.fixture
def server(prefect_server: Path, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """A lasting server on SQLite, with all its services, over a database without runs."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(prefect_server, home / "prefect.db")
    with lasting_server(home) as access:
        yield access


@pytest.fixture
def complete_games(studio: Studio) -> Studio:
    """A data folder in which every flow of both games has run."""
    for game in STANDARD:
        studio.take_through(game)
    return studio


def at_once(commands: list[list[str]], **environment: str) -> list[tuple[int, str]]:
    """Runs commands concurrently; returns the status and the output of each."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=clean_environment() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command in commands
    ]
    try:
        outputs = [process.communicate(timeout=PATIENCE)[0] for process in running]
    finally:
        for process in running:
            process.kill()
    return [(process.returncode, text) for process, text in zip(running, outputs, strict=True)]


def flow_runs(server: Mapping[str, str]) -> Counter[tuple[str, str, bool]]:
    """Counts what a server knows: flow, name of the state, and whether it is part of another."""
    access = {PREFECT_API_URL: server[URL], PREFECT_API_AUTH_STRING: server[AUTH]}
    with temporary_settings(access), get_client(sync_client=True) as client:
        names = {flow.id: flow.name for flow in client.read_flows()}
        runs = client.read_flow_runs(limit=200)
    return Counter(
        (names[run.flow_id], run.state_name or "", run.parent_task_run_id is not None)
        for run in runs
    )


@pytest.mark.slow
def test_ten_flows_at_once_against_one_server_on_sqlite_complete(
    complete_games: Studio, server: Mapping[str, str], tmp_path: Path
) -> None:
    commands, expected = [], Counter[tuple[str, str, bool]]()
    for flow, parts in PARTS.items():
        for game in STANDARD:
            data = tmp_path / flow / game
            shutil.copytree(complete_games.data, data)
            studio = Studio(data, complete_games.pristine)
            commands.append([f"flows.{flow}", *studio.arguments(game, "--from-raw", "--refresh")])
            name = flow.replace("_", "-") + ("-from-raw" if parts else "")
            expected[name, "Completed", False] += 1
            expected.update((part, "Completed", True) for part in parts)
    ended = at_once(commands, PREFECT_HOME=str(tmp_path / "clients"), **server)
    assert [output for status, output in ended if status] == []
    assert expected.total() == 10 + 12
    assert flow_runs(server) == expected


@pytest.mark.slow
def test_two_first_runs_at_once_in_an_empty_home_complete(pristine: Path, tmp_path: Path) -> None:
    studios = {game: Studio(tmp_path / game, pristine) for game in STANDARD}
    for studio in studios.values():
        studio.restore()
    commands = [["flows.standard_features", *s.arguments(game)] for game, s in studios.items()]
    ended = at_once(commands, PREFECT_HOME=str(tmp_path / "home"))
    assert [output for status, output in ended if status] == []
    with closing(sqlite3.connect(tmp_path / "home" / "prefect.db")) as database:
        states = database.execute("SELECT state_name FROM flow_run").fetchall()
    assert states == 2 * [("Completed",)]
