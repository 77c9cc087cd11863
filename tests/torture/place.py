"""A place to run commands in: a data folder, Prefect's home, results and temporary files."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from churnlib.io.leftovers import find_leftovers
from churnlib.io.temporary import ABANDONED_AFTER
from flows.engine.server import QUIET
from tests.flows.production.site import answers, free_port, spawn, stop, wait_for
from tests.flows.studio import FAST, ROOT

GAME = "game1"
LONGEST_SECONDS = 900
"""How long a command may take on a busy machine."""
FOLDERS = ("data", "results", "home", "tmp")
"""What a command can leave something in."""


@dataclass
class Place:
    """Folders that commands write to; those of a place can be kept, and put back.

    Attributes:
        folder: The folder with the others.
        url: The API of a lasting server; commands start one of their own if it is empty.
        store: Variables by which commands find their data in an object store.
        fate: What happens to all commands; see `tests.torture.victim.Fate`.
        kept: Where `keep` copies to.
    """

    folder: Path
    url: str = ""
    store: Mapping[str, str] = field(default_factory=dict)
    fate: dict[str, Any] = field(default_factory=dict)
    kept: Path = field(init=False)

    def __post_init__(self) -> None:
        self.kept = self.folder / "kept"
        for name in FOLDERS:
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of commands, which use nothing outside of the place."""
        own = {n: v for n, v in os.environ.items() if not n.startswith(("PREFECT_", "CHURN_"))}
        settings = {
            f"CHURN_{path.upper().replace('.', '__')}": str(v) for path, v in FAST[GAME].items()
        }
        return {
            **own,
            **QUIET,
            **settings,
            **({"PREFECT_API_URL": self.url} if self.url else {}),
            "PREFECT_HOME": str(self.folder / "home"),
            "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(self.folder / "results"),
            "TMPDIR": str(self.folder / "tmp"),
            "CHURN_DATA_DIR": str(self.data),
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            **self.store,
        }

    def keep(self, name: str) -> None:
        """Copies all folders of the place."""
        for folder in FOLDERS:
            shutil.copytree(self.folder / folder, self.kept / name / folder)

    def put_back(self, name: str) -> None:
        """Restores all folders; that of a lasting server only where it is not open."""
        for folder in FOLDERS:
            if folder == "home" and self.url:
                continue
            shutil.rmtree(self.folder / folder, ignore_errors=True)
            shutil.copytree(self.kept / name / folder, self.folder / folder, symlinks=True)

    def start(self, line: tuple[str, ...], **fate: Any) -> "subprocess.Popen[bytes]":
        """Starts a command that something happens to; see `tests.torture.victim.Fate`."""
        folders = [str(self.folder / name) for name in FOLDERS]
        whole = {"folders": folders, "counted": str(self.folder / "changes"), **self.fate, **fate}
        command = [sys.executable, "-m", "tests.torture.victim", json.dumps(whole), *line]
        log = self.folder / "log"
        log.write_bytes(b"")
        return spawn(command, log, self.environment, cwd=ROOT)

    def run(self, line: tuple[str, ...], **fate: Any) -> int:
        """Runs a command to its end; returns its status, negative if it was killed."""
        process = self.start(line, **fate)
        try:
            return process.wait(LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    @property
    def log(self) -> str:
        """What the last command printed."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    @property
    def changes(self) -> int:
        """The number of changes of files that the last command made, which was not killed."""
        return int((self.folder / "changes").read_text(encoding="utf-8"))

    def let_a_day_pass(self) -> None:
        """Makes what was left in shared folders look old."""
        then = time.time() - 2 * ABANDONED_AFTER
        for name in ("home", "results"):
            for path in find_leftovers(str(self.folder / name)):
                os.utime(path, (then, then))
        for scratch in (self.folder / "tmp").iterdir():
            os.utime(scratch, (then, then))


class Lasting:
    """A server that outlives commands, in the folder `server` of a place."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}/api"
        (folder / "server").mkdir(exist_ok=True)

    def __enter__(self) -> "Lasting":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        own = {n: v for n, v in os.environ.items() if not n.startswith(("PREFECT_", "CHURN_"))}
        variables = {**own, **QUIET, "PREFECT_HOME": str(self._folder / "server")}
        line = ["-m", "prefect", "server", "start", "--host", "127.0.0.1"]
        command = [sys.executable, *line, "--port", str(self._port)]
        self._process = spawn(command, self._folder / "server.log", variables, cwd=ROOT)
        wait_for(lambda: answers(f"{self.url}/health"), "the server")

    def stop(self) -> None:
        """Ends it."""
        process, self._process = self._process, None
        if process:
            stop(process)


def kill(process: "subprocess.Popen[bytes]", others: list[int]) -> None:
    """Kills a process and others, as the end of a machine would."""
    for pid in (process.pid, *others):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
