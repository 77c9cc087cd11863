"""The day of churn and the label: against the oracle, and an example of each rule."""

from collections.abc import Sequence
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.features.outcome import add_churned_on, add_label
from tests.churnlib.features import oracle
from tests.churnlib.features.oracle import Row
from tests.churnlib.features.strategies import (
    MISS_SCHEMA,
    SUB_SCHEMA,
    Game,
    as_of_days,
    examples,
    games,
    miss,
    sub,
    table,
)


def with_churn(
    subs: Sequence[Row], misses: Sequence[Row], as_of: date, churn_after_months: int
) -> pl.DataFrame:
    lazy = add_churned_on(
        table(subs, SUB_SCHEMA),
        table(misses, MISS_SCHEMA),
        as_of=as_of,
        churn_after_months=churn_after_months,
    )
    return lazy.collect()


def churn_day(
    *misses: Row, as_of: date = date(2030, 1, 1), churn_after_months: int = 3
) -> date | None:
    frame = with_churn([sub()], misses, as_of, churn_after_months)
    assert frame.schema["churned_on"] == pl.Date
    day: date | None = frame["churned_on"].item()
    return day


@examples(100)
@given(games, as_of_days, st.integers(1, 4))
def test_churned_on_equals_oracle(game: Game, as_of: date, churn_after_months: int) -> None:
    expected = [
        {**s, "churned_on": oracle.churned_on(s, game.misses, as_of, churn_after_months)}
        for s in game.subs
    ]
    oracle.assert_rows(with_churn(game.subs, game.misses, as_of, churn_after_months), expected)


def test_churned_on_is_the_first_day_after_the_third_missed_month() -> None:
    assert churn_day(miss(date(2024, 4, 1), date(2024, 6, 1))) == date(2024, 7, 1)


def test_churned_on_does_not_move_with_a_longer_run() -> None:
    assert churn_day(miss(date(2024, 11, 1), date(2025, 9, 1))) == date(2025, 2, 1)


def test_two_missed_months_are_no_churn() -> None:
    assert churn_day(miss(date(2024, 4, 1), date(2024, 5, 1))) is None


def test_churn_after_months_sets_the_number_of_missed_months() -> None:
    run = miss(date(2024, 4, 1), date(2024, 5, 1))
    assert churn_day(run, churn_after_months=2) == date(2024, 6, 1)
    assert churn_day(run, churn_after_months=1) == date(2024, 5, 1)


@pytest.mark.parametrize(
    "runs",
    [
        [("2024-12-01", "2024-12-01"), ("2025-01-01", "2025-02-01")],
        [("2024-12-01", "2025-01-01"), ("2025-01-01", "2025-02-01")],
        [("2024-12-01", "2025-02-01"), ("2025-01-01", "2025-01-01")],
        [("2025-02-01", "2025-02-01"), ("2025-01-01", "2025-01-01"), ("2024-12-01", "2024-12-01")],
    ],
    ids=["touching", "overlapping", "nested", "single months"],
)
def test_runs_that_touch_or_overlap_count_as_one(runs: list[tuple[str, str]]) -> None:
    misses = [miss(date.fromisoformat(a), date.fromisoformat(b)) for a, b in runs]
    assert churn_day(*misses) == date(2025, 3, 1)


def test_run_that_ends_after_the_next_one_touches_the_run_after_both() -> None:
    outer = miss(date(2024, 1, 1), date(2024, 4, 1))
    inner = miss(date(2024, 2, 1), date(2024, 2, 1))
    after = miss(date(2024, 5, 1), date(2024, 5, 1))
    assert churn_day(outer, inner, after, churn_after_months=5) == date(2024, 6, 1)


def test_runs_a_month_apart_do_not_add_up() -> None:
    apart = (
        miss(date(2024, 4, 1), date(2024, 5, 1)),
        miss(date(2024, 7, 1), date(2024, 8, 1)),
    )
    assert churn_day(*apart) is None


def test_first_of_two_churning_runs_counts() -> None:
    runs = (
        miss(date(2025, 1, 1), date(2025, 3, 1)),
        miss(date(2024, 4, 1), date(2024, 6, 1)),
    )
    assert churn_day(*runs) == date(2024, 7, 1)


def test_churn_is_known_from_the_first_of_the_month() -> None:
    run = miss(date(2024, 4, 1), date(2024, 6, 1))
    assert churn_day(run, as_of=date(2024, 7, 1)) == date(2024, 7, 1)
    assert churn_day(run, as_of=date(2024, 6, 30)) is None


