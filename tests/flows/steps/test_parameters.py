"""The parameters of the flows, as a Prefect server checks them before there is a run."""

from typing import Any

import pytest
from prefect.utilities.schema_tools.validation import ValidationError, validate

from churnlib.settings import list_games
from flows.train import train

SCHEMA = train.parameters.model_dump()


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"as_of": "2024-12-31", "refresh": True, "data_dir": "elsewhere"},
        {"as_of": None, "overrides": None},
        {"overrides": {"train.seed": 7, "train.refit": False, "windows.train.start": -40}},
        {"overrides": {"train.seed": None, "windows.train.start": "2021-01-01"}},
        {
            "overrides": {
                "windows.train": {"start": -40, "end": -20},
                "features.character_currency.latest": [],
            }
        },
        {
            "overrides": {
                "train.pipeline.model.params.max_iter": 5,
                "features.character_currency.latest.0": "x",
            }
        },
        {"overrides": {"tables.gems": {"kind": "history"}, "tables.gems.columns.x": "number"}},
        {"overrides": {"features.logins.windows": ["30d"], "features.calendar.use": ["month"]}},
        {"overrides": {"features.ratios": [], "features.logins": {"count": True}}},
    ],
)
def test_valid_parameters_are_accepted(parameters: dict[str, Any]) -> None:
    validate({"game": "game1", **parameters}, SCHEMA, raise_on_error=True)


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"game": "gmae1"}, "game"),
        ({"as_of": "2024-13-01"}, "as_of"),
        ({"as_of": "1.5.2024"}, "as_of"),
        ({"refresh": "maybe"}, "refresh"),
        ({"overrides": {"train.seeed": 1}}, "overrides"),
        ({"overrides": {"train.seed": "seven"}}, "overrides"),
        ({"overrides": {"horizon_months": 0}}, "overrides"),
        ({"overrides": {"windows.train.start": "soon"}}, "overrides"),
        ({"overrides": {"game": "game2"}}, "overrides"),
        ({"overrides": {"trainXseed": 1}}, "overrides"),
        ({"overrides": {"tablesXgems": {}}}, "overrides"),
        ({"overrides": {"features.calendar.month": True}}, "overrides"),
        ({"overrides": {"currency.latest": []}}, "overrides"),
    ],
)
def test_invalid_parameters_are_refused(parameters: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=f"field ['\"]{field}"):
        validate({"game": "game1", **parameters}, SCHEMA, raise_on_error=True)


def test_parameters_show_the_games_as_a_choice_and_the_day_as_a_date() -> None:
    assert SCHEMA["properties"]["game"]["enum"] == list(list_games())
    assert SCHEMA["properties"]["as_of"]["anyOf"][0]["format"] == "date"
    assert all(p["description"] for p in SCHEMA["properties"].values())
