"""Settings: the layers they come from, what is refused, and how the refusal is worded."""

import json
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from churnlib.errors import SettingsError
from churnlib.settings import (
    CurrencySettings,
    Settings,
    Window,
    check_label_overlap,
    describe_settings,
    labels_known_by,
    list_games,
    load_settings,
    settings_schema,
)
from churnlib.settings.layers import parse_value

PROJECT = Path(__file__).resolve().parents[3]
BASE = """
data_dir = "data"
horizon_months = 6

[windows]
train = { start = -31, end = -14 }
score = { start = -8, end = -6 }
batch_predict = { start = -1, end = -1 }
batch_score = { start = -7, end = -7 }

[currency]
latest = ["hard_balance", "soft_balance"]

[train]
seed = 1

[[train.pipeline]]
name = "scale"
type = "sklearn.preprocessing.StandardScaler"

[[train.pipeline]]
name = "model"
type = "sklearn.linear_model.LogisticRegression"
params = { solver = "lbfgs" }
"""

Load = Callable[..., Settings]


@pytest.fixture
def games(tmp_path: Path) -> Path:
    """A project with two games that state nothing of their own."""
    folder = tmp_path / "project" / "games"
    folder.mkdir(parents=True)
    (folder / "base.toml").write_text(BASE)
    (folder / "hawk.toml").write_text("")
    (folder / "dove.toml").write_text("")
    return folder


