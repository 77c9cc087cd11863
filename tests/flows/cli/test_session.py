"""The process of a command that runs flows, as users start it."""

import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

import pytest

from flows.cli.exit_status import FAILED
from flows.cli.parameters import RunOptions
from flows.cli.session import PRELOADED, in_session
from flows.engine.server import LocalServer
from tests.flows.studio import ROOT, Studio, python

GAME = "game1"
SLOW_IMPORTS = ("polars", "prefect", "pydantic", "sklearn")


@pytest.mark.slow
def test_run_prints_its_first_line_before_it_imports_libraries(
    prefect_server: Path, empty_studio: Studio, tmp_path: Path
) -> None:
    """A whole run beside a server of its own; Python reports each import when it happens."""
    home, user = tmp_path / "home", tmp_path / "user"
    home.mkdir()
    user.mkdir()
    shutil.copy(prefect_server, home / "prefect.db")
    known = {n: v for n, v in os.environ.items() if not n.startswith("PREFECT_")}
    arguments = empty_studio.arguments(GAME, "--from-raw")
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "flows.train", *arguments],
        cwd=ROOT,
        env=known | {"PREFECT_HOME": str(home), "HOME": str(user)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-5000:]
    before, line, after = run.stdout.partition("train-from-raw: game1\n")
    assert line
    for library in SLOW_IMPORTS:
        assert f" {library}\n" not in before
        assert f" {library}\n" in after
    assert "Training report: game1" in after
    assert len(empty_studio.table(f"04_feature/{GAME}/train_features.parquet")) > 100
    assert list((home / "storage").iterdir())
    assert not list(user.iterdir())


def test_unexpected_error_is_shown_without_controls_and_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("flows.cli.session.local_server", lambda: nullcontext(LocalServer()))
    monkeypatch.setattr(LocalServer, "wait", lambda _: None)

    def fail() -> None:
        raise LookupError("elf\x1b[2J https://me:secret@host/x")

    assert in_session(RunOptions(game=GAME), fail) == FAILED
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback")
    assert "LookupError: elf\\x1b[2J https://***@host/x\n" in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ("train",),
        ("run",),
        ("replay",),
        ("backfill", "--flow=batch-score", "--from=2024-01", "--to=2024-02"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_first_line_is_printed_before_pydantic_is_imported(arguments: tuple[str, ...]) -> None:
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "flows", *arguments, "--game=gmae1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    imports = run.stdout.partition("gmae1")[0]
    assert " cyclopts\n" in imports
    assert " pydantic\n" in run.stdout
    for library in SLOW_IMPORTS:
        assert f" {library}\n" not in imports


def test_run_with_invalid_settings_ends_before_a_server_starts(tmp_path: Path) -> None:
    run = python("-m", "flows.train", "--game", "gmae1", PREFECT_HOME=str(tmp_path / "home"))
    assert run.returncode == 2
    assert run.stdout == "train: gmae1\n"
    assert run.stderr.startswith("error: there is no game 'gmae1' in ")
    assert len(run.stderr.splitlines()) == 1
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--set=train.seed=-1", "train.seed (from --set): should be "),
        ("--data-dir=nowhere", "game1: there is no data folder "),
        ("--data-dir=pyproject.toml", "pyproject.toml is a file"),
        ("--set=engine.scratch_dir=nowhere", "it cannot hold temporary files: No such file"),
        ("--model=v0", "game1: there is no model version 'v0' in "),
    ],
)
def test_mistake_in_an_option_ends_a_run_before_a_server_starts(
    option: str, message: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    run = python("-m", "flows.score", "--game", GAME, option, PREFECT_HOME=str(home))
    assert run.returncode == 2
    assert message in run.stderr
    assert not home.exists()


@pytest.mark.parametrize("module", PRELOADED)
def test_preloaded_module_exists(module: str) -> None:
    assert find_spec(module) is not None
