"""The permanent server: who gets in, and how commands and people find the password."""

import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.start_up import clean_environment, wait_for
from flows.cli.exit_status import DONE, USERS_FAULT
from flows.cli.main import main
from flows.engine.server_access import AUTH, PROFILE, URL, look_up
from tests.chromium import CHROMIUM
from tests.flows.studio import ROOT, Studio

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@dataclass
class Running:
    """A permanent server that runs.

    Attributes:
        process: Its process.
        home: Prefect's home.
        port: Its port.
    """

    process: "subprocess.Popen[str]"
    home: Path
    port: int

    @property
    def password(self) -> str:
        """Its user and password."""
        return str(look_up(self.home / "profiles.toml", "profiles", PROFILE, AUTH))

    def type(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Types a command of Python in another shell."""
        return subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env={**clean_environment(), "PREFECT_HOME": str(self.home), **variables},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def running(prefect_server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("home")
    shutil.copy(prefect_server, home / "prefect.db")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows", "server", "--port", str(port)],
        cwd=ROOT,
        env=clean_environment() | {"PREFECT_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/api/health")
        yield Running(process, home, port)
    finally:
        process.kill()
        process.communicate()


def test_port_in_use_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["server", "--port", str(port)]) == USERS_FAULT
    assert f"port {port} of 127.0.0.1 cannot be used: Address already in use" in (
        capsys.readouterr().err
    )


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_page_asks_for_the_password(running: Running, browser: "Browser") -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{running.port}/")
        field = page.locator("input[type=password]")
        field.wait_for()
        field.fill(running.password)
        field.press("Enter")
        page.get_by_text("Logout").first.wait_for()
        page.get_by_text("Run a task or flow to get started").first.wait_for()


@pytest.mark.slow
def test_commands_find_the_server_and_its_password_by_the_profile(
    running: Running, empty_studio: Studio
) -> None:
    line = ("-m", "flows.standard_features", *empty_studio.arguments("game1"))
    ours, theirs, apply = line, ("-m", "prefect", "work-pool", "ls"), ("-m", "deployments.apply")
    known = {"PREFECT_PROFILE": PROFILE}
    assert (running.type(*apply, **known)).returncode == DONE
    assert "churn" in running.type(*theirs, **known).stdout
    done = running.type(*ours, **known)
    assert done.returncode == DONE, done.stderr
    assert "1" in running.type("-m", "prefect", "flow-run", "ls", **known).stdout
    # Without it, a message says what to do.
    unknown = {URL: f"http://127.0.0.1:{running.port}/api"}
    for command in (ours, apply):
        refused = running.type(*command, **unknown)
        assert refused.returncode == USERS_FAULT
        assert "set PREFECT_PROFILE=churn in place of PREFECT_API_URL" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert running.type(*theirs, **unknown).returncode != 0


@pytest.mark.slow
def test_interrupted_server_ends_well_and_has_shown_no_password(running: Running) -> None:
    assert stat.S_IMODE((running.home / "profiles.toml").stat().st_mode) == 0o600
    running.process.send_signal(signal.SIGINT)
    said, _ = running.process.communicate(timeout=60)
    assert running.process.returncode == DONE, said
    assert running.password not in said  # Its output is a file here, not a terminal.
    assert "KeyboardInterrupt" not in said
    assert said.splitlines()[:3] == [
        f"page      http://127.0.0.1:{running.port}",
        f"password  {AUTH} of [profiles.{PROFILE}], {running.home}/profiles.toml",
        f"commands  export PREFECT_PROFILE={PROFILE}",
    ]