@pytest.fixture
def load(games: Path) -> Load:
    """Loads the game `hawk`, with its own file's text, overrides and environment stated."""

    def load_hawk(
        text: str = "",
        overrides: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Settings:
        (games / "hawk.toml").write_text(text)
        return load_settings("hawk", overrides, games_dir=str(games), environ=environ or {})

    return load_hawk


def refusal(load: Load, *layers: Any, **named: Any) -> str:
    """The message with which settings are refused."""
    with pytest.raises(SettingsError) as caught:
        load(*layers, **named)
    return str(caught.value)


# Layers


def test_games_of_the_project_load() -> None:
    names = list_games(str(PROJECT / "games"), {})
    assert {"game1", "game2"} <= set(names)
    for name in names:
        loaded = load_settings(name, games_dir=str(PROJECT / "games"), environ={})
        assert loaded.game == name
        assert Path(loaded.data_dir) == PROJECT / "data"


def test_each_layer_goes_over_the_one_before(games: Path, load: Load) -> None:
    assert load().train.seed == 1
    own = "[train]\nseed = 2"
    assert load(own).train.seed == 2
    (games / "local.toml").write_text("[train]\nseed = 3")
    assert load(own).train.seed == 3
    environ = {"CHURN_TRAIN__SEED": "4"}
    assert load(own, environ=environ).train.seed == 4
    assert load(own, {"train.seed": 5}, environ).train.seed == 5


def test_tables_are_merged_and_lists_are_replaced(load: Load) -> None:
    found = load("[currency]\nlookback_months = 4\n[windows]\nscore = { end = -5 }")
    assert found.currency == CurrencySettings(
        lookback_months=4, latest=("hard_balance", "soft_balance")
    )
    assert found.windows.score == Window(start=-8, end=-5)
    assert load('[currency]\nlatest = ["sub_hard"]').currency.latest == ("sub_hard",)


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
    found = load(overrides=overrides, environ={"CHURN_TRAIN__MODEL_FORMAT": "joblib"})
    assert found.as_of == date(2024, 6, 30)
    assert found.windows.score.end == -5
    assert found.train.features.exclude == ("price", "race")
    assert found.train.refit is False
    assert found.train.pipeline[1].params == {"C": 0.5}
    assert found.train.model_format == "joblib"


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
def test_parse_value_leaves_alone_what_is_no_toml(text: Any, value: Any) -> None:
    assert parse_value(text) == value


def test_overrides_leave_the_layers_of_the_next_load_as_they_were(load: Load) -> None:
    load(overrides={"train.pipeline.model.params.max_iter": 50, "currency.latest": "[]"})
    assert load().train.pipeline[1].params == {"solver": "lbfgs"}
    assert load().currency.latest == ("hard_balance", "soft_balance")


@pytest.mark.parametrize(
    ("name", "param"),
    [
        ("CHURN_TRAIN__PIPELINE__MODEL__PARAMS__C", "C"),
        ("CHURN_TRAIN__PIPELINE__MODEL__PARAMS__LEARNING_RATE", "learning_rate"),
        ("CHURN_TRAIN__PIPELINE__MODEL__PARAMS__learning_rate", "learning_rate"),
        ("CHURN_TRAIN__PIPELINE__MODEL__PARAMS__Cs", "Cs"),
        ("CHURN_TRAIN__PIPELINE__MODEL__PARAMS__SOLVER", "solver"),
        ("CHURN_train__Pipeline__1__params__fooBar", "fooBar"),
    ],
)
def test_variable_reaches_a_parameter_whatever_its_case(load: Load, name: str, param: str) -> None:
    found = load(environ={name: "0.5"}).train.pipeline[1].params
    assert found == {"solver": "lbfgs", param: 0.5}


def test_variable_reaches_a_parameter_as_a_file_spells_it(load: Load) -> None:
    steps = "[[train.pipeline]]\nname = 'model'\ntype = 'x'\nparams = { Cs = 10, c = 1, C = 2 }"
    prefix = "CHURN_TRAIN__PIPELINE__MODEL__PARAMS__"
    found = load(steps, environ={f"{prefix}CS": "3", f"{prefix}C": "4"}).train.pipeline[0].params
    assert found == {"Cs": 3, "c": 1, "C": 4}


def test_empty_variable_counts_as_unset(load: Load) -> None:
    empty = {"CHURN_DATA_DIR": "", "CHURN_TRAIN__SEED": "", "CHURN_FOO": "", "CHURN_TRAIN": ""}
    assert load(environ=empty) == load()


def test_overrides_leave_the_values_of_the_caller_as_they_were(load: Load) -> None:
    features = {"exclude": ["race"]}
    load(overrides={"train.features": features, "train.features.exclude.0": "price"})
    assert features == {"exclude": ["race"]}


def test_settings_survive_json() -> None:
    for game in list_games(str(PROJECT / "games"), {}):
        dates = {"as_of": "2025-01-01", "windows.score.end": "2024-06-30"}
        loaded = load_settings(game, dates, games_dir=str(PROJECT / "games"), environ={})
        written = json.dumps(loaded.model_dump(mode="json"))
        assert Settings(**json.loads(written)) == loaded


# Where things lie


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


def test_list_games_leaves_out_the_files_that_are_no_game(games: Path) -> None:
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


def test_variable_names_the_games_folder_and_is_no_setting(
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


# Refusals


@pytest.mark.parametrize("game", ["hawks", "Hawk"])
def test_unknown_game_is_refused_with_the_closest(games: Path, game: str) -> None:
    with pytest.raises(SettingsError, match=r"no game '.*Did you mean 'hawk'\?"):
        load_settings(game, games_dir=str(games), environ={})


@pytest.mark.parametrize(
    ("game", "why"),
    [
        ("base", ": base.toml there holds what all games share. Known: dove, hawk."),
        ("local", ": local.toml there holds your own differences. Known: dove, hawk."),
        ("../hawk", ". Did you mean 'hawk'?"),
        ("", ". Known: dove, hawk."),
        ("zz", ". Known: dove, hawk. A new game is a file zz.toml there."),
    ],
)
def test_names_that_are_no_game_are_refused(games: Path, game: str, why: str) -> None:
    (games / "local.toml").write_text("")
    with pytest.raises(SettingsError) as caught:
        load_settings(game, games_dir=str(games), environ={})
    assert str(caught.value) == f"there is no game '{game}' in {games}{why}"


@pytest.mark.parametrize(
    ("path", "value", "closest"),
    [
        ("horizon_month", 3, "horizon_months"),
        ("train.sead", 3, "seed"),
        ("train.features.exclud", [], "exclude"),
        ("currency.aggregations", [{"column": ["sub_hard"], "functions": []}], "columns"),
        ("windows.train.begin", 3, ""),
    ],
)
def test_unknown_setting_is_refused_with_the_closest(
    load: Load, path: str, value: Any, closest: str
) -> None:
    message = refusal(load, overrides={path: value})
    assert path in message
    assert "there is no such setting" in message
    assert (f"Did you mean '{closest}'?" if closest else "Known: ") in message


def test_bad_value_is_refused_with_the_layer_it_comes_from(games: Path, load: Load) -> None:
    good, bad = "[train]\nvalidation_months = 2", "[train]\nvalidation_months = 0"
    environ, overrides = {"CHURN_TRAIN__VALIDATION_MONTHS": "0"}, {"train.validation_months": "0"}
    named = "train.validation_months (from {}): "
    assert named.format("games/hawk.toml") in refusal(load, bad)
    variable = "the variable CHURN_TRAIN__VALIDATION_MONTHS"
    assert named.format(variable) in refusal(load, good, environ=environ)
    assert named.format("--set") in refusal(load, good, overrides)
    (games / "local.toml").write_text(bad)
    assert named.format("games/local.toml") in refusal(load, good)
    (games / "local.toml").write_text("")
    (games / "base.toml").write_text(BASE.replace("seed = 1", "validation_months = 0"))
    assert named.format("games/base.toml") in refusal(load)


def test_refusal_says_what_was_expected_and_found(load: Load) -> None:
    message = refusal(load, 'horizon_months = "six"\n[raw]\non_bad_rows = "ignore"')
    assert message.startswith("hawk: ")
    assert "horizon_months (from games/hawk.toml)" in message
    assert "should be a whole number, not 'six'" in message
    assert "raw.on_bad_rows (from games/hawk.toml)" in message
    assert "'fail' or 'quarantine', not 'ignore'" in message


def test_bad_entry_of_a_list_is_named_by_its_position(load: Load) -> None:
    text = '[currency]\nlatest = ["hard_balance", "gold"]'
    message = refusal(load, text)
    assert "currency.latest.1 (from games/hawk.toml)" in message
    assert "'gold'" in message


def test_entry_of_a_list_must_be_whole(load: Load) -> None:
    message = refusal(load, '[currency]\ndifferences = [{ columns = ["sub_hard"] }]')
    assert "currency.differences.0.periods (from games/hawk.toml): is missing" in message


def test_section_that_no_layer_states_is_missing(games: Path, load: Load) -> None:
    (games / "base.toml").write_text(BASE.replace("horizon_months = 6", ""))
    assert "horizon_months (stated nowhere): is missing" in refusal(load)


def test_list_entry_that_is_not_there_is_refused_with_the_closest(load: Load) -> None:
    message = refusal(load, overrides={"train.pipeline.modle.params.C": 1})
    assert "no entry 'modle'" in message
    assert "Did you mean 'model'?" in message
    assert "no entry '2'" in refusal(load, overrides={"train.pipeline.2.params.C": 1})


def test_path_through_a_value_is_refused(load: Load) -> None:
    message = refusal(load, overrides={"train.seed.big": 1})
    assert message == (
        "hawk: 'train.seed.big' (from --set) leads nowhere, because train.seed is 1 and no table."
    )


def test_file_that_is_no_toml_is_refused_by_name(load: Load) -> None:
    assert "hawk.toml is no TOML file" in refusal(load, "horizon_months = ")


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("horizon_months = 5".encode("utf-16"), "is no TOML file: save it as UTF-8"),
        (b"horizon_months = " + b"1" * 5000, "is no TOML file: Exceeds the limit"),
        (b"x = " + b"[" * 3000 + b"]" * 3000, "is no TOML file: maximum recursion"),
        (b"as_of = 2024-02-30", "is no TOML file: Invalid date"),
    ],
    ids=["utf-16", "digits", "brackets", "day"],
)
def test_file_that_cannot_be_read_is_refused_by_game_and_name(
    games: Path, written: bytes, fault: str
) -> None:
    (games / "dove.toml").write_bytes(written)
    with pytest.raises(SettingsError, match=rf"^dove: .*dove\.toml {fault}"):
        load_settings("dove", games_dir=str(games), environ={})


