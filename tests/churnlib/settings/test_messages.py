"""The messages for invalid settings."""

from datetime import date
from functools import partial
from pathlib import Path

import pytest

from churnlib.errors import SettingsError
from churnlib.settings import (
    check_label_overlap,
    load_settings,
)
from tests.churnlib.settings.samples import BASE, Load, refusal


@pytest.mark.parametrize("game", ["hawks", "Hawk"])
def test_unknown_game_is_refused_with_the_closest(games: Path, game: str) -> None:
    with pytest.raises(SettingsError, match=r"no game '.*Did you mean 'hawk'\?"):
        load_settings(game, games_dir=str(games), environ={})


@pytest.mark.parametrize(
    ("game", "why"),
    [
        ("base", ": base.toml there contains what all games share. Known: dove, hawk."),
        ("local", ": local.toml there contains your own differences. Known: dove, hawk."),
        ("../hawk", ". Did you mean 'hawk'?"),
        ("", ". Known: dove, hawk."),
        ("zz", ". Known: dove, hawk. To add a game, create zz.toml there."),
    ],
)
def test_names_of_other_files_are_refused_as_games(games: Path, game: str, why: str) -> None:
    (games / "local.toml").write_text("")
    with pytest.raises(SettingsError) as caught:
        load_settings(game, games_dir=str(games), environ={})
    assert str(caught.value) == f"there is no game '{game}' in {games}{why}"


def test_invalid_value_is_refused_with_its_layer(games: Path, load: Load) -> None:
    good, bad = "[train]\nvalidation_months = 2", "[train]\nvalidation_months = 0"
    environ, overrides = {"CHURN_TRAIN__VALIDATION_MONTHS": "0"}, {"train.validation_months": "0"}
    named = "train.validation_months (from {}): "
    assert named.format("games/hawk.toml") in refusal(load, bad)
    variable = "the variable CHURN_TRAIN__VALIDATION_MONTHS"
    assert named.format(variable) in refusal(load, good, environ=environ)
    assert named.format("overrides") in refusal(load, good, overrides)
    (games / "local.toml").write_text(bad)
    assert named.format("games/local.toml") in refusal(load, good)
    (games / "local.toml").write_text("")
    (games / "base.toml").write_text(BASE.replace("seed = 1", "validation_months = 0"))
    assert named.format("games/base.toml") in refusal(load)


def test_message_has_expected_and_actual_value(load: Load) -> None:
    message = refusal(load, 'horizon_months = "six"\n[raw]\non_bad_rows = "ignore"')
    assert message.startswith("hawk: ")
    assert "horizon_months (from games/hawk.toml)" in message
    assert "should be a whole number, not 'six'" in message
    assert "raw.on_bad_rows (from games/hawk.toml)" in message
    assert "'fail' or 'quarantine', not 'ignore'" in message


def test_invalid_entry_of_a_list_is_named_by_its_position(load: Load) -> None:
    text = '[features.character_currency]\nlatest = ["hard_balance", "gold"]'
    message = refusal(load, text)
    assert "features.character_currency.latest.1 (from games/hawk.toml)" in message
    assert "'gold'" in message


def test_incomplete_entry_of_a_list_is_refused(load: Load) -> None:
    message = refusal(
        load, '[features.character_currency]\ndifferences = [{ columns = ["sub_hard"] }]'
    )
    assert (
        "features.character_currency.differences.0.periods (from games/hawk.toml): is missing"
        in message
    )


def test_required_setting_that_no_layer_sets_is_refused(games: Path, load: Load) -> None:
    (games / "base.toml").write_text(BASE.replace("horizon_months = 6", ""))
    assert "horizon_months (not set anywhere): is missing" in refusal(load)


def test_unknown_list_entry_is_refused_with_the_closest(load: Load) -> None:
    message = refusal(load, overrides={"train.pipeline.modle.params.C": 1})
    assert "no entry 'modle'" in message
    assert "Did you mean 'model'?" in message
    assert "no entry '2'" in refusal(load, overrides={"train.pipeline.2.params.C": 1})


def test_path_through_a_value_is_refused(load: Load) -> None:
    assert refusal(load, overrides={"train.seed.big": 1}) == (
        "hawk: 'train.seed.big' (from overrides) leads nowhere, because "
        "train.seed is 1 and not a table."
    )


