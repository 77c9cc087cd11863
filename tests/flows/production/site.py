"""A place of production: a database, a Prefect server, all deployments, and a worker."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from flows.engine.server import QUIET
from flows.engine.server_access import AUTH, PROFILE, look_up
from tests.flows.studio import ROOT

PATIENCE_SECONDS = 240
"""How long to wait for what must come."""
SILENT_SECONDS = 90
"""How long a run may show no sign of life, here."""
EAGER = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
    "PREFECT_SERVER_SERVICES_TRIGGERS_PG_NOTIFY_RECONNECT_INTERVAL_SECONDS": "2",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    # As pyproject.toml has it for servers started in the project's folder.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "1000",
}
"""Settings that make a server and a worker look more often, so that a test waits less."""


@dataclass
class Site:
    """Where deployed flows run.

    Attributes:
        folder: Prefect's home, logs and the folder that the worker is started in.
        url: The server's API.
        password: Its user and password.
        variables: What all processes have in their environment.
        worker: The worker's process, if it runs.
        server: The server's process.
    """

    folder: Path
    url: str
    password: str
    variables: Mapping[str, str]
    worker: "subprocess.Popen[bytes] | None" = field(default=None)
    server: "subprocess.Popen[bytes] | None" = field(default=None)

    def prefect(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Types a command of Prefect, in the project's folder."""
        return self.python("-m", "prefect", "--no-prompt", *arguments)

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Types a command of Python, in the project's folder."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def must(self, *arguments: str) -> str:
        """Types a command of Prefect that must succeed; returns what it prints."""
        done = self.prefect(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start_worker(self, data: Path, **more: str) -> None:
        """Starts a worker in another folder than the project's, by whose runs `data` is used."""
        self.worker = spawn(
            [sys.executable, "-m", "prefect", "worker", "start", "--pool", "churn"],
            self.folder / "worker.log",
            {**self.variables, "CHURN_DATA_DIR": str(data), **more},
            cwd=self.folder,
        )

    def stop_worker(self) -> None:
        """Ends the worker as a person would."""
        if self.worker:
            stop(self.worker)
            self.worker = None

    def terminate_worker(self) -> None:
        """Ends the worker by SIGTERM, as the end of its machine or an upgrade does."""
        assert self.worker
        self.worker.terminate()
        self.worker.wait(60)
        self.worker = None

    def kill_worker(self) -> None:
        """Ends the worker and all its runs at once, as the end of their machine would."""
        assert self.worker
        for pid in [self.worker.pid, *descendants(self.worker.pid)]:
            os.kill(pid, signal.SIGKILL)
        self.worker.wait()
        self.worker = None

    def start_server(self) -> None:
        """Starts the server, and waits until it answers."""
        port = self.url.removesuffix("/api").rpartition(":")[2]
        command = [sys.executable, "-m", "flows", "server", "--port", port]
        self.server = spawn(command, self.folder / "server.log", self.variables, cwd=self.folder)
        wait_for(lambda: answers(f"{self.url}/health"), "the server")

    def stop_server(self) -> None:
        """Ends the server."""
        if self.server:
            stop(self.server)
            self.server = None

    def ask(self, path: str, **query: Any) -> Any:
        """Asks the server's API."""
        answer = httpx.post(
            f"{self.url}{path}", json=query, timeout=PATIENCE_SECONDS, auth=self._auth
        )
        answer.raise_for_status()
        return answer.json()

    def runs(self, deployment: str) -> list[dict[str, Any]]:
        """The runs of a deployment, newest first."""
        flow, _, name = deployment.partition("/")
        flow_runs: list[dict[str, Any]] = self.ask(
            "/flow_runs/filter",
            flows={"name": {"any_": [flow]}},
            deployments={"name": {"any_": [name]}},
            sort="START_TIME_DESC",
        )
        return flow_runs

    def parts(self, run: str) -> list[dict[str, Any]]:
        """The runs of the flows that a run has called."""
        sub_flows: list[dict[str, Any]] = self.ask(
            "/flow_runs/filter", flow_runs={"parent_flow_run_id": {"any_": [run]}}
        )
        return sub_flows

    def state(self, run: str) -> str:
        """The name of a run's state."""
        answer = httpx.get(f"{self.url}/flow_runs/{run}", timeout=PATIENCE_SECONDS, auth=self._auth)
        return str(answer.json()["state"]["name"])

    @property
    def _auth(self) -> tuple[str, str]:
        user, _, password = self.password.partition(":")
        return user, password

    def log(self, run: str) -> str:
        """The logs of a run and its parts."""
        ids = [run, *(part["id"] for part in self.parts(run))]
        lines = self.ask("/logs/filter", logs={"flow_run_id": {"any_": ids}}, sort="TIMESTAMP_ASC")
        return "\n".join(line["message"] for line in lines)

    def start_run(self, deployment: str, **parameters: Any) -> str:
        """Starts a run of a deployment; returns its id."""
        output = self.must("deployment", "run", deployment, "--params", json.dumps(parameters))
        match = re.search(r"UUID: ([0-9a-f-]{36})", output)
        assert match, output
        return match[1]

    def task_runs(self, run: str, task: str) -> list[dict[str, Any]]:
        """The runs of a task in a run and its parts."""
        ids = [run, *(part["id"] for part in self.parts(run))]
        runs_of_task: list[dict[str, Any]] = self.ask(
            "/task_runs/filter",
            flow_runs={"id": {"any_": ids}},
            task_runs={"name": {"like_": task}},
        )
        return runs_of_task


@contextmanager
def site(folder: Path, database: str | None, **more: str) -> Iterator[Site]:
    """A server over a database, with this project deployed to it.

    Args:
        folder: An empty folder.
        database: The address of a PostgreSQL database; SQLite in Prefect's home if None.
        more: Further variables of all processes.
    """
    home = folder / "home"
    home.mkdir()
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    own = {n: v for n, v in os.environ.items() if not n.startswith(("PREFECT_", "CHURN_"))}
    # All programs find the server by the profile that it writes.
    profile = {"PREFECT_HOME": str(home), "PREFECT_PROFILE": PROFILE}
    variables = {**own, **QUIET, **EAGER, **profile, **more}
    if database:
        variables["PREFECT_API_DATABASE_CONNECTION_URL"] = database
    started = Site(folder, url, "", variables)
    try:
        started.start_server()
        started.password = look_up(home / "profiles.toml", "profiles", PROFILE, AUTH)
        applied = started.python("-m", "deployments.apply", f"--silent-seconds={SILENT_SECONDS}")
        assert applied.returncode == 0, applied.stdout + applied.stderr
        yield started
    finally:
        started.stop_worker()
        started.stop_server()


@contextmanager
def postgres(programs: Path, log: Path, password: str = "") -> Iterator[str]:
    """A PostgreSQL server of its own; yields its address, without a password.

    Args:
        programs: The folder of initdb and postgres.
        log: Where its words go.
        password: What it asks for; nothing if empty.
    """
    port = free_port()
    user = "postgres" if os.geteuid() == 0 else None  # It refuses to run as root.
    with TemporaryDirectory(prefix="churn-postgres-") as folder:
        Path(folder, "password").write_text(password)
        if user:
            shutil.chown(folder, user)
            shutil.chown(f"{folder}/password", user)
        options = ["--username", "prefect", "--encoding", "UTF8", "--no-sync", "--auth"]
        options += ["scram-sha-256", "--pwfile", f"{folder}/password"] if password else ["trust"]
        subprocess.run(
            [programs / "initdb", "--pgdata", f"{folder}/data", *options],
            check=True, capture_output=True, cwd=folder, user=user,
        )  # fmt: skip
        settings = (f"port={port}", f"unix_socket_directories={folder}", "fsync=off",
                    "listen_addresses=127.0.0.1", "max_connections=200")  # fmt: skip
        command = [str(programs / "postgres"), "-D", f"{folder}/data"]
        command += [word for setting in settings for word in ("-c", setting)]
        server = spawn(command, log, os.environ, cwd=Path(folder), user=user)
        try:
            wait_for(lambda: is_open(port), "PostgreSQL")
            yield f"postgresql+asyncpg://prefect@127.0.0.1:{port}/postgres"
        finally:
            stop(server)


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's programs; None where they are not installed."""
    folders = [Path(path).resolve() for path in [shutil.which("initdb")] if path]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return folders[-1].parent if folders else None


def spawn(
    command: list[str],
    log: Path,
    environment: Mapping[str, str],
    cwd: Path,
    user: str | None = None,
) -> "subprocess.Popen[bytes]":
    """Starts a process in a session of its own, with its words in a file."""
    with log.open("ab") as file:
        return subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=file, stderr=file,
            stdin=subprocess.DEVNULL, start_new_session=True, user=user,
        )  # fmt: skip


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Ends a process as Ctrl-C would, and by force where that does not help."""
    below = descendants(process.pid)
    process.send_signal(signal.SIGINT)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in below:
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    listed = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    parent_of = {int(child): int(parent) for child, parent in map(str.split, listed.splitlines())}
    processes = [pid]
    for one in processes:
        processes += [child for child, parent in parent_of.items() if parent == one]
    return processes[1:]


def wait_for(condition: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """Waits until a condition holds; returns what it returned."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(0.5)
    return result


def answers(url: str) -> bool:
    """Tells whether a page is there."""
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def is_open(port: int) -> bool:
    """Tells whether someone listens."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