def test_local_file_is_left_out_on_demand(games: Path) -> None:
    (games / "local.toml").write_text("horizon_months = 5\n")
    load = partial(load_settings, "dove", games_dir=str(games), environ={})
    assert load().horizon_months == 5
    assert load(local=False).horizon_months != 5


def test_file_may_begin_with_a_byte_order_mark(games: Path) -> None:
    (games / "dove.toml").write_text("horizon_months = 5\n", encoding="utf-8-sig")
    assert load_settings("dove", games_dir=str(games), environ={}).horizon_months == 5


@pytest.mark.parametrize(
    "cron",
    [
        "0 6 2 * *",
        "*/15 0-23 1,15,31 jan,JUL-sep mon-fri",
        "59 23 31 12 7",
        "0 2-8/2,20 * 1-12 fri-sun",
    ],
)
def test_cron_that_can_be_is_taken(load: Load, cron: str) -> None:
    assert load(f'schedules.train = "{cron}"').schedules.train == cron


@pytest.mark.parametrize(
    ("cron", "told"),
    [
        ("0 6 32 13 *", "the day cannot be '32': should be * or 1 to 31"),
        ("0 6 1 13 *", "the month cannot be '13': should be * or 1 to 12 or jan to dec"),
        ("60 6 1 1 *", "the minute cannot be '60': should be * or 0 to 59"),
        ("0 1,24 1 1 *", "the hour cannot be '24': should be * or 0 to 23"),
        ("0 6 0 1 *", "the day cannot be '0'"),
        ("0 6 1 1 8", "the weekday cannot be '8': should be * or 0 to 7 or sun to sat"),
        ("0 6 1 1 jan", "the weekday cannot be 'jan'"),
        ("0 5-2 1 1 *", "the hour cannot be '5-2'"),
        ("*/0 6 1 1 *", "the minute cannot be '*/0'"),
        ("*/ 6 1 1 *", "the minute cannot be '*/'"),
        ("0 6, 1 1 *", "the hour cannot be ''"),
        ("0 6 -1 1 *", "the day cannot be '-1'"),
        ("0 6 ١ 1 *", "the day cannot be '١'"),  # noqa: RUF001
        ("0 6 2 *", "should be five fields as in 0 6 2 * *: minute, hour, day, month, weekday"),
        ("@daily", "should be five fields"),
    ],
)
def test_cron_that_cannot_be_is_refused_by_field_and_bounds(
    load: Load, cron: str, told: str
) -> None:
    said = refusal(load, f'schedules.train = "{cron}"')
    assert "schedules.train (from games/hawk.toml): " in said
    assert told in said