def test_invalid_toml_is_refused_with_the_name_of_the_file(load: Load) -> None:
    assert "hawk.toml is not a TOML file" in refusal(load, "horizon_months = ")


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("horizon_months = 5".encode("utf-16"), "is not a TOML file: save it as UTF-8"),
        (b"horizon_months = " + b"1" * 5000, "is not a TOML file: Exceeds the limit"),
        (b"x = " + b"[" * 3000 + b"]" * 3000, "is not a TOML file: maximum recursion"),
        (b"as_of = 2024-02-30", "is not a TOML file: Invalid date"),
    ],
    ids=["utf-16", "digits", "brackets", "day"],
)
def test_unreadable_file_is_refused_with_game_and_name(
    games: Path, written: bytes, fault: str
) -> None:
    (games / "dove.toml").write_bytes(written)
    with pytest.raises(SettingsError, match=rf"^dove: .*dove\.toml {fault}"):
        load_settings("dove", games_dir=str(games), environ={})


def test_local_file_can_be_ignored(games: Path) -> None:
    (games / "local.toml").write_text("horizon_months = 5\n")
    load = partial(load_settings, "dove", games_dir=str(games), environ={})
    assert load().horizon_months == 5
    assert load(local=False).horizon_months != 5


def test_file_may_start_with_a_byte_order_mark(games: Path) -> None:
    (games / "dove.toml").write_text("horizon_months = 5\n", encoding="utf-8-sig")
    assert load_settings("dove", games_dir=str(games), environ={}).horizon_months == 5


def test_origin_of_a_list_is_the_layer_that_replaces_it(load: Load) -> None:
    bad = '["gold", "soft_balance"]'
    own = '[features.character_currency]\nlatest = ["hard_balance"]'
    fault = "features.character_currency.latest.0 (from {}): "
    assert fault.format("overrides") in refusal(
        load, own, {"features.character_currency.latest": bad}
    )
    variable = {"CHURN_FEATURES__CHARACTER_CURRENCY__LATEST": bad}
    named = "the variable CHURN_FEATURES__CHARACTER_CURRENCY__LATEST"
    assert fault.format(named) in refusal(load, own, {}, variable)
    steps = "[[train.pipeline]]\nname = 'scale'\n[[train.pipeline]]\nname = 'model'\ntype = 'x'"
    assert "train.pipeline.0.type (from games/hawk.toml): " in refusal(load, steps)


def test_origin_of_an_entry_is_the_layer_that_reaches_into_the_list(load: Load) -> None:
    message = refusal(load, overrides={"train.pipeline.model.params": 5})
    assert "train.pipeline.1.params (from overrides): should be a table, not 5" in message


def test_origin_of_a_value_is_the_override_that_replaces_its_table(load: Load) -> None:
    message = refusal(load, overrides={"windows.train": "{ start = true, end = -14 }"})
    assert "windows.train.start (from overrides): should be a day " in message


def test_list_of_invalid_entries_is_not_called_short(load: Load) -> None:
    message = refusal(load, overrides={"train.pipeline": [{"name": "model"}]})
    assert message.splitlines()[1:] == ["  train.pipeline.0.type (from overrides): is missing"]
    empty = refusal(load, overrides={"train.pipeline": []})
    assert "train.pipeline (from overrides): should be longer, not []" in empty


@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        *((path, value, "a whole number")
          for path in ("horizon_months", "outcome.missed_months", "train.seed",
                       "train.validation_months", "features.character_currency.lookback_months")
          for value in ("true", "6.0", "'6'")),
        ("features.character_currency.differences", "[{ columns = [], periods = [true] }]",
         "a whole number"),
        ("features.character_currency.differences",
         "[{ columns = [], periods = [1], fill = true }]", "a number"),
        ("raw.max_bad_share", "true", "a number"),
        ("train.refit", "1", "true or false"),
        ("train.refit", "yes", "true or false"),
        ("standard.undated_totals", "'true'", "true or false"),
    ],
)  # fmt: skip
def test_value_of_another_type_is_refused(load: Load, path: str, value: str, wanted: str) -> None:
    message = refusal(load, overrides={path: value})
    assert f"  {path}" in message
    assert f"(from overrides): should be {wanted}" in message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("horizon_months", 121),
        ("outcome.missed_months", 10**30),
        ("train.validation_months", 99999),
        ("features.character_currency.lookback_months", 99999),
        ("windows.train.start", -99999),
    ],
)
def test_months_out_of_range_are_refused(load: Load, path: str, value: int) -> None:
    assert f"  {path} (from overrides): " in refusal(load, overrides={path: value})


