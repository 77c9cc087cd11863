"""What a training does with its model: champion, candidate, or neither."""

import shutil
from pathlib import Path

import pytest

from tests.flows.models import (
    GAME,
    OTHER,
    candidate,
    champion,
    champion_and_registry,
    registry,
)
from tests.flows.studio import Say, Studio, is_refusal


@pytest.mark.parametrize("text", [None, '{"version": "gone"}'])
def test_gate_promotes_the_trained_model_if_there_is_no_champion(
    text: str | None, restored: Studio
) -> None:
    first, pointer = champion(restored), restored.file(f"06_models/{GAME}/champion.json")
    if text is None:
        pointer.unlink()
    else:
        pointer.write_text(text)
    restored.run("train", GAME)
    assert champion(restored) == first


@pytest.mark.parametrize(("name", "text"), [("registry.json", "{"), ("champion.json", "x")])
def test_damaged_record_of_models_stops_a_training_early(
    name: str, text: str, restored: Studio, say: Say
) -> None:
    restored.file(f"06_models/{GAME}/{name}").write_text(text)
    before = champion_and_registry(restored)
    for line in (("train", GAME), ("score", GAME), ("batch_predict", GAME)):
        output = say(restored, *line)
        assert is_refusal(output, f"{name} is damaged"), output
    assert champion_and_registry(restored) == before


@pytest.mark.slow
def test_same_model_trained_again_is_no_candidate(
    restored: Studio, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In a moved data folder, cached results do not count: the model is fitted again."""
    first = champion(restored)
    moved = Studio(tmp_path / "moved", restored.pristine)
    shutil.copytree(restored.data, moved.data)
    assert Path(moved.run("train", GAME).uri).name == first
    assert f"model {first} has these features, settings, seed and code, and is kept" in caplog.text
    assert (champion(moved), registry(moved)["candidate"]) == (first, None)
    assert len(list(moved.data.glob(f"06_models/{GAME}/*/manifest.json"))) == 1
    moved.run("train", GAME, OTHER)
    assert candidate(moved) != first


@pytest.mark.slow
def test_gate_keeps_the_configured_number_of_versions(restored: Studio) -> None:
    first = champion(restored)
    for seed in (8, 9):
        restored.run("train", GAME, {"train.seed": seed, "champion.keep_versions": 1})
    versions = {
        file.parent.name for file in restored.data.glob(f"06_models/{GAME}/*/manifest.json")
    }
    assert versions == {first, candidate(restored)}
