"""Older cohorts that churned far less than newer ones."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from churnlib.features.loyal_cohorts import Cohorts, find_loyal_cohorts

AS_OF = date(2025, 1, 1)
SINCE = date(2022, 6, 1)


def counts_of(cohorts: dict[int, tuple[int, int]], horizon: int = 6) -> pl.DataFrame:
    """The subscriptions of each month of start, counted back from the day, and those that churned.

    Some others churn after the horizon, which does not count.
    """
    rows = []
    for ago, (subscriptions, churned) in cohorts.items():
        late = (subscriptions - churned) // 10
        rows += [
            (ago, horizon, churned),
            (ago, horizon + 1, late),
            (ago, None, subscriptions - churned - late),
        ]
    types = {"start_months": pl.Int32, "churn_months": pl.Int32, "subscriptions": pl.UInt32}
    return pl.DataFrame(rows, schema=types, orient="row")


def loyal(cohorts: dict[int, tuple[int, int]], since: date = SINCE) -> object:
    return find_loyal_cohorts(counts_of(cohorts), as_of=AS_OF, horizon_months=6, since=since)


def test_cohorts_without_their_churners_are_named_with_their_rates() -> None:
    cohorts = {ago: (100, 15) if ago < 15 else (85, 0) for ago in range(30)}
    assert loyal(cohorts) == (
        Cohorts(date(2022, 8, 1), date(2023, 10, 1), subscriptions=15 * 85, churned=0),
        Cohorts(date(2023, 11, 1), date(2024, 7, 1), subscriptions=9 * 100, churned=9 * 15),
    )


def test_only_the_cohorts_of_the_training_window_and_later_are_compared() -> None:
    cohorts = {ago: (100, 15) if ago < 32 else (85, 0) for ago in range(48)}
    assert loyal(cohorts) is None
    assert loyal(cohorts, since=date(2021, 1, 1)) is not None


@pytest.mark.parametrize(("older", "is_found"), [(15, False), (9, False), (5, True)])
def test_a_rate_of_half_is_no_sign_of_lost_rows(older: int, is_found: bool) -> None:
    cohorts = {ago: (1000, 150) if ago < 15 else (1000, 10 * older) for ago in range(30)}
    assert (loyal(cohorts) is not None) == is_found


def test_few_months_or_churners_are_not_judged() -> None:
    assert loyal({ago: (100, 15) if ago < 9 else (85, 0) for ago in range(11)}) is None
    assert loyal({ago: (20, 1) if ago < 15 else (19, 0) for ago in range(18)}) is None
    assert loyal(dict.fromkeys(range(30), (100, 0))) is None
    assert loyal({}) is None


def test_healthy_cohorts_are_rarely_called_loyal() -> None:
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(300):
        rate = 0.13 * np.exp(rng.normal(0, 0.15, 31))  # A change of 15 % from month to month.
        churned = rng.binomial(20, rate)
        found += loyal({ago: (20, int(churned[ago])) for ago in range(31)}) is not None
    assert found <= 3
