"""Runs a process to its end and tells what it took, as the system counted it."""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.start_up import ROOT, clean_environment

MIB = 1024


@dataclass(frozen=True)
class Ended:
    """A process that ran to its end.

    Attributes:
        status: Its exit status; less than 0 for the signal that ended it.
        output: What it printed.
        errors: What it said besides.
        wall: Seconds from start to end.
        cpu: CPU seconds, user and system, its children's too.
        memory: The most that it had in memory at once, in MiB.
    """

    status: int
    output: str
    errors: str
    wall: float
    cpu: float
    memory: float


def run(*arguments: str, home: Path) -> Ended:
    """Runs Python.

    The memory of a process is never told as less than that of the one which started it: so this
    module, and who uses it, must import nothing large.

    Args:
        arguments: What follows `python`.
        home: Prefect's home, so that nobody's own is read or written.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=clean_environment() | {"PREFECT_HOME": str(home)},
            stdout=output,
            stderr=errors,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        return Ended(
            process.returncode,
            output.read(),
            errors.read(),
            wall,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss / MIB,
        )
