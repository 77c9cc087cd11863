"""The rows of running subscriptions, which know nothing of what comes after their day."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.errors import DataError
from churnlib.features.cohort import feature_table
from churnlib.features.cohort_rows import monthly_rows
from churnlib.features.payment_history import add_missed_months
from churnlib.schemas.columns import IN_A_ROW, LABEL, MISSED, SINCE_MISS
from churnlib.settings.outcome import OutcomeSettings
from tests.base import BASE
from tests.churnlib.features.oracle import month_start
from tests.churnlib.features.strategies import (
    FIRST_MONTH,
    MISS_SCHEMA,
    SUB_SCHEMA,
    Game,
    examples,
    games,
    miss,
    sub,
    table,
)
from tests.churnlib.features.test_cohort import MONTHLY, by_name
from tests.churnlib.features.test_invariants import SEEDS, cut, exact, with_another_future

AS_OF = date(2025, 1, 1)
SETTINGS = BASE.model_copy(update={"cohort": MONTHLY})
TOLD = ("churned_on", LABEL)


def rows_on(game: Game, day: date, as_of: date, outcome: OutcomeSettings) -> pl.DataFrame:
    settings = SETTINGS.model_copy(update={"outcome": outcome})
    table = feature_table(by_name(game), settings, as_of=as_of, span=(day, day))
    return table.drop(TOLD).collect()


@examples(60)
@given(games, st.integers(0, 30), SEEDS, st.integers(1, 3), st.none() | st.integers(1, 2))
def test_rows_do_not_change_with_what_comes_after_their_day(
    game: Game, month: int, seed: int, missed: int, renewed: int | None
) -> None:
    day = month_start(FIRST_MONTH + month)
    outcome = OutcomeSettings(missed_months=missed, not_renewed_months=renewed)
    past, other = cut(game, day), with_another_future(game, day, seed)
    later = Game(other.characters, other.subs, [*past.misses, *other.misses], other.currency)
    then = exact(rows_on(past, day, day, outcome))
    for whole in (game, later):
        assert exact(rows_on(whole, day, date(2030, 1, 1), outcome)) == then


def months_of(start: date, months: int, churned_on: date | None = None) -> list[date]:
    subs = table([sub(1, start, sub_months=months)], SUB_SCHEMA)
    subs = subs.with_columns(churned_on=pl.lit(churned_on, pl.Date))
    return monthly_rows(subs, as_of=AS_OF).collect()["day"].to_list()


def days(first: int, last: int, year: int = 2024) -> list[date]:
    return [date(year, month, 1) for month in range(first, last + 1)]


@pytest.mark.parametrize(
    ("start", "months", "churned_on", "expected"),
    [
        (date(2024, 3, 1), 3, None, days(3, 5)),  # The first day counts, the day after not.
        (date(2024, 3, 2), 3, None, days(4, 6)),  # It runs until 2 June.
        (date(2024, 1, 31), 1, None, days(2, 2)),  # Until 29 February.
        (date(2024, 3, 31), 0, None, []),
        (date(2024, 3, 15), 12, date(2024, 7, 1), days(4, 6)),  # Churned by 1 July.
        (date(2024, 3, 15), 12, date(2024, 3, 1), []),  # Odd data.
        (date(2024, 11, 20), 24, None, [date(2024, 12, 1), AS_OF]),  # Still running.
    ],
)
def test_subscription_has_a_row_while_it_runs(
    start: date, months: int, churned_on: date | None, expected: list[date]
) -> None:
    assert months_of(start, months, churned_on) == expected


def test_window_of_rows_that_ends_before_it_starts_is_refused() -> None:
    subs = table([sub()], SUB_SCHEMA).with_columns(churned_on=pl.lit(None, pl.Date))
    with pytest.raises(DataError, match=r"ends on 2024-01-31, before it starts on 2024-02-01"):
        monthly_rows(subs, as_of=AS_OF, span=(date(2024, 2, 1), date(2024, 1, 31)))


def test_missed_months_are_known_on_the_first_day_of_the_next() -> None:
    subs = table([sub(1, date(2024, 3, 15), sub_months=12)], SUB_SCHEMA)
    rows = monthly_rows(subs.with_columns(churned_on=pl.lit(None, pl.Date)), as_of=AS_OF)
    misses = [
        miss(date(2024, 1, 1), date(2024, 4, 1)),  # In part before the start.
        miss(date(2024, 7, 1), date(2024, 7, 1)),
        miss(date(2024, 8, 1), date(2024, 8, 1)),  # Touches the one before.
        miss(date(2024, 11, 1), None),  # Goes on.
    ]
    counted = add_missed_months(rows, table(misses, MISS_SCHEMA), as_of=AS_OF).collect()
    found = counted.select("day", MISSED, IN_A_ROW, SINCE_MISS).rows()
    assert found == [
        (date(2024, 4, 1), 1, 1, 1),
        (date(2024, 5, 1), 2, 2, 1),
        (date(2024, 6, 1), 2, 0, 2),
        (date(2024, 7, 1), 2, 0, 3),
        (date(2024, 8, 1), 3, 1, 1),
        (date(2024, 9, 1), 4, 2, 1),
        (date(2024, 10, 1), 4, 0, 2),
        (date(2024, 11, 1), 4, 0, 3),
        (date(2024, 12, 1), 5, 1, 1),
        (AS_OF, 6, 2, 1),
    ]
