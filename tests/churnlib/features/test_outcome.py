"""The day of churn and the label: against the oracle, and an example of each rule."""

from collections.abc import Sequence
from datetime import date
from itertools import count
from typing import Any, get_args

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.features.month_runs import earliest_alone
from churnlib.features.outcome import add_churned_on, add_label
from churnlib.settings.outcome import OutcomeSettings
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
    subs: Sequence[Row], misses: Sequence[Row], as_of: date, outcome: OutcomeSettings
) -> pl.DataFrame:
    lazy = add_churned_on(table(subs, SUB_SCHEMA), table(misses, MISS_SCHEMA), outcome, as_of=as_of)
    return lazy.collect()


def churn_day(*misses: Row, as_of: date = date(2030, 1, 1), missed_months: int = 3) -> date | None:
    outcome = OutcomeSettings(missed_months=missed_months)
    frame = with_churn([sub()], misses, as_of, outcome)
    assert frame.schema["churned_on"] == pl.Date
    day: date | None = frame["churned_on"].item()
    return day


outcomes = st.builds(
    OutcomeSettings,
    missed_months=st.integers(1, 4),
    not_renewed_months=st.sampled_from((None, 1, 2)),
    of=st.sampled_from(get_args(OutcomeSettings.model_fields["of"].annotation)),
)


@examples(150)
@given(games, as_of_days, outcomes)
def test_churned_on_equals_oracle(game: Game, as_of: date, outcome: OutcomeSettings) -> None:
    days = (oracle.churned_on(s, game.subs, game.misses, outcome, as_of) for s in game.subs)
    expected = [{**s, "churned_on": day} for s, day in zip(game.subs, days, strict=True)]
    oracle.assert_rows(with_churn(game.subs, game.misses, as_of, outcome), expected)


@examples(50)
@given(games, as_of_days)
def test_churned_on_by_terms_alone_equals_oracle(game: Game, as_of: date) -> None:
    outcome = OutcomeSettings(missed_months=None, not_renewed_months=1)
    days = (oracle.churned_on(s, game.subs, [], outcome, as_of) for s in game.subs)
    expected = [{**s, "churned_on": day} for s, day in zip(game.subs, days, strict=True)]
    oracle.assert_rows(with_churn(game.subs, game.misses, as_of, outcome), expected)


def one_month(sub_id: int = 1, **facts: Any) -> Row:
    """A subscription that ends on 15 February."""
    return sub(sub_id, date(2024, 1, 15), sub_months=1, **facts)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (None, date(2024, 3, 1)),
        (date(2024, 2, 15), None),
        (date(2024, 2, 29), None),
        (date(2024, 3, 1), date(2024, 3, 1)),
        (date(2024, 1, 20), None),
        (date(2023, 12, 31), date(2024, 3, 1)),
    ],
    ids=["none", "at the end", "in time", "too late", "before the end", "before this one"],
)
def test_term_that_is_not_renewed_is_churn(other: date | None, expected: date | None) -> None:
    subs = [one_month()] + ([sub(2, other, sub_months=1)] if other else [])
    outcome = OutcomeSettings(not_renewed_months=1)
    churned = with_churn(subs, [], date(2024, 3, 1), outcome)["churned_on"]
    assert churned[0] == expected


def test_terms_may_be_of_any_type_of_whole_numbers() -> None:
    outcome = OutcomeSettings(not_renewed_months=1, of="character")
    subs, misses = table([sub(sub_months=6)], SUB_SCHEMA), table([], MISS_SCHEMA)
    wide = subs.with_columns(pl.col("sub_months").cast(pl.Int64))
    as_of = date(2030, 1, 1)
    churned = [
        add_churned_on(rows, misses, outcome, as_of=as_of).collect()["churned_on"].item()
        for rows in (subs, wide)
    ]
    assert churned == [date(2024, 10, 1)] * 2


def test_terms_do_not_count_unless_the_settings_say_so() -> None:
    churned = with_churn([one_month()], [], date(2030, 1, 1), OutcomeSettings())
    assert churned["churned_on"].to_list() == [None]


@pytest.mark.parametrize(
    ("other", "term", "expected"),
    [
        (date(2024, 5, 1), 6, None),
        (date(2024, 5, 1), 2, date(2024, 8, 1)),
        (date(2024, 7, 1), 1, date(2024, 9, 1)),
        (date(2024, 1, 1), 3, date(2024, 7, 1)),
    ],
    ids=["all the time", "until the last missed month", "from the day on", "long before"],
)
def test_character_does_not_churn_while_another_subscription_runs(
    other: date, term: int, expected: date | None
) -> None:
    subs = [sub(1, date(2024, 1, 15), sub_months=12), sub(2, other, sub_months=term)]
    missed = [miss(date(2024, 4, 1), date(2024, 8, 1))]
    outcome = OutcomeSettings(of="character")
    assert with_churn(subs, missed, date(2030, 1, 1), outcome)["churned_on"][0] == expected
    alone = OutcomeSettings(of="subscription")
    churned = with_churn(subs, missed, date(2030, 1, 1), alone)["churned_on"]
    assert churned[0] == date(2024, 7, 1)


