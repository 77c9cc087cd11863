"""New models on their way to be champion: registered, compared, promoted, rolled back."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows import models, promote
from flows.command import DONE, USERS_FAULT
from tests.flows.studio import Say, Studio, is_refusal

GAME = "game1"
LENIENT, STRICT = {"champion.max_loss": 0.9}, {"champion.max_loss": 0.0}
"""Settings by which any candidate passes, and none that is not better beyond doubt."""
OTHER = {"train.seed": 8}
"""What makes another model."""


@pytest.fixture(scope="module")
def first_models(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of models after a first training."""
    studio.run("train_from_raw", GAME)
    kept = tmp_path_factory.mktemp("models") / GAME
    return Path(shutil.copytree(studio.data / "06_models" / GAME, kept))


@pytest.fixture
def trained(studio: Studio, first_models: Path) -> Studio:
    """A data folder with one model, the champion."""
    models_there = studio.data / "06_models" / GAME
    shutil.rmtree(models_there)
    shutil.copytree(first_models, models_there)
    return studio


def champion(studio: Studio) -> str:
    version: str = studio.json(f"06_models/{GAME}/champion.json")["version"]
    return version


def registry(studio: Studio) -> dict[str, Any]:
    found: dict[str, Any] = studio.json(f"06_models/{GAME}/registry.json")
    return found


def candidate(studio: Studio) -> str:
    version: str = registry(studio)["candidate"]
    return version


def report(studio: Studio) -> dict[str, Any]:
    found: dict[str, Any] = studio.json(f"08_reporting/{GAME}/score_report.json")
    return found


def standing(studio: Studio) -> tuple[bytes, bytes]:
    """What says which version is what."""
    first, second = (
        studio.file(f"06_models/{GAME}/{name}.json") for name in ("champion", "registry")
    )
    return first.read_bytes(), second.read_bytes()