def test_origin_of_a_list_is_the_layer_that_replaces_it(load: Load) -> None:
    bad = '["gold", "soft_balance"]'
    own = '[currency]\nlatest = ["hard_balance"]'
    fault = "currency.latest.0 (from {}): "
    assert fault.format("--set") in refusal(load, own, {"currency.latest": bad})
    variable = {"CHURN_CURRENCY__LATEST": bad}
    assert fault.format("the variable CHURN_CURRENCY__LATEST") in refusal(load, own, {}, variable)
    steps = "[[train.pipeline]]\nname = 'scale'\n[[train.pipeline]]\nname = 'model'\ntype = 'x'"
    assert "train.pipeline.0.type (from games/hawk.toml): " in refusal(load, steps)


def test_origin_of_an_entry_is_the_layer_that_reaches_into_the_list(load: Load) -> None:
    message = refusal(load, overrides={"train.pipeline.model.params": 5})
    assert "train.pipeline.1.params (from --set): should be a table, not 5" in message


def test_origin_of_a_value_is_the_override_that_replaces_its_table(load: Load) -> None:
    message = refusal(load, overrides={"windows.train": "{ start = true, end = -14 }"})
    assert "windows.train.start (from --set): should be a day " in message


def test_list_is_not_called_short_where_its_entries_are_refused(load: Load) -> None:
    message = refusal(load, overrides={"train.pipeline": [{"name": "model"}]})
    assert message.splitlines()[1:] == ["  train.pipeline.0.type (from --set): is missing"]
    empty = refusal(load, overrides={"train.pipeline": []})
    assert "train.pipeline (from --set): should be longer, not []" in empty


@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        *((path, value, "a whole number")
          for path in ("horizon_months", "churn_after_months", "train.seed",
                       "train.validation_months", "currency.lookback_months")
          for value in ("true", "6.0", "'6'")),
        ("currency.differences", "[{ columns = [], periods = [true] }]", "a whole number"),
        ("currency.differences", "[{ columns = [], periods = [1], fill = true }]", "a number"),
        ("raw.max_bad_share", "true", "a number"),
        ("train.refit", "1", "true or false"),
        ("train.refit", "yes", "true or false"),
        ("standard.undated_totals", "'true'", "true or false"),
    ],
)  # fmt: skip
def test_value_of_another_type_is_refused(load: Load, path: str, value: str, wanted: str) -> None:
    message = refusal(load, overrides={path: value})
    assert f"  {path}" in message
    assert f"(from --set): should be {wanted}" in message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("horizon_months", 121),
        ("churn_after_months", 10**30),
        ("train.validation_months", 99999),
        ("currency.lookback_months", 99999),
        ("windows.train.start", -99999),
    ],
)
def test_months_beyond_the_calendar_are_refused(load: Load, path: str, value: int) -> None:
    assert f"  {path} (from --set): " in refusal(load, overrides={path: value})


