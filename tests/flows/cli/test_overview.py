"""`churn` without a command, before and after the flows have run."""

import shutil
from pathlib import Path

import pytest

from churnlib.settings import list_games
from flows import COMPOSITES, FLOWS
from flows.cli.app import commands
from flows.cli.exit_status import DONE, USERS_FAULT
from flows.cli.main import main
from tests.flows.models import champion
from tests.flows.studio import FAST, ROOT, Studio

GAME = "game1"


@pytest.mark.slow
def test_overview_lists_the_latest_output_of_each_flow(
    empty_studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHURN_DATA_DIR", str(empty_studio.data))
    assert main([]) == DONE
    text = capsys.readouterr().out
    assert text.count("nothing yet") == len(list_games()) * len(FLOWS)
    for name, summary in commands().items():
        assert f"  {name:<21} {summary}\n" in text
    arguments = [f"--set={path}={value}" for path, value in FAST[GAME].items()]
    assert main(["run", "--game", GAME, *arguments]) == DONE
    text = capsys.readouterr().out
    version = champion(empty_studio)
    for output in (version, "score_report", "predictions_2024-06.parquet", "their score"):
        assert output in text.partition("as of 2025-01-01:")[2]
    assert main([]) == DONE
    listed = capsys.readouterr().out
    first, _, other = listed.partition("game2:")
    assert other.count("nothing yet") == (len(list_games()) - 1) * len(FLOWS)
    for output in (
        "standard_features.parquet",
        version,
        "score_report.json",
        "predictions_2024-12.parquet",
        "batch_score_report_2024-06.json",
    ):
        assert output in first


def test_overview_without_games_exits_with_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHURN_GAMES_DIR", str(tmp_path))
    assert main([]) == USERS_FAULT
    assert capsys.readouterr().err.startswith(
        f"error: no games: there is no base.toml in {tmp_path}"
    )


def test_overview_shows_the_error_of_a_game_and_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("base", "game1", "game2"):
        shutil.copy(ROOT / "games" / f"{name}.toml", tmp_path)
    (tmp_path / "game1.toml").write_text("horizon_months = ")
    monkeypatch.setenv("CHURN_GAMES_DIR", str(tmp_path))
    assert main(["--data-dir", str(tmp_path)]) == USERS_FAULT
    captured = capsys.readouterr()
    assert f"game1: error: {tmp_path}/game1.toml is not a TOML file: " in captured.out
    assert captured.out.partition("game2: ")[2].count("nothing yet") == len(FLOWS)
    assert not captured.err
    monkeypatch.setenv("CHURN_FOO", "1")
    assert main([]) == USERS_FAULT
    captured = capsys.readouterr()
    assert captured.out.count("foo (from the variable CHURN_FOO): there is no such setting") == 1
    assert not captured.err


def test_overview_looks_into_the_given_data_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "08_reporting" / GAME / "score_report.json"
    report.parent.mkdir(parents=True)
    report.touch()
    assert main(["--data-dir", str(tmp_path)]) == DONE
    text = capsys.readouterr().out
    assert text.count("score_report.json") == 1
    assert text.count("nothing yet") == len(list_games()) * len(FLOWS) - 1
    for flow in COMPOSITES:
        assert f"  {flow.replace('_', '-')} --from-raw " in text
