"""The program of a run that a process worker starts: Prefect's engine, and a watcher beside it.

A worker that is stopped kills the processes of its runs, so that they cannot report their end. The
watcher does that for them, so that the run does not block its game's queue.

Only the standard library is imported: this process becomes Prefect's engine.
"""

import os
import subprocess
import sys
from pathlib import Path

WATCHER = Path(__file__).with_name("run_watcher.py")
"""The program of the watcher."""
ENGINE = "prefect.engine"
RUN = "PREFECT__FLOW_RUN_ID"
"""The variable in which a worker states the run."""


def main() -> None:
    """Starts the watcher, and becomes Prefect's engine."""
    watcher = subprocess.Popen(
        # -P: do not import from the folder of the program.
        [sys.executable, "-P", WATCHER, os.environ[RUN], str(os.getppid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert watcher.stdin is not None
    # The engine keeps it open, and never writes to it: end of file means that the engine has ended.
    os.set_inheritable(watcher.stdin.fileno(), True)
    os.execv(sys.executable, [sys.executable, "-m", ENGINE])


if __name__ == "__main__":
    main()