def states(studio: Studio, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    capsys.readouterr()
    assert models.main(["--game", GAME, "--data-dir", str(studio.data), "--json"]) == DONE
    return {v["version"]: v["state"] for v in json.loads(capsys.readouterr().out)}


def by_hand(studio: Studio, *arguments: str) -> int:
    return promote.main(["--game", GAME, "--data-dir", str(studio.data), *arguments])


def test_gate_takes_a_model_from_candidate_to_champion_and_back(
    trained: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    first = champion(trained)
    assert candidate(trained) is None

    # Another model waits as the candidate, and the batches stay with the champion.
    trained.run("train", GAME, OTHER)
    second = candidate(trained)
    assert champion(trained) == first != second
    predictions = "07_model_output/game1/predictions_2024-12.parquet"
    trained.run("batch_predict", GAME)
    assert trained.table(predictions)["model_version"].unique().to_list() == [first]
    trained.run("batch_predict", GAME, model=second)
    assert trained.table(predictions)["model_version"].unique().to_list() == [second]

    # A version that is named is only reported on.
    before = standing(trained)
    trained.run("score", GAME, LENIENT, model=second)
    assert report(trained)["model_version"] == second
    assert report(trained)["comparison"] is None
    assert standing(trained) == before

    # It is refused, and refused it stays, also where it is trained and scored again.
    trained.run("score", GAME, STRICT)
    assert champion(trained) == first
    found = report(trained)
    assert found["model_version"] == second
    assert found["comparison"]["decision"] == "refused"
    low, high = found["comparison"]["interval"]
    assert low < found["comparison"]["difference"] < high
    assert found["comparison"]["candidate_value"] == pytest.approx(found["general"]["roc_auc"])
    text = trained.file(f"08_reporting/{GAME}/score_report.txt").read_text()
    assert f"Refused: {first} stays champion" in text
    before = standing(trained)
    trained.run("train", GAME, OTHER)
    trained.run("score", GAME, STRICT)
    assert standing(trained) == before
    assert states(trained, capsys) == {second: "refused", first: "champion"}

    # By other terms it passes. The report keeps how the champion came to be.
    trained.run("score", GAME, LENIENT)
    assert champion(trained) == second
    assert candidate(trained) is None
    promoted = report(trained)["comparison"]
    assert (promoted["decision"], promoted["champion"]) == ("accepted", first)
    before = standing(trained)
    trained.run("score", GAME, LENIENT)
    assert report(trained)["comparison"] == promoted
    assert standing(trained) == before
    assert states(trained, capsys) == {second: "champion", first: "former"}

    # Back is one command; what a hand took back comes again by a hand alone.
    assert by_hand(trained, "--back") == DONE
    assert champion(trained) == first
    trained.run("train", GAME, OTHER)
    assert candidate(trained) is None
    trained.run("score", GAME, LENIENT)
    assert champion(trained) == first
    assert report(trained)["comparison"] is None
    assert by_hand(trained, "--version", second) == DONE
    assert champion(trained) == second
    trained.run("score", GAME, LENIENT)
    assert report(trained)["model_version"] == second
    # The one that there was is not why it is champion.
    assert report(trained)["comparison"] is None
    assert [p["by"] for p in registry(trained)["promotions"]] == [
        "training",
        "back-test",
        "roll back",
        "hand",
    ]


def test_gate_only_reports_where_a_hand_is_to_promote(
    trained: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    first = champion(trained)
    trained.run("train", GAME, OTHER)
    trained.run("score", GAME, LENIENT | {"champion.promote": False})
    assert champion(trained) == first
    assert report(trained)["comparison"]["decision"] == "accepted"
    assert candidate(trained)
    assert by_hand(trained, "--version", candidate(trained)) == DONE
    assert champion(trained) != first


@pytest.mark.slow
def test_gate_gives_the_place_of_a_champion_that_cannot_be_opened(trained: Studio) -> None:
    first = champion(trained)
    made_by_another_library(trained, first)
    trained.run("train", GAME, OTHER)
    second = champion(trained)
    assert second != first
    why = registry(trained)["promotions"][-1]["why"]
    assert "was made with scikit-learn 0.1" in why

    trained.run("train", GAME, {"train.seed": 9})
    third = candidate(trained)
    made_by_another_library(trained, second)
    trained.run("score", GAME)
    assert champion(trained) == third
    found = report(trained)["comparison"]
    assert found["decision"] == "accepted"
    assert "the champion cannot be used any more" in found["reason"]
    assert found["difference"] is None


@pytest.mark.slow
def test_gate_gives_the_place_of_a_damaged_champion_to_a_candidate_that_was_there(
    trained: Studio,
) -> None:
    trained.run("train", GAME, OTHER)
    second = candidate(trained)
    trained.file(f"06_models/{GAME}/{champion(trained)}/model.skops").write_bytes(b"other")
    trained.run("train", GAME, OTHER)
    assert champion(trained) == second


def made_by_another_library(studio: Studio, version: str) -> None:
    manifest = studio.file(f"06_models/{GAME}/{version}/manifest.json")
    told = json.loads(manifest.read_text())
    told["libraries"]["scikit-learn"] = "0.1"
    manifest.write_text(json.dumps(told))


@pytest.mark.slow
def test_gate_decides_nothing_of_a_candidate_that_was_tried_with_other_features(
    trained: Studio, say: Say
) -> None:
    first = champion(trained)
    other = {"currency.lookback_months": 12}
    trained.run("train", GAME, other)
    second = candidate(trained)
    trained.run("score", GAME, LENIENT | other)
    assert champion(trained) == first
    assert candidate(trained) == second
    assert report(trained)["comparison"]["decision"] == "undecided"
    # By the game's own settings the candidate does not fit, and the message says which model.
    said = say(trained, "score", GAME)
    assert is_refusal(said, f"model {second} was trained on other features"), said
    assert trained.command("score", GAME, "--model", first) == DONE
    # The settings that made the champion give the champion: nothing is left to compare.
    trained.run("train", GAME)
    assert candidate(trained) is None
    assert trained.command("score", GAME) == DONE
    assert report(trained)["model_version"] == first


@pytest.mark.slow
def test_gate_gives_the_place_of_a_champion_that_the_game_has_left_behind(
    trained: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_CURRENCY__LOOKBACK_MONTHS", "12")
    trained.run("train", GAME)
    second = candidate(trained)
    trained.run("score", GAME)
    assert champion(trained) == second
    assert "than the game's settings now ask for" in report(trained)["comparison"]["reason"]


@pytest.mark.parametrize("text", [None, "x", '{"version": "gone"}'])
def test_gate_makes_the_trained_model_champion_where_the_pointer_leads_nowhere(
    text: str | None, trained: Studio
) -> None:
    first, pointer = champion(trained), trained.file(f"06_models/{GAME}/champion.json")
    if text is None:
        pointer.unlink()
    else:
        pointer.write_text(text)
    trained.run("train", GAME)
    assert champion(trained) == first


@pytest.mark.slow
def test_gate_keeps_as_many_versions_as_the_settings_say(trained: Studio) -> None:
    first = champion(trained)
    for seed in (8, 9):
        trained.run("train", GAME, {"train.seed": seed, "champion.keep_versions": 1})
    found = {file.parent.name for file in trained.data.glob(f"06_models/{GAME}/*/manifest.json")}
    assert found == {first, candidate(trained)}


@pytest.mark.parametrize("flow", ["score", "batch_predict"])
def test_gate_names_the_versions_there_are_where_another_is_asked_for(
    flow: str, trained: Studio, say: Say
) -> None:
    said = say(trained, flow, GAME, "--model", "nope")
    assert is_refusal(said, f"there is no model version 'nope' in {trained.data}"), said
    assert f"Known: {champion(trained)}." in said


def test_gate_stops_a_training_early_where_the_registry_is_damaged(
    trained: Studio, say: Say
) -> None:
    trained.file(f"06_models/{GAME}/registry.json").write_text("{")
    for line in (("train", GAME), ("score", GAME)):
        said = say(trained, *line)
        assert is_refusal(said, "registry.json is damaged"), said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (lambda data: models.main(["--game", "gmae1", "--data-dir", data]), "no game 'gmae1'"),
        (lambda data: promote.main(["--game", GAME, "--data-dir", data, "--back"]), "not known"),
        (
            lambda data: promote.main(["--game", GAME, "--data-dir", data, "--version", "v1"]),
            "there is no model version 'v1'",
        ),
    ],
    ids=["models of no game", "back from nothing", "no such version"],
)
def test_commands_with_a_mistake_say_one_thing(
    command: Callable[[str], int], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(str(tmp_path)) == USERS_FAULT
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert said in told.err
    assert len(told.err.splitlines()) == 1


def test_models_of_a_game_without_any_says_how_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert models.main(["--game", GAME, "--data-dir", str(tmp_path)]) == DONE
    assert "there is no model yet. Train one: python -m flows.train" in capsys.readouterr().out
