from pathlib import Path

import pytest

from churnlib.settings import changes, load_settings
from tests.churnlib.settings.samples import BASE


@pytest.fixture
def games(tmp_path: Path) -> str:
    (tmp_path / "base.toml").write_text(BASE)
    (tmp_path / "game1.toml").write_text("")
    return str(tmp_path)


def changed(games: str, overrides: dict[str, object]) -> list[dict[str, str]] | None:
    return changes(load_settings("game1", overrides, games_dir=games, environ={}), games)


def test_game_without_settings_has_no_changes(games: str) -> None:
    assert changed(games, {}) == []


def test_changes_have_path_and_both_values(games: str) -> None:
    changes = changed(
        games,
        {
            "horizon_months": 3,
            "train.seed": "null",
            "features.character_currency.lookback_months": 12,
            "features.character_currency.latest": ["hard_balance"],
            "windows.train.start": -20,
        },
    )
    assert changes is not None
    assert {c["setting"]: (c["base"], c["now"]) for c in changes} == {
        "horizon_months": ("6", "3"),
        "windows.batch_score.start": ("-7", "-4"),  # It is open, so it follows from the horizon.
        "windows.batch_score.end": ("-7", "-4"),
        "train.seed": ("1", "null"),
        "features.character_currency.lookback_months": ("null", "12"),
        "features.character_currency.latest": (
            '["hard_balance", "soft_balance"]',
            '["hard_balance"]',
        ),
        "windows.train.start": ("-31", "-20"),
    }


def test_steps_are_compared_by_name(games: str) -> None:
    model = {"name": "model", "type": "sklearn.linear_model.LogisticRegression"}
    changes = changed(games, {"train.pipeline": [{**model, "params": {"C": 2.0}}]})
    assert changes is not None
    assert {c["setting"]: (c["base"], c["now"]) for c in changes} == {
        "train.pipeline.model.params.C": ("not set", "2.0"),
        "train.pipeline.model.params.solver": ("lbfgs", "not set"),
        "train.pipeline.scale.type": ("sklearn.preprocessing.StandardScaler", "not set"),
        "train.pipeline.scale.params": ("{}", "not set"),
    }


def test_changes_without_effect_on_results_are_ignored(games: str, tmp_path: Path) -> None:
    overrides: dict[str, object] = {"data_dir": str(tmp_path), "as_of": "2024-05-01"}
    overrides |= {"engine.memory_mib": 99, "schedules.active": True}
    assert changed(games, overrides) == []


def test_changes_from_an_incomplete_base_are_unknown(games: str) -> None:
    file = Path(games, "base.toml")
    file.write_text(file.read_text().replace("horizon_months = 6\n", ""))
    assert changed(games, {"horizon_months": 3}) is None


def test_changes_without_a_base_are_unknown(games: str, tmp_path: Path) -> None:
    settings = load_settings("game1", games_dir=games, environ={})
    Path(games, "base.toml").unlink()
    assert changes(settings, games) is None
