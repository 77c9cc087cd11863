"""Replays: whether a model trained again is equal, and the description of changes."""

import copy
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest

from churnlib.errors import ModelError
from churnlib.settings import EngineSettings, load_settings
from churnlib.versions.replay import Change, Replay, compare_replay, describe_replay, settings_from

THEN: dict[str, Any] = {
    "game": "game1",
    "version": "v1",
    "as_of": "2025-01-01",
    "seed": 7,
    "python": "3.11.7",
    "machine": "Linux x86_64",
    "code": {"version": "0.1.0", "digest": "c0de" * 16},
    "libraries": {"polars": "2.1.0", "scikit-learn": "1.9.1"},
    "inputs": {
        "train_features": {"fingerprint": "f" * 64, "rows": 100},
        "sub_data": {"source": "a" * 64, "fingerprint": "1" * 64, "rows": 1000},
        "sub_miss": {"source": "b" * 64, "fingerprint": "2" * 64, "rows": 50},
    },
}
GOLDEN = pl.DataFrame({"sub_id": [1, 2, 3], "churn_probability": [0.1, 0.25, 0.5]})
SAME = GOLDEN["churn_probability"]


def now(**inputs: dict[str, Any]) -> dict[str, Any]:
    """The manifest of a model trained again, with some facts about its inputs replaced."""
    manifest = copy.deepcopy(THEN)
    for name, facts in inputs.items():
        manifest["inputs"][name] |= facts
    return manifest


def description(replay: Replay) -> str:
    return "\n".join(describe_replay(replay))


def test_replay_of_the_same_is_equal() -> None:
    replay = compare_replay(THEN, now(), GOLDEN, SAME)
    assert replay.is_equal
    assert replay == Replay("v1", "2025-01-01", 3, 0, None, (), True, (100, 100), ())
    assert description(replay).splitlines() == [
        "equal: model v1, trained again, predicts its 3 golden rows the same to the bit",
        "  raw tables and features are the same, 100 rows",
    ]
    assert replay.to_json()["equal"] is True


def test_replay_is_not_equal_where_one_bit_differs() -> None:
    replay = compare_replay(THEN, now(), GOLDEN, pl.Series([0.1, 0.25, 0.5 + 2**-53]))
    assert not replay.is_equal
    assert (replay.unequal, replay.largest) == (1, 2**-53)
    assert description(replay).startswith(
        "not equal: model v1, trained again, predicts 1 of its 3 golden rows differently, by up to "
    )
    assert "no known cause has changed" in description(replay)


def test_replay_distinguishes_later_rows_from_changed_features() -> None:
    later = compare_replay(THEN, now(sub_data={"source": "d" * 64}), GOLDEN, SAME)
    assert later.inputs == (
        Change(
            "raw table sub_data",
            "aaaaaaaaaaaa with 1,000 rows by that day",
            "dddddddddddd with 1,000 rows by that day",
        ),
    )
    assert later.features
    assert "the features are the same: nothing dated by 2025-01-01 has changed" in description(
        later
    )
    changed = compare_replay(
        THEN,
        now(
            sub_miss={"source": "d" * 64, "rows": 51},
            train_features={"fingerprint": "e" * 64, "rows": 101},
        ),
        GOLDEN,
        SAME + 0.01,
    )
    assert not changed.features
    assert (
        "raw table sub_miss: bbbbbbbbbbbb with 50 rows by that day then, dddddddddddd"
        in description(changed)
    )
    assert "the features have changed: 100 rows then, 101 now" in description(changed)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("python", "3.12.0", "Python: 3.11.7 then, 3.12.0 now"),
        ("machine", "Linux aarch64", "machine: Linux x86_64 then, Linux aarch64 now"),
        ("libraries", {"polars": "2.1.0"}, "scikit-learn: 1.9.1 then, none now"),
        ("libraries", THEN["libraries"] | {"numpy": "2"}, "numpy: not known then, 2 now"),
        ("code", {"version": "0.2.0", "digest": "c0de" * 16}, "churnlib: 0.1.0 then, 0.2.0 now"),
        ("code", {"version": "0.1.0", "digest": "d" * 64}, "code: c0dec0dec0de then, dddddddddddd"),
    ],
)
def test_replay_names_other_changes(name: str, value: Any, words: str) -> None:
    replay = compare_replay(THEN, now() | {name: value}, GOLDEN, SAME)
    assert len(replay.others) == 1
    assert words in description(replay)


def test_replay_accepts_a_manifest_with_fewer_fields() -> None:
    old = {name: value for name, value in THEN.items() if name not in ("code", "machine")}
    del old["inputs"]["sub_miss"]
    replay = compare_replay(old, copy.deepcopy(THEN) | {"inputs": now()["inputs"]}, GOLDEN, SAME)
    assert [change.then for change in replay.others] == [None, None, None]


def test_settings_of_a_manifest_are_those_of_the_training_on_another_folder() -> None:
    trained = load_settings("game2", {"train.seed": "null", "as_of": "2024-12-01"})
    manifest = THEN | {
        "settings": trained.model_dump(mode="json", exclude={"data_dir", "schedules", "engine"})
    }
    engine = EngineSettings(memory_mib=64)
    restored = settings_from(manifest, "/scratch", engine)
    assert (restored.as_of, restored.train.seed) == (date(2025, 1, 1), 7)
    assert (restored.data_dir, restored.engine) == ("/scratch", engine)
    kept = {"data_dir", "engine", "schedules", "as_of"}
    train = trained.train.model_copy(update={"seed": 7})
    expected = trained.model_copy(update={"train": train})
    assert restored.model_dump(exclude=kept) == expected.model_dump(exclude=kept)


def test_settings_that_are_no_longer_valid_are_named() -> None:
    settings = load_settings("game1").model_dump(mode="json", exclude={"data_dir", "schedules"})
    settings["train"]["gone"] = 1
    with pytest.raises(ModelError, match=r"game1: model v1 cannot be trained again.*train\.gone"):
        settings_from(THEN | {"settings": settings}, "/scratch", EngineSettings())


def test_an_earlier_version_is_replayed_with_what_was_done_then() -> None:
    settings = load_settings("game1")
    assert settings.train.max_categories == 254
    manifest = {**THEN, "settings": settings.model_dump(mode="json")}
    assert settings_from(manifest, "data", settings.engine).train.max_categories == 254
    del manifest["settings"]["train"]["max_categories"]
    assert settings_from(manifest, "data", settings.engine).train.max_categories is None


def test_replay_is_equal_only_if_that_of_the_model_in_use_is() -> None:
    tested = compare_replay(THEN, now(), GOLDEN, SAME)
    inputs = {"in_use_features": {"fingerprint": "e" * 64, "rows": 140}}
    then = {**THEN, "as_of": "2025-04-01", "inputs": inputs}
    in_use = compare_replay(then, then, GOLDEN, SAME)
    both = replace(tested, in_use=in_use)
    assert both.is_equal
    assert description(both).splitlines()[2:] == [
        "equal: its model in use of 2025-04-01, fitted again, predicts its 3 golden rows the same "
        "to the bit",
        "  raw tables and features are the same, 140 rows",
    ]
    other = compare_replay(then, then, GOLDEN, SAME + 1e-9)
    assert not replace(tested, in_use=other).is_equal
    assert "not equal: its model in use of 2025-04-01" in description(replace(both, in_use=other))
