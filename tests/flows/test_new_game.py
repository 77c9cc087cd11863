"""A game that the project has never seen: one file and its data, no code."""

import shutil
from dataclasses import replace

import pytest

from churnlib.synthesis import PROCESSES, generate
from flows.cli.main import main
from tests.flows.studio import BATCH_DAY, ROOT, Studio

FILE = """
description = "The fourth game."
[windows]
train = { start = -30, end = -14 }
[features.character_currency]
lookback_months = 6
[[train.pipeline]]
name = "scale"
type = "sklearn.compose.ColumnTransformer"
[train.pipeline.params]
transformers = [
  ["number", { type = "sklearn.preprocessing.StandardScaler" }, ["price", "age_at_sub_months"]],
]
[[train.pipeline]]
name = "model"
type = "sklearn.linear_model.LogisticRegression"
"""


@pytest.mark.slow
def test_new_game_is_a_file_and_its_data(
    empty_studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    studio, games = empty_studio, empty_studio.data.parent / "games"
    shutil.copytree(ROOT / "games", games)
    (games / "game4.toml").write_text(FILE)
    monkeypatch.setenv("CHURN_GAMES_DIR", str(games))
    process = replace(PROCESSES["game1"], game="game4")
    generate(process, 900, 3, studio.data / "01_raw" / "game4", file_format="parquet")
    for line in (
        ("train", "--from-raw"),
        ("score", "--from-raw"),
        ("batch_predict", "--as-of", BATCH_DAY),
        ("batch_score", "--from-raw"),
        ("batch_predict",),
        ("standard_features",),
        ("train",),
        ("score",),
        ("batch_score",),
    ):
        assert studio.command(line[0], "game4", *line[1:]) == 0, line
    report = studio.json("08_reporting/game4/batch_score_report_2024-06.json")
    assert report["general"]["roc_auc"] is not None
    features = studio.table("04_feature/game4/train_features.parquet")
    assert features["currency_age_months"].max() < 6  # type: ignore[operator]
    assert {f.parent.name for f in studio.data.glob("0[2-8]_*/*/*")} == {"game4"}
    capsys.readouterr()
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert "game4: The fourth game." in listed
    assert "game1: The first game" in listed
    assert listed.index("game2") < listed.index("game4") < listed.rindex("2024-06")
