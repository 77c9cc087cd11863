"""The names of settings: case-sensitive in every layer, and at every depth."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from churnlib.settings import (
    Settings,
    load_settings,
)
from churnlib.settings.layers import NOT_SETTINGS
from tests.churnlib.settings.samples import PATHS, Load, refusal


def nested(path: str) -> dict[str, Any]:
    """A tree with a value at a path."""
    first, _, rest = path.partition(".")
    return {first: nested(rest) if rest else "x"}


def capitalized(path: str) -> str:
    """The path with its last name in other letters."""
    table, dot, name = path.rpartition(".")
    return f"{table}{dot}{name.title()}"


@pytest.mark.parametrize("path", PATHS)
def test_setting_in_other_letters_is_refused_by_every_layer(
    games: Path, load: Load, path: str
) -> None:
    wrong = capitalized(path)
    suggestion = f"there is no such setting. Did you mean '{path.rpartition('.')[2]}'?"
    text = f'{wrong} = "x"'
    assert f"{wrong} (from games/hawk.toml): {suggestion}" in refusal(load, text)
    assert f"{wrong} (from overrides): {suggestion}" in refusal(load, overrides={wrong: "x"})
    assert f"{wrong} (from overrides): {suggestion}" in refusal(load, overrides=nested(wrong))
    (games / "local.toml").write_text(text)
    assert f"{wrong} (from games/local.toml): {suggestion}" in refusal(load)


@pytest.mark.parametrize("path", PATHS)
def test_setting_in_other_letters_is_refused_by_its_model(path: str) -> None:
    model: Any = Settings
    *tables, name = path.split(".")
    for table in tables:
        model = model.model_fields[table].annotation
    with pytest.raises(ValidationError, match=f"Did you mean '{name}'"):
        model(**{name.title(): "x"})


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("change", [str.lower, str.title])
def test_variable_in_other_letters_is_refused_with_the_right_name(
    load: Load, path: str, change: Callable[[str], str]
) -> None:
    variable = "CHURN_" + path.replace(".", "__").upper()
    message = f"hawk: the variable {change(variable)} is not in capitals. Did you mean {variable}?"
    assert refusal(load, environ={change(variable): "x"}) == message


def test_variable_with_only_the_prefix_in_capitals_is_refused(load: Load) -> None:
    message = refusal(load, environ={"CHURN_Foo": "1"})
    assert message == "hawk: the variable CHURN_Foo is not in capitals. Did you mean CHURN_FOO?"


@pytest.mark.parametrize("path", PATHS)
def test_variable_in_capitals_sets_its_setting(load: Load, path: str) -> None:
    environ = {"CHURN_" + path.replace(".", "__").upper(): "[0.5, 0.5]"}
    assert f"  {path}" in refusal(load, environ=environ)  # Refused as a value, not as a name.
    assert "no such setting" not in refusal(load, environ=environ)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("CHURN_TRAIN__SEEDS", "seed"), ("CHURN_HORIZON_MONTH", "horizon_months")],
)
def test_unknown_variable_is_refused_with_the_nearest_setting(
    load: Load, name: str, nearest: str
) -> None:
    message = refusal(load, environ={name: "1"})
    assert f"(from the variable {name}): there is no such setting. " in message
    assert f"Did you mean '{nearest}'?" in message


def test_variables_of_other_programs_are_ignored(load: Load) -> None:
    assert load(environ={"churn_rate": "0.1", "CHURNLIB": "1", "XCHURN_TRAIN": "1"}) == load()


@pytest.mark.parametrize("name", sorted(NOT_SETTINGS))
def test_variables_that_no_run_may_set_are_not_settings(games: Path, name: str) -> None:
    environ = {name: str(games), "CHURN_GAMES_DIR": str(games)}
    assert load_settings("hawk", environ=environ).game == "hawk"


def test_step_in_other_letters_is_refused(load: Load) -> None:
    message = refusal(load, overrides={"train.pipeline.MODEL.params.C": 1})
    assert "no entry 'MODEL'. Did you mean 'model'?" in message


@pytest.mark.parametrize(
    ("name", "param"),
    [
        ("CHURN_TRAIN__PIPELINE__MODEL__PARAMS__C", "C"),
        ("CHURN_TRAIN__PIPELINE__MODEL__PARAMS__LEARNING_RATE", "learning_rate"),
        ("CHURN_TRAIN__PIPELINE__MODEL__PARAMS__learning_rate", "learning_rate"),
        ("CHURN_TRAIN__PIPELINE__MODEL__PARAMS__Cs", "Cs"),
        ("CHURN_TRAIN__PIPELINE__MODEL__PARAMS__SOLVER", "solver"),
        ("CHURN_TRAIN__PIPELINE__1__PARAMS__fooBar", "fooBar"),
    ],
)
def test_variable_sets_a_parameter(load: Load, name: str, param: str) -> None:
    params = load(environ={name: "0.5"}).train.pipeline[1].params
    assert params == {"solver": "lbfgs", param: 0.5}


def test_variable_sets_the_parameter_with_its_letters(load: Load) -> None:
    steps = "[[train.pipeline]]\nname = 'model'\ntype = 'x'\nparams = { Cs = 10, c = 1, C = 2 }"
    prefix = "CHURN_TRAIN__PIPELINE__MODEL__PARAMS__"
    params = load(steps, environ={f"{prefix}CS": "3", f"{prefix}C": "4"}).train.pipeline[0].params
    assert params == {"Cs": 3, "c": 1, "C": 4}


@pytest.mark.parametrize(
    ("path", "value", "closest"),
    [
        ("horizon_month", 3, "horizon_months"),
        ("train.sead", 3, "seed"),
        ("train.features.exclud", [], "exclude"),
        (
            "features.character_currency.aggregations",
            [{"column": ["sub_hard"], "functions": []}],
            "columns",
        ),
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
