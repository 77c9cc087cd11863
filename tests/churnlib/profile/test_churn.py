"""The part of the profile about subscriptions, churn and windows."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from churnlib.profile.churn import Outcomes, Survival, profile_churn
from churnlib.settings import Settings, load_settings
from tests.base import raw_tables
from tests.churnlib.raw.samples import miss, sub

TABLES = raw_tables()
AS_OF = date(2024, 1, 1)


def settings(**changes: Any) -> Settings:
    windows = {"windows.train.start": "2022-01-01", "windows.train.end": "2022-12-31"}
    return load_settings("game1", windows | changes, environ={}, local=False)


def frames(
    subs: list[dict[str, Any]], misses: list[dict[str, Any]]
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    return (
        pl.LazyFrame(subs, schema=TABLES.subscriptions.types),
        pl.LazyFrame(misses, schema=TABLES.misses.types),
    )


SUBS = [
    sub(1, 1, sub_start_date=date(2022, 3, 5), sub_months=12),  # Churns after 4 months.
    sub(2, 2, sub_start_date=date(2022, 3, 20), sub_months=12),  # Churns after 9 months.
    sub(3, 3, sub_start_date=date(2022, 5, 1), sub_months=2),  # Cannot churn.
    sub(4, 4, sub_start_date=date(2023, 7, 1), sub_months=6),  # Its label is known since today.
    sub(5, 5, sub_start_date=date(2023, 8, 1), sub_months=6),  # Its label is not known yet.
    sub(6, 6, sub_start_date=date(2024, 2, 1), sub_months=6),  # Starts after the day.
]
MISSES = [
    miss(1, start_date=date(2022, 4, 1), end_date=date(2022, 6, 1)),
    miss(2, start_date=date(2022, 9, 1), end_date=date(2022, 11, 1)),
    miss(4, start_date=date(2023, 8, 1), end_date=date(2023, 9, 1)),  # Two months are no churn.
]


def test_subscriptions_are_counted_by_month_of_start() -> None:
    found = profile_churn(*frames(SUBS, MISSES), settings(), AS_OF)
    assert found.total == Outcomes(started=5, at_risk=4, labelled=3, churned=1)
    assert found.by_month == {
        date(2022, 3, 1): Outcomes(2, 2, 2, 1),
        date(2022, 5, 1): Outcomes(1, 0, 0, 0),
        date(2023, 7, 1): Outcomes(1, 1, 1, 0),
        date(2023, 8, 1): Outcomes(1, 1, 0, 0),
    }


def test_churn_by_months_since_the_start_counts_only_those_that_started_so_long_ago() -> None:
    found = profile_churn(*frames(SUBS, MISSES), settings(), AS_OF).by_age
    ages = {age.months: age for age in found}
    assert ages[3] == Survival(3, known=4, churned=0)
    assert ages[4] == Survival(4, known=4, churned=1)
    assert ages[5] == Survival(5, known=4, churned=1)
    assert ages[6] == Survival(6, known=3, churned=1)
    assert ages[9] == Survival(9, known=2, churned=2)
    assert max(ages) == 22


def test_windows_tell_what_they_select_and_what_is_wrong() -> None:
    changes = {
        "windows.score.start": "2023-07-01",
        "windows.score.end": "2023-08-31",
        "windows.batch_score.start": "2022-05-01",
        "windows.batch_score.end": "2022-05-31",
    }
    found = profile_churn(*frames(SUBS, MISSES), settings(**changes), AS_OF).windows
    by_name = {window.name: window for window in found}
    assert by_name["train"].outcomes == Outcomes(3, 2, 2, 1)
    assert by_name["train"].problem == ""
    assert by_name["score"].outcomes == Outcomes(2, 2, 1, 0)
    assert by_name["score"].problem == ""
    assert (by_name["batch_predict"].first, by_name["batch_predict"].last) == (
        date(2023, 12, 1),
        date(2023, 12, 31),
    )
    assert by_name["batch_predict"].problem == "it selects no subscription"
    assert by_name["batch_score"].problem == (
        "none of its subscriptions can churn: sub_months is less than the 3 missed months in a row "
        "that are churn (outcome.missed_months)"
    )


@pytest.mark.parametrize(
    ("misses", "problem"),
    [
        ([], "none of its 2 known labels are churn, so no model can be fitted"),
        (
            [MISSES[0], miss(2, start_date=date(2022, 4, 1), end_date=date(2022, 6, 1))],
            "all of its 2 known labels are churn, so no model can be fitted",
        ),
    ],
)
def test_training_window_needs_both_outcomes(misses: list[dict[str, Any]], problem: str) -> None:
    train, *_ = profile_churn(*frames(SUBS, misses), settings(), AS_OF).windows
    assert train.problem.startswith(problem)


def test_no_subscription_gives_no_churn() -> None:
    found = profile_churn(*frames([], []), settings(), AS_OF)
    assert (found.total, found.by_month, found.by_age) == (Outcomes(0, 0, 0, 0), {}, ())
    assert {window.problem for window in found.windows} == {"it selects no subscription"}
