"""Runs a process and returns its time and memory, as measured by the system."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.start_up import ROOT, clean_environment

MIB = 1024


@dataclass(frozen=True)
class Ended:
    """A finished process.

    Attributes:
        status: Its exit status; negative for the signal that ended it.
        output: Its standard output.
        errors: Its standard error.
        wall: Wall seconds.
        cpu: CPU seconds, user and system, including its children.
        memory: Its peak memory, in MiB.
    """

    status: int
    output: str
    errors: str
    wall: float
    cpu: float
    memory: float


def run(*arguments: str, home: Path, environment: Mapping[str, str] | None = None) -> Ended:
    """Runs Python.

    The system reports at least the memory of the parent process, so this module and its callers
    must not import large libraries.

    Args:
        arguments: The arguments of `python`.
        home: Prefect's home, so that the user's own is not used.
        environment: Further environment variables.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**clean_environment(), "PREFECT_HOME": str(home), **(environment or {})},
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