def test_subscriptions_can_churn_at_any_term_if_they_must_be_renewed() -> None:
    rows = labelled([one_month(churned_on=None)], date(2030, 1, 1), 6, OutcomeSettings())
    assert rows["sub_churn"].to_list() == [None]
    renewed = OutcomeSettings(not_renewed_months=1)
    rows = labelled([one_month(churned_on=None)], date(2030, 1, 1), 6, renewed)
    assert rows["sub_churn"].to_list() == [0]


def test_outcome_without_any_kind_of_churn_is_refused() -> None:
    with pytest.raises(ValueError, match="needs missed_months or not_renewed_months"):
        OutcomeSettings(missed_months=None)


def test_churned_on_is_the_first_day_after_the_third_missed_month() -> None:
    assert churn_day(miss(date(2024, 4, 1), date(2024, 6, 1))) == date(2024, 7, 1)


def test_churned_on_does_not_move_with_a_longer_run() -> None:
    assert churn_day(miss(date(2024, 11, 1), date(2025, 9, 1))) == date(2025, 2, 1)


def test_two_missed_months_are_no_churn() -> None:
    assert churn_day(miss(date(2024, 4, 1), date(2024, 5, 1))) is None


def test_missed_months_sets_their_number() -> None:
    run = miss(date(2024, 4, 1), date(2024, 5, 1))
    assert churn_day(run, missed_months=2) == date(2024, 6, 1)
    assert churn_day(run, missed_months=1) == date(2024, 5, 1)


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
    assert churn_day(outer, inner, after, missed_months=5) == date(2024, 6, 1)


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
    assert churn_day(*runs, later, missed_months=6) == date(2024, 9, 1)


def test_misses_of_other_subscriptions_do_not_add_up() -> None:
    runs = [
        miss(date(2024, 4, 1), date(2024, 5, 1), sub_id=1),
        miss(date(2024, 6, 1), date(2024, 7, 1), sub_id=2),
        miss(date(2024, 4, 1), date(2024, 9, 1), sub_id=3),
    ]
    actual = with_churn([sub(1), sub(2)], runs, date(2030, 1, 1), OutcomeSettings())
    assert actual["churned_on"].to_list() == [None, None]


LABEL_SCHEMA = {**SUB_SCHEMA, "churned_on": pl.Date}


def labelled(
    subs: Sequence[Row], as_of: date, horizon_months: int, outcome: OutcomeSettings | None = None
) -> pl.DataFrame:
    return add_label(
        table(subs, LABEL_SCHEMA),
        as_of=as_of,
        horizon_months=horizon_months,
        outcome=outcome,
    ).collect()


def label(churned_on: date | None, as_of: date, horizon_months: int = 6) -> int | None:
    """The label of a subscription of 31 January 2024."""
    row = sub(start=date(2024, 1, 31), churned_on=churned_on)
    frame = labelled([row], as_of, horizon_months)
    assert frame.schema["sub_churn"] == pl.Int8
    value: int | None = frame["sub_churn"].item()
    return value


@examples(60)
@given(games, as_of_days, st.integers(1, 8), st.none() | outcomes)
def test_label_equals_oracle(
    game: Game, as_of: date, horizon_months: int, outcome: OutcomeSettings | None
) -> None:
    churn = OutcomeSettings()
    days = (oracle.churned_on(s, game.subs, game.misses, churn, as_of) for s in game.subs)
    subs = [{**s, "churned_on": day} for s, day in zip(game.subs, days, strict=True)]
    terms = (as_of, horizon_months, outcome)
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
    assert labelled([row], date(2025, 1, 1), 6, OutcomeSettings())["sub_churn"].item() == expected


@pytest.mark.parametrize(("day", "expected"), [(30, 0), (31, 0), (None, 1)])
def test_label_does_not_count_churn_up_to_the_start(day: int | None, expected: int) -> None:
    churned_on = date(2024, 2, 1) if day is None else date(2024, 1, day)
    assert label(churned_on, date(2025, 1, 1)) == expected


def test_earliest_alone_does_not_depend_on_the_order_of_candidates_computed_twice() -> None:
    """Groups come in another order each time, and a plan may compute them more than once."""
    subs = pl.LazyFrame(
        {
            "char_id": [1, 1, 2, 2],
            "sub_id": [1, 2, 3, 4],
            "sub_start_date": [date(2024, 1, 1), date(2024, 3, 1)] * 2,
            "sub_months": [6, 12, 6, 1],
        }
    )
    found = pl.DataFrame({"sub_id": [1, 3], "first_month": [24291] * 2, "last_month": [10**6] * 2})
    calls = count()

    def compute() -> pl.DataFrame:
        return found if next(calls) % 2 else found.reverse()

    candidates = pl.defer(compute, schema=found.schema)
    alone = earliest_alone(candidates, subs).sort("sub_id").collect()
    assert alone["first_month"].to_list() == [24302, 24291]
