"""The program that is killed: a command line that something happens to.

Its arguments are a JSON object, for `Fate`, and the command line. The number of changes of files is
written to the file that the fate names, if the command ends.
"""

import errno
import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHANGES = frozenset({"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.truncate"})
"""The audit events of changes; an `open` is one if it is for writing."""
NEED_SPACE = ("open", "os.mkdir")
"""The changes that a full disk does not allow."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Fate:
    """What happens to a command.

    Attributes:
        folders: The folders whose changes count.
        counted: The file for the number of changes.
        at: The change, counted from 0, at which something happens; nothing does if None.
        error: The number of the system error that this change and all later ones fail with; the
            process is killed if None.
        clock: By how many seconds the clock is changed.
        lock_seconds: After how long the lock of a dead process in an object store is free.
    """

    folders: tuple[str, ...]
    counted: str
    at: int | None = None
    error: int | None = None
    clock: float = 0.0
    lock_seconds: float | None = None


class Changes:
    """Counts changes of files, and lets one be the last."""

    def __init__(self, fate: Fate) -> None:
        self.count = 0
        self._fate, self._folders, self._lock = fate, tuple(fate.folders), threading.Lock()

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Takes what Python says of its operations on files."""
        is_change = event in CHANGES or (event == "open" and (arguments[2] or 0) & WRITING)
        if not is_change or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        path = os.fsdecode(arguments[0])
        # `rmtree` gives names relative to an open folder.
        if path.startswith("/") and not path.startswith(self._folders):
            return
        with self._lock:
            self.count += 1
            if self._fate.at is None or self.count <= self._fate.at:
                return
        if self._fate.error == errno.ENOSPC and event not in NEED_SPACE:
            return
        if self._fate.error is None:
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            raise OSError(self._fate.error, os.strerror(self._fate.error), path)


def change_clock(seconds: float) -> None:
    """Changes what Python takes for the time."""
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() + seconds
    time.time_ns = lambda: now_ns() + int(seconds * 1e9)


def main() -> int:
    """Runs the command line."""
    fate = Fate(**json.loads(sys.argv[1]))
    if fate.clock:
        change_clock(fate.clock)
    if fate.lock_seconds:
        from churnlib.io import locks

        locks.ABANDONED_AFTER = fate.lock_seconds
    changes = Changes(fate)
    sys.addaudithook(changes.hear)
    from flows.cli.main import main as run

    status = run(sys.argv[2:])
    if fate.error is None:
        Path(fate.counted).write_text(str(changes.count), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
