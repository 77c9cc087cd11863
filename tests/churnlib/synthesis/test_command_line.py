"""The command line of the sample data."""

import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from churnlib.synthesis import PROCESSES, generate
from churnlib.synthesis.__main__ import main, process_of
from tests.churnlib.synthesis.samples import (
    written,
)


def test_new_game_uses_the_process_of_another(tmp_path: Path) -> None:
    assert process_of("game2") == PROCESSES["game2"]
    assert process_of("game4") == replace(PROCESSES["game1"], game="game4")
    assert process_of("game4", "game2") == replace(PROCESSES["game2"], game="game4")
    for game in ("game1", "game4"):
        generate(process_of(game), 100, 1, tmp_path / game)
    one, four = (pl.read_csv(tmp_path / g / "character_data.csv") for g in ("game1", "game4"))
    assert set(one["race"]) == set(four["race"])
    assert not one["creation_date"].equals(four["creation_date"])


def test_command_line_writes_and_names_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "01_raw" / "game2"
    given = ["--game", "game2", "--characters", "30", "--seed", "5", "--out", str(out)]
    assert main([*given, "--signal", "0.5"]) == 0
    assert f"character_data: 30 rows -> {out / 'character_data.csv'}" in capsys.readouterr().out
    generate(PROCESSES["game2"], 30, 5, tmp_path / "other", signal=0.5)
    assert written(out) == written(tmp_path / "other")


@pytest.mark.parametrize("game", sorted(PROCESSES))
def test_grain_chooses_when_churn_is_drawn(tmp_path: Path, game: str) -> None:
    given = ["--game", game, "--characters", "30", "--out", str(tmp_path)]
    for grain, truths in (("monthly", {"sub_truth", "sub_month_truth"}), ("start", {"sub_truth"})):
        assert main([*given, "--grain", grain]) == 0
        generate(process_of(game, grain=grain), 30, 1, tmp_path / grain)
        assert {path.stem for path in (tmp_path / "truth").iterdir()} == truths
        again = written(tmp_path / grain)
        assert {name: data for name, data in written(tmp_path).items() if name in again} == again


def test_not_renewed_months_change_only_the_truth(tmp_path: Path) -> None:
    means = []
    for months in (0, 1, 3):
        process = process_of("game1", grain="monthly", not_renewed_months=months)
        generate(process, 300, 1, tmp_path / str(months))
        truth = pl.read_parquet(tmp_path / str(months) / "truth" / "sub_month_truth.parquet")
        means.append(truth["churn_probability"].cast(float).to_numpy().mean())
    assert means[0] < means[2] < means[1]
    tables = [
        {name: data for name, data in written(tmp_path / months).items() if "truth" not in name}
        for months in ("0", "1", "3")
    ]
    assert tables[0] == tables[1] == tables[2]
    for game, default in (("game1", None), ("game3", 1)):
        payments = process_of(game, grain="monthly").payments
        assert payments is not None
        assert payments.not_renewed_months == default


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"--characters": "0"}, "characters is 0; it must be at least 1"),
        ({"--characters": "many"}, "invalid int value: 'many'"),
        ({"--signal": "1.5"}, "signal is 1.5; it must be between 0 and 1"),
        ({"--signal": "nan"}, "signal is nan"),
        ({"--seed": "-1"}, "seed is -1; it must be 0 or more"),
        ({"--format": "json"}, "invalid choice: 'json'"),
        ({"--like": "game9"}, "invalid choice: 'game9'"),
        ({"--out": __file__}, "cannot be written"),
        ({"--grain": "daily"}, "invalid choice: 'daily'"),
        ({"--not-renewed-months": "1"}, "game1 draws churn at the start. Leave it out"),
        ({"--grain": "monthly", "--not-renewed-months": "-1"}, "it must be 0 or more"),
    ],
)
def test_invalid_argument_exits_with_status_2_and_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, str], message: str
) -> None:
    right = {"--game": "game1", "--characters": "5", "--seed": "1", "--out": str(tmp_path / "o")}
    arguments = [part for pair in (right | changed).items() for part in pair]
    with pytest.raises(SystemExit) as stop:
        sys.exit(main(arguments))
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert message in error
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())