@pytest.mark.parametrize("path", ["as_of", "windows.train.start", "windows.score.end"])
@pytest.mark.parametrize(
    "value",
    ["true", "31536000", "20240701", "'20240701'", "2024-W05-1", "'2024-7-1'", "tomorrow",
     "2024-07-01T00:00:00", "12:00:00", "0001-01-01", "9999-12-31", "'2024-02-30'"],
)  # fmt: skip
def test_day_in_another_format_is_refused(load: Load, path: str, value: str) -> None:
    assert f"  {path} (from overrides): should be a day " in refusal(load, overrides={path: value})


def test_number_as_day_of_the_run_is_refused(load: Load) -> None:
    fault = "as_of (from overrides): should be a day such as 2024-12-31, not 0"
    assert fault in refusal(load, overrides={"as_of": 0})


def test_day_of_the_run_out_of_range_is_refused_if_it_is_the_latest_date(
    load: Load,
) -> None:
    fixed = "{ start = 2022-01-01, end = 2022-01-31 }"
    later = "{ start = 2023-01-01, end = 2023-01-31 }"
    for text in ("", f"[windows]\ntrain = {fixed}\nscore = {later}"):
        with pytest.raises(ValueError, match="day 9999-12-01, which is as_of or else follows from"):
            check_label_overlap(load(text), date(9999, 12, 1))


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("null", "(from overrides): should be text"),
        ("", "(from overrides): should be longer"),
        ("5", "(from overrides): should be text"),
        ("ftp://host/data", "'ftp://host/data' is neither a folder nor one of s3://bucket/folder,"),
        ("s3:///data", "'s3:///data' names no bucket"),
        ("~nosuchuser/data", "'~nosuchuser/data' is not a folder"),
        ('"a\\u0000b"', "is not a folder"),
    ],
)
def test_invalid_data_dir_is_refused(load: Load, value: str, fault: str) -> None:
    message = refusal(load, overrides={"data_dir": value})
    assert message.startswith("hawk: ")
    assert "data_dir" in message
    assert fault in message


@pytest.mark.parametrize("path", ["", ".", "train..seed", "train."])
def test_path_with_an_empty_name_is_refused(load: Load, path: str) -> None:
    assert f"'{path}' (from overrides) is not the path of a setting" in refusal(
        load, overrides={path: 1}
    )


def test_invalid_category_is_named_with_its_column(load: Load) -> None:
    message = refusal(load, "[raw.categories]\nrace = ['elf', 1]\nsize = ['x']")
    assert "  raw.categories.race.1 (from games/hawk.toml): should be text" in message
    assert "raw.categories.size (from games/hawk.toml): no such category" in refusal(
        load, "[raw.categories]\nsize = ['x']"
    )


def test_long_value_is_cut(load: Load) -> None:
    assert len(refusal(load, overrides={"train": "x" * 1000})) < 200


def test_duplicate_feature_is_refused(load: Load) -> None:
    twice = "aggregations = [%s, %s]" % (('{ columns = ["sub_hard"], functions = ["sum"] }',) * 2)
    message = refusal(load, f"[features.character_currency]\n{twice}")
    assert (
        "features.character_currency (from games/hawk.toml): asks twice for sub_hard_sum" in message
    )


def test_duplicate_segment_is_refused(load: Load) -> None:
    message = refusal(load, '[evaluation]\nsegments = ["race", "gender", "race"]')
    assert "evaluation.segments (from games/hawk.toml): names race twice" in message


def test_duplicate_name_of_a_step_is_refused(load: Load) -> None:
    assert "two steps named model" in refusal(load, overrides={"train.pipeline.0.name": "model"})


def test_incentive_as_expensive_as_a_subscriber_is_refused(load: Load) -> None:
    message = refusal(load, "[campaign]\nlifetime_value = 10")
    assert "lifetime_value 10 should be above incentive_cost 10: no campaign pays" in message


def test_offer_does_not_depend_on_the_share_held_out(load: Load) -> None:
    one, other = (load(f"campaign.hold_out_share = {share}").campaign for share in (0, 0.5))
    assert one != other
    assert one.offer == other.offer
    assert one.offer.acceptance_rate == 0.3


@pytest.mark.parametrize(
    ("overrides", "environ", "origin"),
    [
        ({"currency.latest": []}, {}, "overrides"),
        (
            {},
            {"CHURN_CURRENCY__LOOKBACK_MONTHS": "3"},
            "the variable CHURN_CURRENCY__LOOKBACK_MONTHS",
        ),
    ],
)
def test_renamed_table_of_settings_is_refused_with_its_new_name(
    load: Load, overrides: dict[str, object], environ: dict[str, str], origin: str
) -> None:
    assert refusal(load, "", overrides, environ) == (
        "hawk: invalid settings:\n"
        f"  currency (from {origin}): is now called features.character_currency: rename it"
    )
