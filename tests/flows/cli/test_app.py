"""The commands: their names, their help, and one message for every mistake."""

import inspect
import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import flows
from churnlib.settings import describe_settings
from flows import COMPOSITES, FLOWS
from flows.cli.app import app, commands
from flows.cli.exit_status import DONE, FAILED, USERS_FAULT
from flows.cli.main import main
from tests.flows.studio import ROOT, python
from tests.variants import slow_but

TAKE_SETTINGS = [
    name
    for name in commands()
    if any("--set" in option.names for option in app[name].assemble_argument_collection())
]
RUNNABLE_MODULES = [
    f"{path.parent.name}.{path.stem}".removeprefix("flows.").removesuffix(".__main__")
    for path in Path(inspect.getfile(flows)).parent.rglob("*.py")
    if "\n    run_command(" in path.read_text(encoding="utf-8")
]
GAME = ("--game", "game1")


def help_of(*words: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main([*words, "--help"]) == DONE
    return capsys.readouterr().out


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of(capsys=capsys)
    for name in commands():
        assert f"│ {name} " in text


def test_every_base_flow_has_a_command_that_names_every_setting() -> None:
    assert {flow.replace("_", "-") for flow in FLOWS} < set(TAKE_SETTINGS)


@pytest.mark.parametrize("command", TAKE_SETTINGS)
def test_help_names_every_setting(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of(command, capsys=capsys)
    assert describe_settings() in text
    for option in ("--game", "--as-of", "--set", "--data-dir"):
        assert f" {option} " in text
    assert (" --refresh " in text) == (command != "check")  # It keeps no results.
    assert (" --from-raw " in text) == (command not in ("run", "check"))


def test_help_of_a_command_without_settings_names_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert "train.seed" not in help_of("models", capsys=capsys)


def test_console_script_is_the_application() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, function = project["scripts"]["churn"].partition(":")
    assert getattr(import_module(module), function) is main


def test_flows_that_can_be_run_as_modules_are_found() -> None:
    assert {*FLOWS, "backfill", "replay", "map"} == set(RUNNABLE_MODULES)


@pytest.mark.parametrize("module", slow_but("train", of=RUNNABLE_MODULES))
def test_module_runs_its_command(module: str) -> None:
    run = python("-m", f"flows.{module}", "--help")
    assert run.returncode == DONE
    assert run.stdout.startswith(f"Usage: churn {module.replace('_', '-')} ")


@pytest.mark.parametrize("word", ["batch_predict", "batch-predict"])
def test_command_is_accepted_as_its_module_is_spelled(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert help_of(word, capsys=capsys).startswith("Usage: churn batch-predict ")


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert main(["--version"]) == DONE
    assert capsys.readouterr().out == f"{project['version']}\n"


def test_schema_of_the_games_is_the_one_checked_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == DONE
    assert capsys.readouterr().out == (ROOT / "games" / "schema.json").read_text()


def test_settings_accumulate_and_of_other_repeated_options_the_last_counts() -> None:
    line = ("train", *GAME, "--set", "train.seed=7", "--game=game2", "--set=horizon_months = 4")
    _, bound, _ = app.parse_args(line, exit_on_error=False, print_error=False)
    run = bound.arguments["run"]
    assert run.game == "game2"
    assert run.changes == {"train.seed": "7", "horizon_months": "4"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("trian",), "there is no command 'trian'. Did you mean 'train'?"),
        (("trian", *GAME), "there is no command 'trian'. Did you mean 'train'?"),
        (("batch_predic",), "there is no command 'batch_predic'. Did you mean 'batch-predict'?"),
        (("train",), "--game is required."),
        (("train", "--game"), "--game needs a value."),
        (("train", "--gmae", "game1"), "--game is required. Did you mean --game instead of --gm"),
        (("train", *GAME, "--refersh"), "Unknown option: --refersh. Did you mean --refresh?"),
        (("train", *GAME, "--no-refresh"), "Unknown option: --no-refresh."),
        (("train", *GAME, "--model", "v1"), "Unknown option: --model."),
        (("train", *GAME, "game2"), "unexpected argument: game2"),
        (("train", *GAME, "--set"), "--set needs a value."),
        (("train", *GAME, "--set", "train.seed"), "'train.seed' is not PATH=VALUE, such as"),
        (("train", *GAME, "--set= =1"), "' =1' is not PATH=VALUE, such as train.seed=7."),
        (("train", "--game", "gmae1"), "there is no game 'gmae1' in"),
        (("train", *GAME, "--set", "train.sede=1"), "Did you mean 'seed'?"),
        (("promote", *GAME), "promote takes either --version or --back."),
        (("promote", *GAME, "--back", "--version=v"), "promote takes either --version or --back."),
        (
            ("backfill", *GAME, "--flow=train", "--from=2024-01", "--to=2024-02"),
            "'train' is not batch-predict or batch-score.",
        ),
        (("--data-dir", "a", "train"), "unexpected argument: train"),
        *(
            (("train", *GAME, f"--as-of={day}"), f"'{day}' is not a date such as 2024-12-31.")
            for day in ("20240701", "2024-W05-1", "2024-7-1", "2024-02-30", "", " 2024-07-01")
        ),
        *(
            (("train", *GAME, f"--data-dir={folder}"), f"'{folder}' is not a folder.")
            for folder in ("", "null", "~nosuchuser/data")
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistake_is_one_message_and_status_2(
    line: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line) == USERS_FAULT
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count(message) == error.count("error: ") == 1
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "line",
    [
        ("flows",),
        ("flows", "schema"),
        ("flows", "run", "--game=game1"),
        ("flows.train", "--game=game1"),
        (
            "flows.backfill", "--game=game1", "--flow=batch_predict",
            "--from=2024-01", "--to=2024-01",
        ),
        pytest.param(("flows.map", "--data-dir=.", "--out=map.html"), marks=pytest.mark.slow),
        ("churnlib.synthesis", "--game=new", "--characters=10", "--out=new"),
    ],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.slow
def test_command_whose_reader_has_gone_ends_quietly(line: tuple[str, ...], tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run(
        [sys.executable, "-m", *line],
        cwd=tmp_path,
        env=os.environ | {"CHURN_GAMES_DIR": str(ROOT / "games"), "PREFECT_HOME": str(tmp_path)},
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    os.close(write)
    assert (run.returncode, run.stderr) == (FAILED, "")


def test_every_base_flow_has_a_composite_if_it_says_so() -> None:
    for flow in FLOWS:
        module = import_module(f"flows.{flow}")
        assert hasattr(module, flow)
        assert hasattr(module, f"{flow}_from_raw") == (flow in COMPOSITES)
