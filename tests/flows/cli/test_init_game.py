"""`churn init-game`, from a folder of files to the file of a game."""

import shutil
from pathlib import Path

import pytest

from churnlib.settings import load_settings
from flows.cli.exit_status import DONE, USERS_FAULT
from flows.cli.main import main
from tests.churnlib.proposal.samples import music_shop, write
from tests.flows.studio import ROOT


@pytest.fixture
def games(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of games without games."""
    folder = tmp_path / "games"
    folder.mkdir()
    shutil.copy(ROOT / "games" / "base.toml", folder)
    monkeypatch.setenv("CHURN_GAMES_DIR", str(folder))
    return folder


def test_new_game_is_written_and_the_next_commands_are_named(
    games: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    music_shop(tmp_path / "exports", members=200)
    write(tmp_path / "exports" / "rates.csv", "year|rate", [[2023, 1.5], [2024, 1.75]])
    line = ["init-game", "shop", "--from", str(tmp_path / "exports")]
    assert main([*line, "--print"]) == DONE
    proposed = capsys.readouterr().out
    assert not (games / "shop.toml").exists()
    assert main(line) == DONE
    printed = capsys.readouterr().out
    assert (games / "shop.toml").read_text(encoding="utf-8") == proposed
    assert load_settings("shop").tables["purchases"].kind == "events"
    assert "  purchases             events         purchases.csv, 4,000 rows, 5 of 6 col" in printed
    assert "not placed:\n  - rates.csv has no column that shares its values with id" in printed
    assert printed.endswith("next:\n  churn check --game shop\n  churn run --game shop\n")
    assert main(line) == USERS_FAULT
    assert capsys.readouterr().err.startswith("error: there is a game 'shop': ")


def test_files_in_the_folder_of_raw_tables_are_named_without_it(
    games: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my data" / "01_raw" / "shop"
    music_shop(folder, members=200)
    (folder / "plans.csv").rename(folder / "sub_data.csv")
    assert main(["init-game", "shop", "--from", str(folder)]) == DONE
    printed = capsys.readouterr().out
    assert f"churn run --game shop --data-dir '{tmp_path / 'my data'}'" in printed
    tables = load_settings("shop").tables
    assert tables["sub_data"].path is None
    assert tables["purchases"].path is None
    assert tables["character_data"].path == "members.csv"


@pytest.mark.parametrize(
    ("name", "folder", "message"),
    [
        ("my game", ".", "error: 'my game' cannot be the name of a game: use letters"),
        ("base", ".", "error: 'base' cannot be the name of a game: games/base.toml contains"),
        ("shop", "nowhere", "--from"),
        ("shop", ".", "has no CSV or Parquet files to read."),
    ],
    ids=["no name", "base", "no folder", "no files"],
)
def test_wrong_input_is_one_message(
    games: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    folder: str,
    message: str,
) -> None:
    (tmp_path / "exports").mkdir()
    assert main(["init-game", name, "--from", str(tmp_path / "exports" / folder)]) == USERS_FAULT
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert "Traceback" not in error
