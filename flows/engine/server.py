"""A temporary Prefect server for one run, used if none is configured.

Only the standard library is imported here, so that the server can start while the caller imports
other modules.
"""

import http.client
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from churnlib.errors import ServerError
from flows.engine.prefect_home import check_answers, check_database, check_home, prefect_home
from flows.engine.server_access import (
    AUTH,
    URL,
    access_settings,
    look_up,
    new_password,
    profiles_file,
)

PROGRAM = Path(__file__).with_name("server_program.py")
"""The program that the server runs."""
START_SECONDS = 120
"""Time limit for the server to start; the first one of a home creates its database."""
STOP_SECONDS = 15
"""Time limit for the server to write what it has received, before it is killed."""

LOG_BYTES = 2**20
"""The size from which a server starts a new log; the one before it is kept beside it."""

QUIET = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
RETENTION = {"PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs"}
"""Lets servers remove old runs, and not only old events, after the time that Prefect's settings
state: 90 days, unless `PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD` has other seconds."""
SERVER_ENVIRONMENT = {
    **QUIET,
    **RETENTION,
    # As Prefect's own temporary server: no scheduler, no services for other runs, no UI.
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    # Otherwise it imports the installed integrations, such as Kubernetes, to see if they changed.
    "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
    # Task events written one by one lock SQLite, and the next flow run waits for two seconds.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
}


def is_configured() -> bool:
    """Whether a server is configured: by environment, settings file or active profile."""
    if os.environ.get("PREFECT_API_URL"):
        return True
    with suppress(OSError):
        if re.search(r"^\s*(export\s+)?PREFECT_API_URL\s*=\s*\S", Path(".env").read_text(), re.M):
            return True
    profiles = profiles_file()
    profile = os.environ.get("PREFECT_PROFILE") or look_up(profiles, "active")
    return bool(
        look_up(Path("prefect.toml"), "api", "url")
        or look_up(Path("pyproject.toml"), "tool", "prefect", "api", "url")
        or look_up(profiles, "profiles", profile, "PREFECT_API_URL")
    )


class LocalServer:
    """A server of this process, on 127.0.0.1 and a free port, over the database of Prefect's home.

    It has a password of its own, which this process and its children know. Runs stay recorded:
    `churn server` shows them later.
    """

    def __init__(self) -> None:
        """Creates the object; `start` starts the server."""
        self._process: subprocess.Popen[bytes] | None = None
        self._settings = ExitStack()
        self._url = self._password = ""
        self._environment: dict[str, str | None] = {}
        self._log = prefect_home() / "local-server.log"
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """The process id of the server; None if this object runs none."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts the server and returns at once; does nothing if one is configured.

        Raises:
            ServerError: Prefect's home or its database cannot be used.
        """
        os.environ.update({name: os.environ.get(name, QUIET[name]) for name in QUIET})
        check_home()
        if is_configured():
            return
        check_database()
        if not (prefect_home() / "prefect.db").exists():
            print("first run: Prefect creates its database, which takes a while", file=sys.stderr)
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        self._url, self._password = f"http://127.0.0.1:{port}/api", new_password()
        _start_new_log(self._log)
        with listener, self._log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                # -P: do not import from the folder of the program.
                [sys.executable, "-P", PROGRAM, str(listener.fileno()), prefect_home()],
                env={
                    **SERVER_ENVIRONMENT,
                    **os.environ,
                    **access_settings(port, self._password),
                },
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
        self._environment = {name: os.environ.get(name) for name in (URL, AUTH)}
        os.environ.update({URL: self._url, AUTH: self._password})

    def wait(self) -> None:
        """Waits until the server answers, and prepares this process's Prefect for its runs.

        Raises:
            ServerError: It did not start, or the one that is configured does not answer.
        """
        if self._process is not None:
            self._wait_for(self._process)

        from prefect.settings import (
            PREFECT_API_AUTH_STRING,
            PREFECT_API_KEY,
            PREFECT_API_URL,
            PREFECT_CLIENT_CSRF_SUPPORT_ENABLED,
            PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED,
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
            PREFECT_UI_URL,
            temporary_settings,
        )

        own: dict[Any, Any] = {}
        if self._process is None:
            if url := PREFECT_API_URL.value():
                has_key = bool(PREFECT_API_KEY.value())  # Prefect Cloud asks for one.
                check_answers(url, None if has_key else PREFECT_API_AUTH_STRING.value() or "")
        else:
            own = {
                # Needed if Prefect was imported before.
                PREFECT_API_URL: self._url,
                PREFECT_API_AUTH_STRING: self._password,
                PREFECT_UI_URL: "",  # It has no UI to link to.
                # Requests that it would only answer with what is known.
                PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: False,
                PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED: False,
            }
        # Heartbeats detect crashed runs of workers. Here they would only delay the end of each
        # flow, by up to a second; a frequency that the user has set is kept.
        defaults = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
        self._settings.enter_context(temporary_settings(own, set_defaults=defaults))

    def _wait_for(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers(deadline - time.monotonic()):
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServerError(self._not_started(process))
            time.sleep(0.05)

    def _not_started(self, process: "subprocess.Popen[bytes]") -> str:
        tail = self._tail()
        if process.poll() is None and not tail:
            return (
                f"Prefect's server did not start within {START_SECONDS} seconds: the machine may "
                "be busy. Run the command again, or start a lasting server first (`churn server`)"
            )
        return f"Prefect's server did not start. The end of {self._log}:\n{tail}"

    def _tail(self) -> str:
        """The last error in the log, without its traceback; if there is none, the last lines."""
        written = self._log.read_bytes()[self._log_start :].decode(errors="replace")
        lines = written.splitlines()
        errors = [n for n, line in enumerate(lines) if re.match(r"[\w.]+(Error|Exception)\b", line)]
        return "\n".join(lines[errors[-1] :] if errors else lines[-10:])

    def _answers(self, seconds: float) -> bool:
        host, port = self._url.removeprefix("http://").removesuffix("/api").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=max(seconds, 0.1))
        try:
            # The socket is listening already, so the request waits until the server answers.
            connection.request("GET", "/api/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        """Sends the last logs and events, then stops the server."""
        process, self._process = self._process, None
        if process is None:
            self._settings.close()
            return
        try:
            if process.poll() is None and "prefect.main" in sys.modules:
                _drain()
        finally:
            self._settings.close()
            for name, value in self._environment.items():
                os.environ.pop(name, None)
                os.environ.update({name: value} if value is not None else {})
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin:
                process.stdin.close()


def _start_new_log(log: Path) -> None:
    with suppress(OSError):  # No log yet.
        if log.stat().st_size > LOG_BYTES:
            log.replace(log.with_name(f"{log.name}.1"))


@contextmanager
def local_server() -> Iterator[LocalServer]:
    """Starts a server for the duration of the block, if none is configured.

    The block imports its modules and then calls `wait()` before the first flow.
    """
    server = LocalServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _drain() -> None:
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    EventsWorker.drain_all(timeout=STOP_SECONDS)
    APILogWorker.drain_all(timeout=STOP_SECONDS)