@pytest.mark.parametrize(
    ("as_of", "churned"),
    [
        (date(2024, 4, 30), None),
        (date(2024, 6, 30), None),
        (date(2024, 7, 1), date(2024, 7, 1)),
        (date(2029, 7, 1), date(2024, 7, 1)),
    ],
)
def test_run_without_an_end_goes_on_until_the_day(as_of: date, churned: date | None) -> None:
    assert churn_day(miss(date(2024, 4, 1), None), as_of=as_of) == churned


def test_run_without_an_end_joins_runs_before_and_after() -> None:
    runs = (miss(date(2024, 3, 1), date(2024, 3, 1)), miss(date(2024, 4, 1), None))
    assert churn_day(*runs) == date(2024, 6, 1)
    later = miss(date(2024, 7, 1), date(2024, 7, 1))
    assert churn_day(*runs, later, churn_after_months=6) == date(2024, 9, 1)


def test_misses_of_other_subscriptions_do_not_add_up() -> None:
    runs = [
        miss(date(2024, 4, 1), date(2024, 5, 1), sub_id=1),
        miss(date(2024, 6, 1), date(2024, 7, 1), sub_id=2),
        miss(date(2024, 4, 1), date(2024, 9, 1), sub_id=3),
    ]
    actual = with_churn([sub(1), sub(2)], runs, date(2030, 1, 1), 3)
    assert actual["churned_on"].to_list() == [None, None]


LABEL_SCHEMA = {**SUB_SCHEMA, "churned_on": pl.Date}


def labelled(
    subs: Sequence[Row], as_of: date, horizon_months: int, churn_after_months: int | None = None
) -> pl.DataFrame:
    return add_label(
        table(subs, LABEL_SCHEMA),
        as_of=as_of,
        horizon_months=horizon_months,
        churn_after_months=churn_after_months,
    ).collect()


def label(churned_on: date | None, as_of: date, horizon_months: int = 6) -> int | None:
    """The label of a subscription of 31 January 2024."""
    row = sub(start=date(2024, 1, 31), churned_on=churned_on)
    frame = labelled([row], as_of, horizon_months)
    assert frame.schema["sub_churn"] == pl.Int8
    value: int | None = frame["sub_churn"].item()
    return value


@examples(60)
@given(games, as_of_days, st.integers(1, 8), st.none() | st.integers(1, 4))
def test_label_equals_oracle(
    game: Game, as_of: date, horizon_months: int, churn_after_months: int | None
) -> None:
    subs = [{**s, "churned_on": oracle.churned_on(s, game.misses, as_of, 3)} for s in game.subs]
    terms = (as_of, horizon_months, churn_after_months)
    expected = [{**s, "sub_churn": oracle.label(s, s["churned_on"], *terms)} for s in subs]
    oracle.assert_rows(labelled(subs, *terms), expected)


def test_label_is_available_from_the_first_day_of_the_month_in_which_the_horizon_ends() -> None:
    assert label(None, as_of=date(2024, 6, 30)) is None
    assert label(None, as_of=date(2024, 7, 1)) == 0


@pytest.mark.parametrize(
    ("churned_on", "expected"),
    [
        (date(2024, 7, 1), 1),
        (date(2024, 8, 1), 0),
        (date(2024, 4, 1), 1),
        (date(2023, 12, 1), 0),
        (None, 0),
    ],
    ids=["at the horizon", "a month beyond", "within", "before the start", "never"],
)
def test_label_is_one_for_churn_within_the_horizon(churned_on: date | None, expected: int) -> None:
    assert label(churned_on, as_of=date(2025, 1, 1)) == expected


def test_label_is_null_before_the_horizon_ends_even_after_churn() -> None:
    assert label(date(2024, 4, 1), as_of=date(2024, 6, 30)) is None


def test_label_does_not_change_once_known() -> None:
    later = [date(2024, 7, 1), date(2024, 8, 1), date(2026, 1, 1)]
    assert [label(date(2024, 8, 1), as_of=day) for day in later] == [0, 0, 0]
    assert [label(date(2024, 7, 1), as_of=day) for day in later] == [1, 1, 1]


@pytest.mark.parametrize(("months", "expected"), [(1, None), (2, None), (3, 0), (12, 0)])
def test_label_of_a_subscription_too_short_to_churn_is_null(
    months: int, expected: int | None
) -> None:
    row = sub(start=date(2024, 1, 31), churned_on=None, sub_months=months)
    assert labelled([row], date(2025, 1, 1), 6, 3)["sub_churn"].item() == expected


@pytest.mark.parametrize(("day", "expected"), [(30, 0), (31, 0), (None, 1)])
def test_label_does_not_count_churn_up_to_the_start(day: int | None, expected: int) -> None:
    churned_on = date(2024, 2, 1) if day is None else date(2024, 1, day)
    assert label(churned_on, date(2025, 1, 1)) == expected
