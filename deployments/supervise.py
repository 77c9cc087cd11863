"""The first process of a worker's container: `python supervise.py COMMAND...`.

Runs a command, passes on the signals that end it, and exits only once all processes that it left
behind have ended: those report the runs that the worker has killed. Only the standard library is
imported.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

PR_SET_CHILD_SUBREAPER = 36


def supervise(command: Sequence[str]) -> int:
    """Runs a command until it and all that it started have ended; returns its exit status.

    Args:
        command: The command line.
    """
    # Also below another first process, such as Docker's own.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    process = subprocess.Popen(command)

    def pass_on(number: int, _: FrameType | None) -> None:
        os.kill(process.pid, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    status = 0
    while True:
        try:
            ended, wait_status = os.wait()
        except ChildProcessError:
            return status
        if ended == process.pid:
            code = os.waitstatus_to_exitcode(wait_status)
            status = code if code >= 0 else 128 - code
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(supervise(sys.argv[1:]))
