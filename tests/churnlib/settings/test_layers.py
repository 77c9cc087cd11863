"""The layers of settings: files, environment and overrides."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from churnlib.errors import SettingsError
from churnlib.settings import Settings, Window, list_games, load_settings
from churnlib.settings.history_features import HistoryFeatures
from churnlib.settings.layers import load_base, parse_value
from churnlib.settings.tree import leaves
from tests.base import history_features
from tests.churnlib.settings.samples import PATHS, PROJECT, Load


def test_games_of_the_project_load() -> None:
    names = list_games(str(PROJECT / "games"), {})
    assert {"game1", "game2"} <= set(names)
    for name in names:
        loaded = load_settings(name, games_dir=str(PROJECT / "games"), environ={})
        assert loaded.game == name
        assert Path(loaded.data_dir) == PROJECT / "data"


def test_base_of_the_project_states_every_setting() -> None:
    base = load_base("game1", str(PROJECT / "games"))
    paths = {".".join(path[:depth]) for path in leaves(base) for depth in range(len(path) + 1)}
    assert set(PATHS) - paths == {"description", "raw.categories"}  # An empty table has no leaves.


def test_later_layers_take_precedence(games: Path, load: Load) -> None:
    assert load().train.seed == 1
    own = "[train]\nseed = 2"
    assert load(own).train.seed == 2
    (games / "local.toml").write_text("[train]\nseed = 3")
    assert load(own).train.seed == 3
    environ = {"CHURN_TRAIN__SEED": "4"}
    assert load(own, environ=environ).train.seed == 4
    assert load(own, {"train.seed": 5}, environ).train.seed == 5


def test_tables_are_merged_and_lists_are_replaced(load: Load) -> None:
    settings = load(
        "[features.character_currency]\nlookback_months = 4\n[windows]\nscore = { end = -5 }"
    )
    assert history_features(settings.features) == HistoryFeatures(
        lookback_months=4, latest=("hard_balance", "soft_balance")
    )
    assert settings.windows.score == Window(start=-8, end=-5)
    replaced = load('[features.character_currency]\nlatest = ["sub_hard"]')
    assert history_features(replaced.features).latest == ("sub_hard",)


def test_overrides_reach_into_a_list_by_name_and_by_position(load: Load) -> None:
    by_name = load(overrides={"train.pipeline.model.params.max_iter": 50})
    assert by_name.train.pipeline[1].params == {"solver": "lbfgs", "max_iter": 50}
    by_place = load(overrides={"train.pipeline.0.params.with_mean": "false"})
    assert by_place.train.pipeline[0].params == {"with_mean": False}
    assert by_place.train.pipeline[1] == load().train.pipeline[1]


def test_overrides_and_environment_are_read_as_toml_values(load: Load) -> None:
    overrides = {
        "as_of": "2024-06-30",
        "windows.score.end": "-5",
        "train.features.exclude": '["price", "race"]',
        "train.refit": "false",
        "train.pipeline.model.params": "{ C = 0.5 }",
    }
    settings = load(overrides=overrides, environ={"CHURN_TRAIN__MODEL_FORMAT": "joblib"})
    assert settings.as_of == date(2024, 6, 30)
    assert settings.windows.score.end == -5
    assert settings.train.features.exclude == ("price", "race")
    assert settings.train.refit is False
    assert settings.train.pipeline[1].params == {"C": 0.5}
    assert settings.train.model_format == "joblib"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("1e-3", 0.001),
        ('"7"', "7"),
        ("2024-01-31", date(2024, 1, 31)),
        ("self", "self"),
        ("1\nother = 2", "1\nother = 2"),
        ("", ""),
        (3, 3),
        (["a"], ["a"]),
    ],
)
def test_parse_value_returns_other_text_unchanged(text: Any, value: Any) -> None:
    assert parse_value(text) == value


def test_overrides_do_not_affect_the_next_load(load: Load) -> None:
    load(
        overrides={
            "train.pipeline.model.params.max_iter": 50,
            "features.character_currency.latest": "[]",
        }
    )
    assert load().train.pipeline[1].params == {"solver": "lbfgs"}
    assert history_features(load().features).latest == ("hard_balance", "soft_balance")


def test_empty_variable_counts_as_unset(load: Load) -> None:
    empty = {"CHURN_DATA_DIR": "", "CHURN_TRAIN__SEED": "", "CHURN_FOO": "", "CHURN_TRAIN": ""}
    assert load(environ=empty) == load()


def test_overrides_of_the_caller_are_not_changed(load: Load) -> None:
    features = {"exclude": ["race"]}
    load(overrides={"train.features": features, "train.features.exclude.0": "price"})
    assert features == {"exclude": ["race"]}


def test_settings_survive_json() -> None:
    for game in list_games(str(PROJECT / "games"), {}):
        dates = {"as_of": "2025-01-01", "windows.score.end": "2024-06-30"}
        loaded = load_settings(game, dates, games_dir=str(PROJECT / "games"), environ={})
        written = json.dumps(loaded.model_dump(mode="json"))
        assert Settings(**json.loads(written)) == loaded


def test_data_dir_of_a_file_is_relative_to_the_folder_above_the_games(
    games: Path, load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Path(load().data_dir) == games.parent / "data"
    assert Path(load('data_dir = "elsewhere"').data_dir) == games.parent / "elsewhere"


def test_data_dir_of_the_command_line_is_relative_to_the_working_folder(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Path(load(overrides={"data_dir": "mine"}).data_dir) == tmp_path / "mine"
    assert Path(load(environ={"CHURN_DATA_DIR": "yours"}).data_dir) == tmp_path / "yours"


def test_data_dir_may_be_absolute_or_at_home(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Path(load(f'data_dir = "{tmp_path}/far"').data_dir) == tmp_path / "far"
    assert Path(load(overrides={"data_dir": "~/churn"}).data_dir) == tmp_path / "churn"


def test_list_games_ignores_other_files(games: Path) -> None:
    (games / "local.toml").write_text("")
    (games / "schema.json").write_text("{}")
    (games / ".hawk.toml").write_text("")
    (games / "folder.toml").mkdir()
    (games / "gone.toml").symlink_to(games / "nowhere.toml")
    assert list_games(str(games), {}) == ("dove", "hawk")


def test_games_are_found_from_the_working_folder_upwards(
    games: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = games.parent / "notebooks" / "mine"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert list_games(environ={}) == ("dove", "hawk")


def test_games_folder_may_be_named_by_a_variable(
    games: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    environ = {"CHURN_GAMES_DIR": str(games)}
    assert list_games(environ=environ) == ("dove", "hawk")
    assert load_settings("dove", environ=environ).game == "dove"


def test_games_folder_without_base_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no base\.toml in .*CHURN_GAMES_DIR"):
        list_games(str(tmp_path), {})


def test_environment_of_the_process_is_the_default(
    games: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_HORIZON_MONTHS", "2")
    assert load_settings("hawk", games_dir=str(games)).horizon_months == 2


def test_nested_overrides_are_merged(load: Load) -> None:
    nested = {"train": {"seed": 3, "features": {"exclude": ["race"]}}, "windows.score": {"end": -5}}
    changed, plain = load(overrides=nested), load()
    assert changed.train.seed == 3
    assert changed.train.features.exclude == ("race",)
    assert changed.windows.score == Window(start=plain.windows.score.start, end=-5)
    assert changed.train.pipeline == plain.train.pipeline
    assert load(overrides={"train": {}, "features": {}}) == plain


def test_nested_overrides_reach_into_a_list_by_name(load: Load) -> None:
    steps = {"model": {"params": {"C": 2.0}}}
    changed = load(overrides={"train": {"pipeline": steps}})
    assert changed.train.pipeline[1].params == {"solver": "lbfgs", "C": 2.0}


def test_dotted_names_in_nested_overrides_are_paths(load: Load) -> None:
    changed = load(overrides={"train": {"features.exclude": ["race"]}})
    assert changed.train.features.exclude == ("race",)


@pytest.mark.parametrize(
    ("game", "overrides", "message"),
    [
        (5, None, "game should be the name of a game such as 'game1', not 5."),
        (None, None, "game should be the name of a game such as 'game1', not None."),
        ("hawk", 5, "hawk: overrides should be settings by path, such as {'train.seed': 7}, not 5"),
        ("hawk", ["x=1"], "hawk: overrides should be settings by path, "),
        ("hawk", {1: 2}, "hawk: overrides: 1 should be the path of a setting such as train.seed."),
        ("hawk", {"train": {None: 2}}, "hawk: overrides: None should be the path of a setting "),
        (
            "hawk",
            {"train": 3},
            "hawk: invalid settings:\n  train (from overrides): should be a table",
        ),
    ],
)
def test_arguments_of_another_type_are_refused(
    games: Path, game: Any, overrides: Any, message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(game, overrides, games_dir=str(games), environ={})
    assert str(caught.value).startswith(message)


def test_spellings_of_one_folder_are_one_data_dir(load: Load, tmp_path: Path) -> None:
    folder, link = tmp_path / "data", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder)
    spellings = (folder, link, tmp_path / "data" / ".." / "data", f"{folder}/")
    assert {load(overrides={"data_dir": str(text)}).data_dir for text in spellings} == {str(folder)}
