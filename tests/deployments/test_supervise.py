"""The first process of a worker's container."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.flows.studio import ROOT

PROGRAM = ROOT / "deployments" / "supervise.py"
LEFT_BEHIND = """
import subprocess, sys, time
late = "import time; time.sleep(1.5); open(sys.argv[1], 'w')"
subprocess.Popen([sys.executable, "-c", f"import sys; {late}", sys.argv[1]], start_new_session=True)
"""


def supervise(*command: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, str(PROGRAM), *command])


def test_supervisor_has_the_exit_status_of_its_command() -> None:
    assert supervise(sys.executable, "-c", "raise SystemExit(7)").wait(30) == 7


def test_supervisor_waits_for_what_its_command_left_behind(tmp_path: Path) -> None:
    written = tmp_path / "written"
    started = time.monotonic()
    assert supervise(sys.executable, "-c", LEFT_BEHIND, str(written)).wait(30) == 0
    assert written.exists()
    assert time.monotonic() - started > 1


def test_supervisor_passes_on_the_signal_that_ends_it(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    program = f"import time; open({str(ready)!r}, 'w'); time.sleep(60)"
    process = supervise(sys.executable, "-c", program)
    while not ready.exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
