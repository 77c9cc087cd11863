"""The server that a run starts for itself, seen from outside its process."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from urllib.request import urlopen

import pytest
from filelock import FileLock
from prefect.settings import Settings

from churnlib.errors import ServerError
from flows.engine.server import (
    LOG_BYTES,
    LocalServer,
    _start_new_log,
    is_configured,
    local_server,
)
from tests.flows.engine.answers import answering
from tests.variants import slow_but

PATIENCE = 120
"""Seconds that a server may take to come up or to end on a busy machine."""

ADDRESS = "print(server.pid, os.environ['PREFECT_API_URL'], flush=True)"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for Prefect and an empty working folder; no server is configured."""
    for name in ("PREFECT_API_URL", "PREFECT_PROFILES_PATH", "PREFECT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def configured(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a configured server, which only answers that it is there."""
    with answering(b"true") as url:
        monkeypatch.setenv("PREFECT_API_URL", url)
        yield url


@pytest.fixture
def start(home: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a program that runs its body with a local server; ends it after the test."""
    started: list[subprocess.Popen[str]] = []

    def run(body: str) -> subprocess.Popen[str]:
        head = "import os, time\nfrom flows.engine.server import local_server\n"
        program = f"{head}with local_server() as server:\n{indented(body)}"
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", program]
        started.append(subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def indented(body: str) -> str:
    """Puts a block into a `with`."""
    return "".join(f"    {line}\n" for line in dedent(body).strip().splitlines())


def address(process: subprocess.Popen[str]) -> tuple[str, int]:
    """Reads the server's process id and port from what `ADDRESS` printed."""
    assert process.stdout is not None
    pid, url = process.stdout.readline().split()
    return pid, int(url.removesuffix("/api").rpartition(":")[2])


def eventually(condition: Callable[[], bool]) -> bool:
    """Waits for a condition."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and not condition():
        time.sleep(0.05)
    return condition()


def is_closed(port: int) -> bool:
    """Tells whether nothing listens; the server does so from its start to its end."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.slow
def test_local_server_records_the_run_and_ends_with_it(
    prefect_server: Path, home: Path, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    shutil.copy(prefect_server, home / "prefect.db")
    process = start(f"""
        {ADDRESS}
        from prefect import flow, task
        from prefect.settings import get_current_settings

        @task
        def add(x): return x + 1

        @flow
        def good(): add(add(1))

        @flow
        def bad():
            add.submit(1).wait()
            raise ValueError("bad luck")

        server.wait()
        assert get_current_settings().flows.heartbeat_frequency is None
        good()
        bad()
        """)
    with FileLock(home / "local-server.lock"):
        pid, port = address(process)
        # Another run creates the database: this one's server waits for it.
        assert eventually(lambda: has_loaded_sqlite(pid))
        time.sleep(2)
        with pytest.raises(TimeoutError):
            urlopen(f"http://127.0.0.1:{port}/api/health", timeout=3)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "ValueError: bad luck" in errors
    assert is_closed(port)
    with closing(sqlite3.connect(home / "prefect.db")) as database:
        flows = database.execute("SELECT state_name FROM flow_run ORDER BY start_time").fetchall()
        tasks = database.execute("SELECT state_name FROM task_run").fetchall()
        (logs,) = database.execute("SELECT count(*) FROM log").fetchone()
    assert flows == [("Completed",), ("Failed",)]
    assert tasks == 3 * [("Completed",)]
    assert logs > 0


def has_loaded_sqlite(pid: str) -> bool:
    """Whether a server has imported what it needs to create its database."""
    return "_sqlite3" in Path(f"/proc/{pid}/maps").read_text()


def test_local_server_ends_with_a_killed_run(
    start: Callable[[str], subprocess.Popen[str]],
) -> None:
    process = start(f"{ADDRESS}\ntime.sleep({PATIENCE})")
    _, port = address(process)
    assert not is_closed(port)
    process.kill()
    assert eventually(lambda: is_closed(port))


def test_local_server_ends_with_a_failed_or_interrupted_run(home: Path) -> None:
    with pytest.raises(KeyboardInterrupt), local_server() as server:
        port = int(os.environ["PREFECT_API_URL"].removesuffix("/api").rpartition(":")[2])
        assert not is_closed(port)
        raise KeyboardInterrupt
    assert is_closed(port)
    assert server.pid is None
    assert "PREFECT_API_URL" not in os.environ


def test_local_server_that_does_not_start_shows_its_log(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_API_PORT", "no number")
    server = LocalServer()
    server.start()
    with pytest.raises(ServerError, match=r"(?s)local-server\.log:.*no number"):
        server.wait()
    server.stop()
    assert server.pid is None


def test_local_server_does_nothing_where_one_is_configured(configured: str) -> None:
    with local_server() as server:
        server.wait()
        assert server.pid is None
    assert os.environ["PREFECT_API_URL"] == configured


@pytest.mark.parametrize(
    ("asked", "expected"), slow_but((None, "None"), of=[(None, "None"), ("60", "60")])
)
def test_local_server_keeps_configured_heartbeats(
    start: Callable[[str], subprocess.Popen[str]],
    configured: str,
    monkeypatch: pytest.MonkeyPatch,
    asked: str | None,
    expected: str,
) -> None:
    if asked:
        monkeypatch.setenv("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", asked)
    process = start("""
        server.wait()
        from prefect.settings import get_current_settings
        print(get_current_settings().flows.heartbeat_frequency)
        server.stop()
        print(get_current_settings().flows.heartbeat_frequency)
        """)
    said, errors = process.communicate(timeout=PATIENCE)
    assert said.split() == [expected, asked or "180"], errors


URL = '"http://127.0.0.1:4200/api"'
PROFILES = f'active = "office"\n[profiles.office]\nPREFECT_API_URL = {URL}\n[profiles.alone]\n'


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("prefect.toml", f"[api]\nurl = {URL}\n", True),
        ("pyproject.toml", f"[tool.prefect.api]\nurl = {URL}\n", True),
        (".env", f"export PREFECT_API_URL={URL}\n", True),
        ("../home/profiles.toml", PROFILES, True),
        ("../home/profiles.toml", PROFILES.replace("office", "alone", 1), False),
        ("../home/profiles.toml", "no toml", False),
        ("prefect.toml", "[api]\n[logging]\nlevel = 'DEBUG'\n", False),
        (".env", f"# PREFECT_API_URL={URL}\n", False),
    ],
)
@pytest.mark.filterwarnings("ignore:Failed to load profiles")
def test_is_configured_looks_where_prefect_does(
    home: Path, file: str, text: str, expected: bool
) -> None:
    assert not is_configured()
    Path(file).write_text(text)
    assert is_configured() == expected
    assert ("4200" in str(Settings().api.url)) == expected


@pytest.mark.slow
def test_local_server_removes_runs_after_90_days(
    prefect_server: Path, home: Path, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    shutil.copy(prefect_server, home / "prefect.db")
    flow, run = str(uuid.uuid4()), "INSERT INTO flow_run (name, flow_id, state_type, end_time) "
    with closing(sqlite3.connect(home / "prefect.db")) as database:
        database.execute("INSERT INTO flow (id, name) VALUES (?, 'train')", (flow,))
        for name, days in (("young", 80), ("old", 100)):
            when = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S.%f")
            database.execute(run + "VALUES (?, ?, 'COMPLETED', ?)", (name, flow, when))
        database.commit()

    def names() -> list[tuple[str]]:
        with closing(sqlite3.connect(home / "prefect.db", timeout=PATIENCE)) as database:
            return database.execute("SELECT name FROM flow_run").fetchall()

    assert sorted(names()) == [("old",), ("young",)]
    start("server.wait()\ntime.sleep(300)")
    assert eventually(lambda: names() == [("young",)])


def test_log_of_the_local_server_starts_anew_when_it_is_long(home: Path) -> None:
    log = home / "local-server.log"
    _start_new_log(log)
    assert not log.exists()
    for text, kept in (("short", []), ("x" * (LOG_BYTES + 1), ["local-server.log.1"])):
        log.write_text(text)
        _start_new_log(log)
        assert sorted(path.name for path in home.iterdir() if path.name != log.name) == kept
    assert not log.exists()
    assert (home / "local-server.log.1").stat().st_size == LOG_BYTES + 1
