"""The standard features against the oracle, and an example of each."""

import sys
from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given

from churnlib.features.standard import standard_features
from churnlib.settings import StandardSettings
from tests.base import BASE, output_tables, raw_tables
from tests.churnlib.features import oracle
from tests.churnlib.features.oracle import Row
from tests.churnlib.features.strategies import (
    CHARACTER_SCHEMA,
    SUB_SCHEMA,
    Game,
    as_of_days,
    character,
    examples,
    games,
    sub,
    table,
)

LATE = date(2030, 1, 1)
UNDATED = raw_tables().characters.of_kind("undated")


def features(
    characters: Sequence[Row], subs: Sequence[Row], as_of: date = LATE, **options: Any
) -> pl.DataFrame:
    settings = BASE.model_copy(update={"standard": StandardSettings(**options)})
    lazy = standard_features(
        table(characters, CHARACTER_SCHEMA), table(subs, SUB_SCHEMA), settings, as_of=as_of
    )
    return lazy.collect()


def feature(name: str, *subs: Row, **facts: Any) -> Any:
    """One feature of the first of a character's subscriptions."""
    frame = features([character(**facts)], subs)
    return frame.filter(pl.col("sub_id") == subs[0]["sub_id"])[name].item()


@examples(100)
@given(games, as_of_days)
def test_standard_features_equal_oracle(game: Game, as_of: date) -> None:
    expected = oracle.standard(game.characters, game.subs, as_of)
    oracle.assert_rows(features(game.characters, game.subs, as_of), expected)


def test_standard_features_have_the_columns_and_types_of_their_schema() -> None:
    schema = pl.Schema(output_tables()["standard_features"].types)
    outcome = {"churned_on": schema["churned_on"]}
    assert {**features([character()], [sub()]).schema, **outcome} == schema


def test_undated_totals_are_features_only_on_request() -> None:
    characters, subs = [character(total_kills=12, total_deaths=5)], [sub()]
    assert not set(UNDATED) & set(features(characters, subs).columns)
    totals = features(characters, subs, undated_totals=True)
    oracle.assert_rows(totals, oracle.standard(characters, subs, LATE, undated_totals=True))
    assert totals.select(UNDATED).row(0) == (12, 5)


def test_subscriptions_on_one_day_are_both_first() -> None:
    day, later = date(2024, 3, 15), date(2024, 3, 16)
    actual = features([character()], [sub(3, later), sub(2, day), sub(1, day)])
    assert actual["sub_id"].to_list() == [1, 2, 3]
    assert actual["is_first_sub"].to_list() == [True, True, False]
    assert actual["sub_number"].to_list() == [1, 1, 3]
    assert actual["months_since_previous_sub"].to_list() == [None, None, 0]


@pytest.mark.parametrize(
    ("created", "months"),
    [
        (date(2024, 3, 31), 0),
        (date(2024, 2, 29), 1),
        (date(2023, 12, 31), 3),
        (date(2024, 3, 1), 0),
        (date(2010, 3, 31), 168),
    ],
)
def test_age_counts_calendar_months_whatever_the_day_of_the_month(
    created: date, months: int
) -> None:
    first = sub(start=date(2024, 3, 31))
    assert feature("age_at_sub_months", first, creation_date=created) == months


@pytest.mark.parametrize("created", [date(2024, 3, 2), date(2024, 4, 1), date(2024, 12, 15)])
def test_age_of_a_character_that_was_created_later_is_null(created: date) -> None:
    assert feature("age_at_sub_months", sub(start=date(2024, 3, 1)), creation_date=created) is None


@pytest.mark.parametrize(
    ("mastery", "is_mastered", "months"),
    [
        (date(2024, 3, 15), True, 2),
        (date(2024, 3, 16), False, None),
        (date(2024, 1, 31), True, 0),
        (None, False, None),
    ],
)
def test_mastery_counts_from_the_day_it_is_known(
    mastery: date | None, is_mastered: bool, months: int | None
) -> None:
    facts = {"creation_date": date(2024, 1, 31), "class_mastery_date": mastery}
    assert feature("is_mastered", sub(start=date(2024, 3, 15)), **facts) is is_mastered
    assert feature("months_to_mastery", sub(start=date(2024, 3, 15)), **facts) == months


@pytest.mark.parametrize(
    ("mastery", "start", "is_mastered"),
    [
        (date(1900, 1, 1), date(2024, 3, 15), None),
        (date(2024, 1, 30), date(2024, 3, 15), None),
        (date(2024, 1, 30), date(2024, 1, 29), False),  # Not known at the start.
    ],
)
def test_mastery_before_the_creation_is_null(
    mastery: date, start: date, is_mastered: bool | None
) -> None:
    facts = {"creation_date": date(2024, 1, 31), "class_mastery_date": mastery}
    assert feature("is_mastered", sub(start=start), **facts) is is_mastered
    assert feature("months_to_mastery", sub(start=start), **facts) is None


def test_previous_sub_is_the_latest_strictly_earlier_one() -> None:
    first = sub(9, date(2024, 3, 1))
    others = [sub(1, date(2024, 3, 1)), sub(2, date(2024, 1, 31)), sub(3, date(2023, 5, 1))]
    assert feature("months_since_previous_sub", first, *others) == 2


def test_expected_revenue_is_months_times_price() -> None:
    assert feature("expected_revenue", sub(sub_months=12, price=4.99)) == pytest.approx(59.88)


def test_subscriptions_started_after_as_of_are_left_out() -> None:
    subs = [sub(1, date(2024, 3, 15)), sub(2, date(2024, 3, 16))]
    actual = features([character()], subs, as_of=date(2024, 3, 15))
    assert actual["sub_id"].to_list() == [1]


def test_subscriptions_without_character_and_characters_without_subscription_give_no_row() -> None:
    actual = features([character(1), character(2)], [sub(1, char_id=1), sub(2, char_id=3)])
    assert actual["sub_id"].to_list() == [1]


def test_expected_revenue_is_finite() -> None:
    assert feature("expected_revenue", sub(price=1e308, sub_months=12)) == sys.float_info.max
    assert feature("expected_revenue", sub(price=-1e308, sub_months=12)) == -sys.float_info.max
    assert feature("expected_revenue", sub(price=1e300, sub_months=12)) == 12 * 1e300
