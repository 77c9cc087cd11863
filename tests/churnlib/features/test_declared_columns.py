"""The standard features of columns that a game declares, or removes."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from churnlib.features.standard import standard_features
from churnlib.settings import load_settings

START = date(2024, 3, 15)
CHARACTER: dict[str, Any] = {
    "char_id": 1,
    "gender": "female",
    "class": "mage",
    "territory": "west",
    "creation_date": date(2023, 12, 31),
    "class_mastery_date": None,
    "total_kills": 12,
    "total_deaths": 3,
}
SUB: dict[str, Any] = {
    "sub_id": 7,
    "char_id": 1,
    "sub_start_date": START,
    "sub_type": "premium",
    "sub_months": 6,
    "sub_size": "large",
    "price": 2.5,
    "num_hard_currency": 1.0,
    "num_soft_currency": 2.0,
}


def features(columns: dict[str, str], values: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The features of a subscription whose character has other columns."""
    changes = {f"tables.character_data.columns.{n}": kind for n, kind in columns.items()}
    settings = load_settings("game1", {**changes, **options}, local=False, environ={})
    character = {n: v for n, v in {**CHARACTER, **values}.items() if columns.get(n) != "null"}
    removed = [n for n in SUB if options.get(f"tables.sub_data.columns.{n}") == "null"]
    characters = pl.LazyFrame(
        {name: [value] for name, value in character.items()},
        schema_overrides={n: pl.Date for n, kind in columns.items() if kind in DATES},
    ).with_columns(pl.col("^class_mastery_date$").cast(pl.Date))
    subs = pl.LazyFrame({n: [value] for n, value in SUB.items() if n not in removed})
    rows = standard_features(characters, subs, settings, as_of=date(2025, 1, 1)).collect()
    return rows.row(0, named=True)


DATES = ("date", "milestone")
NO_RACE = {"race": "null"}


@pytest.mark.parametrize(
    ("since", "seen", "months"),
    [
        (date(2024, 3, 15), date(2024, 3, 15), 0),
        (date(2024, 2, 29), date(2024, 2, 29), 1),
        (date(2019, 3, 31), date(2019, 3, 31), 60),
        (date(2024, 3, 16), None, None),
        (None, None, None),
    ],
)
def test_date_and_its_months_are_null_if_later_than_the_start(
    since: date | None, seen: date | None, months: int | None
) -> None:
    row = features({**NO_RACE, "vip_since": "date"}, {"vip_since": since})
    assert (row["vip_since"], row["vip_since_months"]) == (seen, months)


@pytest.mark.parametrize(
    ("joined", "is_joined", "months"),
    [
        (date(2024, 3, 15), True, 3),
        (date(2024, 3, 16), False, None),
        (date(2023, 12, 31), True, 0),
        (date(2023, 12, 30), None, None),  # Before the creation, which is odd.
        (None, False, None),
    ],
)
def test_milestone_is_reached_by_the_start(
    joined: date | None, is_joined: bool | None, months: int | None
) -> None:
    row = features({**NO_RACE, "guild_joined": "milestone"}, {"guild_joined": joined})
    assert (row["is_guild_joined"], row["months_to_guild_joined"]) == (is_joined, months)
    assert "guild_joined" not in row


def test_categories_flags_and_numbers_are_features_as_they_are() -> None:
    own = {"vip_level": "category", "is_vip": "flag", "age": "number"}
    values = {"vip_level": "gold", "is_vip": True, "age": 31.0}
    row = features({**NO_RACE, **own}, values)
    assert {name: row[name] for name in own} == values
    assert "race" not in row


@pytest.mark.parametrize("asked", [False, True])
def test_undated_number_is_a_feature_only_on_request(asked: bool) -> None:
    columns, values = {**NO_RACE, "gold_spent": "undated"}, {"gold_spent": 9.0}
    row = features(columns, values, **{"standard.undated_totals": asked})
    assert ("gold_spent" in row) is asked
    assert row.get("gold_spent", 9.0) == 9.0


def test_creation_takes_its_features_with_it_and_leaves_the_others() -> None:
    mastered = {"class_mastery_date": date(2020, 1, 1)}
    row = features({**NO_RACE, "creation_date": "null"}, mastered)
    gone = {"creation_date", "age_at_sub_months", "months_to_mastery"}
    assert gone & row.keys() == set()
    assert row["is_mastered"] is True  # Not odd: nobody knows when it was created.
    assert row["expected_revenue"] == 15.0


def test_price_takes_the_expected_revenue_with_it() -> None:
    row = features(NO_RACE, {}, **{"tables.sub_data.columns.price": "null"})
    assert {"price", "expected_revenue"} & row.keys() == set()
    assert row["age_at_sub_months"] == 3