@pytest.mark.parametrize("path", ["as_of", "windows.train.start", "windows.score.end"])
@pytest.mark.parametrize(
    "value",
    ["true", "31536000", "20240701", "'20240701'", "2024-W05-1", "'2024-7-1'", "tomorrow",
     "2024-07-01T00:00:00", "12:00:00", "0001-01-01", "9999-12-31", "'2024-02-30'"],
)  # fmt: skip
def test_day_that_is_written_in_another_way_is_refused(load: Load, path: str, value: str) -> None:
    assert f"  {path} (from --set): should be a day " in refusal(load, overrides={path: value})


def test_number_is_no_day_of_the_run(load: Load) -> None:
    fault = "as_of (from --set): should be a day as in 2024-12-31, not 0"
    assert fault in refusal(load, overrides={"as_of": 0})


def test_day_of_the_run_beyond_the_calendar_is_refused_where_it_comes_from_the_data(
    load: Load,
) -> None:
    fixed = "{ start = 2022-01-01, end = 2022-01-31 }"
    later = "{ start = 2023-01-01, end = 2023-01-31 }"
    for text in ("", f"[windows]\ntrain = {fixed}\nscore = {later}"):
        with pytest.raises(ValueError, match="day 9999-12-01, which is as_of or else the latest"):
            check_label_overlap(load(text), date(9999, 12, 1))


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("null", "(from --set): should be a text"),
        ("", "(from --set): should be longer"),
        ("5", "(from --set): should be a text"),
        ("ftp://host/data", "'ftp://host/data' is neither a folder nor one of s3://bucket/folder,"),
        ("s3:///data", "'s3:///data' names no bucket"),
        ("~nosuchuser/data", "'~nosuchuser/data' is no folder"),
        ('"a\\u0000b"', "is no folder"),
    ],
)
def test_data_dir_that_is_no_folder_is_refused(load: Load, value: str, fault: str) -> None:
    message = refusal(load, overrides={"data_dir": value})
    assert message.startswith("hawk: ")
    assert "data_dir" in message
    assert fault in message


@pytest.mark.parametrize("path", ["", ".", "train..seed", "train."])
def test_path_with_an_empty_name_is_refused(load: Load, path: str) -> None:
    assert f"'{path}' (from --set) is no path of a setting" in refusal(load, overrides={path: 1})


def test_category_fault_names_its_column(load: Load) -> None:
    message = refusal(load, "[raw.categories]\nrace = ['elf', 1]\nsize = ['x']")
    assert "  raw.categories.race.1 (from games/hawk.toml): should be a text" in message
    assert "  raw.categories.size (from games/hawk.toml): should be 'gender', 'race'" in message


def test_value_of_great_length_is_cut(load: Load) -> None:
    assert len(refusal(load, overrides={"train": "x" * 1000})) < 200


def test_feature_asked_for_twice_is_refused(load: Load) -> None:
    twice = "aggregations = [%s, %s]" % (('{ columns = ["sub_hard"], functions = ["sum"] }',) * 2)
    message = refusal(load, f"[currency]\n{twice}")
    assert "currency (from games/hawk.toml): asks twice for sub_hard_sum" in message


def test_segment_named_twice_is_refused(load: Load) -> None:
    message = refusal(load, '[evaluation]\nsegments = ["race", "gender", "race"]')
    assert "evaluation.segments (from games/hawk.toml): names race twice" in message


def test_two_steps_of_one_name_are_refused(load: Load) -> None:
    assert "two steps named model" in refusal(load, overrides={"train.pipeline.0.name": "model"})


def test_incentive_that_costs_what_a_subscriber_is_worth_is_refused(load: Load) -> None:
    message = refusal(load, "[campaign]\nlifetime_value = 10")
    assert "lifetime_value 10 should be above incentive_cost 10: no campaign pays" in message


