"""The program that is killed: a command line that kills itself at one of its changes of files.

Its arguments are the number of the change, counted from 0 (none if negative), the file to which the
number of changes is written at the end, the folders whose changes count (joined by colons), and the
command line.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

CHANGES = frozenset({"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.truncate"})
"""The audit events of changes; an `open` is one if it is for writing."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Counter:
    """Counts changes below some folders, and kills this process before one of them."""

    def __init__(self, folders: list[str], at: int) -> None:
        self.count = 0
        self._folders, self._at, self._lock = tuple(folders), at, threading.Lock()

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
            if self.count == self._at:
                os.kill(os.getpid(), signal.SIGKILL)
            self.count += 1


def main() -> int:
    """Runs the command line."""
    at, counted, folders, *line = sys.argv[1:]
    counter = Counter(folders.split(":"), int(at))
    sys.addaudithook(counter.hear)
    from flows.cli.main import main as run

    status = run(line)
    Path(counted).write_text(str(counter.count), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
