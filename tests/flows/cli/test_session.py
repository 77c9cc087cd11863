"""The command lines: what they take, what they tell, and a run as users start it."""

import argparse
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from churnlib.settings import describe_settings
from flows import __main__
from flows.cli import session
from flows.cli.arguments import BESIDE, COMPOSITES, FLOWS
from tests.flows.studio import FAST, ROOT, Studio, python

GAME = "game1"
SLOW_IMPORTS = ("polars", "prefect", "pydantic", "sklearn")


@pytest.mark.slow
def test_run_of_a_user_tells_its_first_line_before_it_loads_libraries(
    prefect_server: Path, empty_studio: Studio, tmp_path: Path
) -> None:
    """A whole run beside a server of its own; Python tells each import where it happens."""
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


def test_run_with_settings_that_cannot_be_ends_before_a_server_starts(tmp_path: Path) -> None:
    run = python("-m", "flows.train", "--game", "gmae1", PREFECT_HOME=str(tmp_path / "home"))
    assert run.returncode == 2
    assert run.stdout == "train: gmae1\n"
    assert run.stderr.startswith("error: there is no game 'gmae1' in ")
    assert len(run.stderr.splitlines()) == 1
    assert not (tmp_path / "home").exists()


def test_run_that_is_interrupted_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    assert session.in_session({"game": GAME, "overrides": None}, interrupt) == session.FAILED
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.parametrize("flow", FLOWS)
def test_help_names_every_setting(flow: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        session.main(flow, ["--help"])
    assert ended.value.code == session.DONE
    said = capsys.readouterr().out
    assert describe_settings() in said
    assert FLOWS[flow].split(",")[0] in said
    for option in ("--game", "--from-raw", "--as-of", "--set", "--data-dir", "--refresh"):
        assert option in said
    for path in ("train.seed", "windows.batch_score.start", "currency.aggregations.<n>.columns"):
        assert f"  {path}: " in said


def test_schema_of_the_games_is_the_one_checked_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["schema"]) == session.DONE
    assert capsys.readouterr().out == (ROOT / "games" / "schema.json").read_text()


@pytest.mark.slow
def test_overview_lists_what_each_flow_last_produced(
    empty_studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHURN_DATA_DIR", str(empty_studio.data))
    assert __main__.main([]) == session.DONE
    said = capsys.readouterr().out
    assert said.count("nothing yet") == 2 * len(FLOWS)
    for name, what in BESIDE.items():
        assert f"  {name:<21} {what}\n" in said
    arguments = [f"--set={path}={value}" for path, value in FAST[GAME].items()]
    assert __main__.main(["run", "--game", GAME, *arguments]) == session.DONE
    said = capsys.readouterr().out
    version = empty_studio.json(f"06_models/{GAME}/champion.json")["version"]
    for made in (version, "score_report", "predictions_2024-06.parquet", "their score"):
        assert made in said.partition("as of 2025-01-01:")[2]
    assert __main__.main([]) == session.DONE
    listed = capsys.readouterr().out
    first, _, other = listed.partition("game2:")
    assert other.count("nothing yet") == len(FLOWS)
    for made in (
        "standard_features.parquet",
        version,
        "score_report.json",
        "predictions_2024-12.parquet",
        "batch_score_report_2024-06.json",
    ):
        assert made in first


def test_overview_without_games_is_a_users_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHURN_GAMES_DIR", str(tmp_path))
    assert __main__.main([]) == session.USERS_FAULT
    assert capsys.readouterr().err.startswith(
        f"error: no games: there is no base.toml in {tmp_path}"
    )


def test_overview_names_the_fault_of_a_game_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("base", "game1", "game2"):
        shutil.copy(ROOT / "games" / f"{name}.toml", tmp_path)
    (tmp_path / "game1.toml").write_text("horizon_months = ")
    monkeypatch.setenv("CHURN_GAMES_DIR", str(tmp_path))
    assert __main__.main(["--data-dir", str(tmp_path)]) == session.USERS_FAULT
    said = capsys.readouterr()
    assert f"game1: error: {tmp_path}/game1.toml is no TOML file: " in said.out
    assert said.out.partition("game2: ")[2].count("nothing yet") == len(FLOWS)
    assert not said.err
    monkeypatch.setenv("CHURN_FOO", "1")
    assert __main__.main([]) == session.USERS_FAULT
    said = capsys.readouterr()
    assert said.out.count("foo (from the variable CHURN_FOO): there is no such setting") == 1
    assert not said.err


def test_overview_looks_into_the_data_folder_it_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "08_reporting" / GAME / "score_report.json"
    report.parent.mkdir(parents=True)
    report.touch()
    assert __main__.main(["--data-dir", str(tmp_path)]) == session.DONE
    said = capsys.readouterr().out
    assert said.count("score_report.json") == 1
    assert said.count("nothing yet") == 2 * len(FLOWS) - 1
    for flow in COMPOSITES:
        assert f"  {flow}_from_raw " in said


@pytest.mark.slow
def test_tour_says_why_it_skips_a_batch(
    empty_studio: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    june = (
        "--set=windows.batch_score.start=2024-06-01",
        "--set=windows.batch_score.end=2024-06-30",
    )
    may = [
        argument.replace("batch_score", "batch_predict").replace("06-", "05-") for argument in june
    ]
    may[1] = may[1].replace("30", "31")
    arguments = empty_studio.arguments(GAME, *june)
    assert __main__.main(["run", *arguments]) == session.DONE
    said = capsys.readouterr().out.partition("as of 2025-01-01:")[2]
    assert "predictions_2024-06.parquet" in said
    assert "skipped" not in said
    assert __main__.main(["run", *arguments, *may, "--set=allow_label_overlap=true"]) == 0
    said = capsys.readouterr().out.partition("as of 2025-01-01:")[2]
    assert "their score" not in said
    assert (
        "skipped: an earlier batch and its score, because windows.batch_predict (2024-05-01" in said
    )


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
        ("flows.map", "--data-dir=.", "--out=map.html"),
        ("churnlib.synthesis", "--game=new", "--characters=10", "--out=new"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_command_line_whose_reader_has_left_ends_without_a_word(
    line: tuple[str, ...], tmp_path: Path
) -> None:
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
    assert (run.returncode, run.stderr) == (session.FAILED, "")


def test_tour_takes_the_data_folder_before_and_after_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str | None] = []

    def run_all(args: argparse.Namespace) -> int:
        seen.append(args.data_dir)
        return session.DONE

    monkeypatch.setattr("flows.cli.run_all.run_all", run_all)
    for line in (["--data-dir", "a", "run"], ["run", "--data-dir", "b"], ["run"]):
        assert __main__.main([*line, "--game", GAME]) == session.DONE
    assert seen == ["a", "b", None]


@pytest.mark.parametrize(
    ("argument", "fault"),
    [
        *((f"--as-of={day}", f"'{day}' is no day as in 2024-12-31")
          for day in ("20240701", "2024-W05-1", "2024-7-1", "2024-02-30", "", " 2024-07-01")),
        *((f"--data-dir={folder}", f"'{folder}' is no folder")
          for folder in ("", "null", "~nosuchuser/data")),
        ("--set= =1", "' =1' is no PATH=VALUE"),
    ],
)  # fmt: skip
def test_argument_that_cannot_be_is_refused(
    argument: str, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        session.main("train", ["--game", GAME, argument])
    assert ended.value.code == session.USERS_FAULT
    assert fault in capsys.readouterr().err


@pytest.mark.parametrize("module", session.LATER)
def test_what_is_imported_ahead_is_there(module: str) -> None:
    assert find_spec(module) is not None