def test_share_held_out_does_not_change_the_offer(load: Load) -> None:
    one, other = (load(f"campaign.hold_out_share = {share}").campaign for share in (0, 0.5))
    assert one != other
    assert one.offer == other.offer
    assert one.offer.acceptance_rate == 0.3


# Windows and labels


def test_relative_window_runs_from_first_to_last_day_of_its_months() -> None:
    window = Window(start=-2, end=0)
    assert window.is_relative and not window.is_fixed
    assert window.span(date(2024, 2, 10)) == (date(2023, 12, 1), date(2024, 2, 29))


def test_fixed_window_is_the_same_on_every_day(load: Load) -> None:
    fixed = "{ start = 2022-01-15, end = 2022-12-31 }"
    window = load(f"windows.train = {fixed}").windows.train
    assert window.is_fixed and not window.is_relative
    for as_of in (date(2024, 2, 10), date(2025, 1, 1)):
        assert window.span(as_of) == (date(2022, 1, 15), date(2022, 12, 31))


def test_window_may_be_a_single_day(load: Load) -> None:
    day = date(2024, 2, 1)
    window = load("windows.batch_score = { start = 2024-02-01, end = 2024-02-01 }").windows
    assert window.batch_score.span(date(2025, 1, 1)) == (day, day)


def test_window_may_have_one_end_fixed() -> None:
    window = Window(start=date(2022, 1, 15), end=-1)
    assert not window.is_fixed and not window.is_relative
    assert window.span(date(2024, 3, 10)) == (date(2022, 1, 15), date(2024, 2, 29))


@pytest.mark.parametrize(
    "window", ["{ start = -1, end = -2 }", "{ start = 2024-02-02, end = 2024-02-01 }"]
)
def test_window_that_ends_before_its_start_is_refused(load: Load, window: str) -> None:
    assert "windows.batch_score" in refusal(load, f"windows.batch_score = {window}")


def test_labels_are_known_the_horizon_after_the_month_of_the_training_window_end(
    load: Load,
) -> None:
    assert labels_known_by(load(), date(2024, 7, 20)) == date(2023, 11, 1)
    fixed = load("windows.train = { start = 2022-01-01, end = 2022-08-17 }")
    assert labels_known_by(fixed, date(2024, 7, 20)) == date(2023, 2, 1)


@pytest.mark.parametrize(
    ("touching", "overlapping"),
    [
        ("train = { start = -31, end = -14 }", "train = { start = -31, end = -13 }"),
        (
            "train = { start = 2022-01-01, end = 2022-08-31 }\n"
            "score = { start = 2023-02-01, end = 2023-03-31 }",
            "train = { start = 2022-01-01, end = 2022-08-31 }\n"
            "score = { start = 2023-01-31, end = 2023-03-31 }",
        ),
    ],
    ids=["relative", "fixed"],
)
def test_training_labels_known_after_the_scoring_window_opens_are_refused(
    load: Load, touching: str, overlapping: str
) -> None:
    assert load(f"[windows]\n{touching}").allow_label_overlap is False
    message = refusal(load, f"[windows]\n{overlapping}")
    assert "see the future" in message
    assert "allow_label_overlap = true" in message
    assert load(f"allow_label_overlap = true\n[windows]\n{overlapping}").allow_label_overlap


def test_longer_horizon_makes_labels_overlap(load: Load) -> None:
    assert "see the future" in refusal(load, overrides={"horizon_months": 7})


def test_mixed_windows_are_checked_on_the_day_of_the_run(load: Load) -> None:
    mixed = load("windows.train = { start = 2022-01-01, end = 2022-08-31 }")
    check_label_overlap(mixed, date(2023, 10, 1))
    with pytest.raises(ValueError, match="see the future"):
        check_label_overlap(mixed, date(2023, 9, 30))


@pytest.mark.parametrize("day", ["as_of = 2023-09-30\n", ""], ids=["in a file", "of this run"])
def test_mixed_windows_are_checked_when_loaded_where_the_day_is_known(load: Load, day: str) -> None:
    mixed = "windows.train = { start = 2022-01-01, end = 2022-08-31 }"
    named = {} if day else {"as_of": "2023-09-30"}
    assert "see the future" in refusal(load, f"{day}{mixed}", named)
    assert load(f"{day}{mixed}", {"as_of": date(2023, 10, 1)}).as_of == date(2023, 10, 1)


