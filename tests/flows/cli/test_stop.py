"""Stopping a command by Ctrl-C and other signals."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.cli import main as command_line
from flows.cli.stop import SIGNALS, Stopped, stoppable
from flows.engine.server import PROGRAM
from tests.flows.studio import ROOT, Studio

GAME = "game2"
ENDLESS = "--set=train.pipeline.model.params.n_estimators=1000000"


@pytest.fixture(autouse=True)
def _heeded() -> Iterator[None]:
    """No signal is ignored, as some are where a shell has started the tests in the background."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_command_that_is_stopped_says_so_in_a_line(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(words: list[str]) -> int:
        os.kill(os.getpid(), number)
        time.sleep(5)
        return 0

    before = [signal.getsignal(one) for one in SIGNALS]
    monkeypatch.setattr(command_line, "_call", call)
    assert command_line.main([]) == 128 + number
    assert capsys.readouterr().err == f"stopped by {number.name}\n"
    assert [signal.getsignal(one) for one in SIGNALS] == before


def test_further_signals_do_not_interrupt_the_cleaning_up() -> None:
    cleaned: list[str] = []
    with pytest.raises(Stopped, match="stopped by SIGTERM"), stoppable():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            for number in SIGNALS:
                os.kill(os.getpid(), number)
            cleaned.append("all")
    assert cleaned == ["all"]


def test_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_training_that_is_stopped_leaves_nothing_behind(
    number: signal.Signals, empty_studio: Studio, prefect_server: Path, tmp_path: Path
) -> None:
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    home.mkdir()
    scratch.mkdir()
    with sqlite3.connect(prefect_server) as source, sqlite3.connect(home / "prefect.db") as copy:
        source.backup(copy)
    known = {n: v for n, v in os.environ.items() if not n.startswith("PREFECT_")}
    line = empty_studio.arguments(GAME, "--from-raw", ENDLESS)
    command = subprocess.Popen(
        [sys.executable, "-m", "flows.train", *line],
        cwd=ROOT,
        env=known | {"PREFECT_HOME": str(home), "TMPDIR": str(scratch)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # pytest's process may ignore it, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    features = empty_studio.data / "04_feature" / GAME / "train_features.parquet"
    deadline = time.monotonic() + 240
    while not features.exists():
        assert command.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    time.sleep(3)  # The fit has begun.
    servers = servers_of(home)
    assert len(servers) == 1
    command.send_signal(number)
    _, errors = command.communicate(timeout=120)
    assert command.returncode == 128 + number, errors
    lines = errors.splitlines()
    assert lines[-1] == f"stopped by {number.name}"
    assert "Traceback" not in errors
    assert [one for one in lines if "Crash" in one or "abort" in one] == []
    assert servers_of(home) == []
    assert list(scratch.iterdir()) == []
    assert list(empty_studio.data.rglob("*.tmp*")) == []
    assert list(empty_studio.data.glob(f"06_models/{GAME}/*/*")) == []
    with sqlite3.connect(home / "prefect.db") as database:
        states = database.execute("SELECT state_type FROM flow_run").fetchall()
    assert {state for (state,) in states} == {"CRASHED", "COMPLETED"}
    assert states.count(("CRASHED",)) == 2  # The composite, and the training in it.


def servers_of(home: Path) -> list[str]:
    """The processes of servers over a home."""
    command = ["ps", "-e", "-ww", "-o", "args="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return [one for one in listed.stdout.splitlines() if str(PROGRAM) in one and str(home) in one]
