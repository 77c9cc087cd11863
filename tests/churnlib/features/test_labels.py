"""The label against the oracle, and its borders by examples."""

from collections.abc import Sequence
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.features.outcome import add_label
from tests.churnlib.features import oracle
from tests.churnlib.features.oracle import Row
from tests.churnlib.features.strategies import (
    SUB_SCHEMA,
    Game,
    as_of_days,
    examples,
    games,
    sub,
    table,
)

SCHEMA = {**SUB_SCHEMA, "churned_on": pl.Date}


def labelled(subs: Sequence[Row], as_of: date, horizon_months: int) -> pl.DataFrame:
    return add_label(table(subs, SCHEMA), as_of=as_of, horizon_months=horizon_months).collect()


def label(churned_on: date | None, as_of: date, horizon_months: int = 6) -> int | None:
    """The label of a subscription of 31 January 2024."""
    bought = sub(start=date(2024, 1, 31), churned_on=churned_on)
    found = labelled([bought], as_of, horizon_months)
    assert found.schema["sub_churn"] == pl.Int8
    value: int | None = found["sub_churn"].item()
    return value


@examples(60)
@given(games, as_of_days, st.integers(1, 8))
def test_label_equals_oracle(game: Game, as_of: date, horizon_months: int) -> None:
    subs = [{**s, "churned_on": oracle.churned_on(s, game.misses, as_of, 3)} for s in game.subs]
    expected = [
        {**s, "sub_churn": oracle.label(s, s["churned_on"], as_of, horizon_months)} for s in subs
    ]
    oracle.assert_rows(labelled(subs, as_of, horizon_months), expected)


def test_label_is_known_from_the_first_day_of_the_month_the_horizon_later() -> None:
    assert label(None, as_of=date(2024, 6, 30)) is None
    assert label(None, as_of=date(2024, 7, 1)) == 0


@pytest.mark.parametrize(
    ("churned_on", "expected"),
    [
        (date(2024, 7, 1), 1),
        (date(2024, 8, 1), 0),
        (date(2024, 4, 1), 1),
        (date(2023, 12, 1), 1),
        (None, 0),
    ],
    ids=["at the horizon", "a month beyond", "within", "before the start", "never"],
)
def test_label_is_one_where_churn_came_within_the_horizon(
    churned_on: date | None, expected: int
) -> None:
    assert label(churned_on, as_of=date(2025, 1, 1)) == expected


def test_label_is_null_while_immature_even_after_churn() -> None:
    assert label(date(2024, 4, 1), as_of=date(2024, 6, 30)) is None


def test_label_does_not_change_once_known() -> None:
    later = [date(2024, 7, 1), date(2024, 8, 1), date(2026, 1, 1)]
    assert [label(date(2024, 8, 1), as_of=day) for day in later] == [0, 0, 0]
    assert [label(date(2024, 7, 1), as_of=day) for day in later] == [1, 1, 1]