# The model itself


def test_settings_are_frozen(load: Load) -> None:
    found = load()
    with pytest.raises(ValidationError, match="frozen"):
        found.horizon_months = 3  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        found.train.seed = 3  # type: ignore[misc]


def test_schema_lets_a_file_state_only_its_differences() -> None:
    schema = Settings.model_json_schema()
    parts = {"Settings": schema, **schema["$defs"]}
    demanding = {name for name, part in parts.items() if "required" in part}
    assert demanding == {"Aggregation", "Difference", "Fill", "Step"}
    assert all(part["additionalProperties"] is False for part in parts.values())


def test_schema_allows_null_as_text_where_a_setting_may_be_unset() -> None:
    written = settings_schema()
    assert '"type": "null"' not in written
    schema = json.loads(written)
    parts = {"": schema, **schema["$defs"]}
    unset = {
        f"{part}.{name}"
        for part, table in parts.items()
        for name, stated in table["properties"].items()
        if any(kind.get("const") == "null" for kind in stated.get("anyOf", ()))
    }
    assert unset == {
        ".as_of", "Aggregation.fill", "CurrencySettings.lookback_months", "Difference.fill",
        "ChampionSettings.max_loss", "ChampionSettings.keep_versions",
        "FeatureChoice.include", "TrainSettings.sample", "TrainSettings.seed",
        "EngineSettings.scheduler", "EngineSettings.workers", "EngineSettings.scratch_dir",
    }  # fmt: skip


def test_game_is_in_no_list_of_settings(load: Load) -> None:
    assert "game" not in json.loads(settings_schema())["properties"]
    assert "  game: " not in describe_settings()
    assert "Known: allow_label_overlap" in (message := refusal(load, "zzz = 1"))
    assert " game," not in message


def test_schema_describes_every_setting() -> None:
    schema = Settings.model_json_schema()
    for name in ("Settings", "TrainSettings", "CurrencySettings", "RawSettings"):
        part = schema if name == "Settings" else schema["$defs"][name]
        for setting, stated in part["properties"].items():
            assert "description" in stated or "$ref" in stated, f"{name}.{setting}"


def test_feature_names_are_in_the_order_of_the_settings() -> None:
    settings = CurrencySettings.model_validate(
        {
            "latest": ["soft_balance"],
            "aggregations": [{"columns": ["sub_hard"], "functions": ["sum", "mean"]}],
            "differences": [{"columns": ["soft_balance", "sub_soft"], "periods": [1, 3]}],
        }
    )
    assert settings.feature_names == (
        "soft_balance",
        "currency_age_months",
        "sub_hard_sum",
        "sub_hard_mean",
        "soft_balance_diff_1",
        "soft_balance_diff_3",
        "sub_soft_diff_1",
        "sub_soft_diff_3",
    )


def test_null_unsets_what_a_layer_below_states(load: Load) -> None:
    twelve = "[currency]\nlookback_months = 12"
    assert load(twelve).currency.lookback_months == 12
    assert load(twelve, {"currency.lookback_months": "null"}).currency.lookback_months is None
    assert load("[train]\nseed = 'null'").train.seed is None
    assert load("[train]\nseed = 7", {}, {"CHURN_TRAIN__SEED": "null"}).train.seed is None


def test_window_end_of_truth_value_is_refused(load: Load) -> None:
    assert "windows.score.end" in refusal(load, "", {"windows.score.end": "true"})


def test_column_filled_twice_is_refused(load: Load) -> None:
    entry = '{ columns = ["sub_hard"], value = 0 }'
    assert "fill" in refusal(load, f"[currency]\nfill_values = [{entry}, {entry}]")


def test_fill_that_is_no_number_is_refused(load: Load) -> None:
    fills = '[currency]\nfill_values = [{ columns = ["sub_hard"], value = nan }]'
    assert "finite" in refusal(load, fills)


def test_game_is_no_setting(load: Load) -> None:
    assert "'game' is no setting" in refusal(load, "", {"game": "dove"})
    assert "'game' is no setting" in refusal(load, "", {}, {"CHURN_GAME": "dove"})
    assert "'game' is no setting" in refusal(load, "game = 'dove'")
