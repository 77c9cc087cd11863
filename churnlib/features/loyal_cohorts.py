"""Older cohorts that churned far less than newer ones, as if those who churned had been removed.

Subscriptions are grouped by month of start, those whose outcome is known. Every month is tried as
the first of the newer ones: they tell how many of the older should have churned. That number is
taken to be negative binomial, with a dispersion that allows for the churners counted among the
newer and for a slow change of the rate. Older cohorts are too loyal if they churned at less than
half of the rate, and so few have a probability below `LEVEL`. `benchmarks/RESULTS.md` has the error
rates.
"""

from dataclasses import dataclass
from datetime import date

import polars as pl

from churnlib.months import first_day, shift_months
from churnlib.raw.shortfall import probability_of_at_most

MIN_MONTHS = 3
"""The minimum number of months of start on either side."""
MAX_RATIO = 0.5
"""The rate of older cohorts, divided by that of newer ones, from which they are not too loyal."""
MIN_DISPERSION = 0.03
"""The squared relative deviation of a rate that changes slowly."""
LEVEL = 1e-3
"""The probability of so few churners below which older cohorts are too loyal."""


@dataclass(frozen=True)
class Cohorts:
    """The subscriptions that started in some months.

    Attributes:
        first: The first day of the first month.
        last: The first day of the last month.
        subscriptions: Their number.
        churned: The number of those that churned within the horizon.
    """

    first: date
    last: date
    subscriptions: int
    churned: int

    @property
    def rate(self) -> float:
        """The share that churned."""
        return self.churned / self.subscriptions if self.subscriptions else 0.0


def find_loyal_cohorts(
    counts: pl.DataFrame, *, as_of: date, horizon_months: int, since: date
) -> tuple[Cohorts, Cohorts] | None:
    """Finds older cohorts that churned far less than newer ones.

    Args:
        counts: Subscriptions that can churn; see `churnlib.features.label_windows.churn_by_months`.
        as_of: The day of the run.
        horizon_months: The number of months within which churn counts.
        since: The first day of the oldest cohort to compare.

    Returns:
        The older and the newer cohorts, divided where the difference is the least likely; None if
        it may be due to chance, or too few months are known.
    """
    months = _months(counts, as_of, horizon_months)
    known = [each for each in months if each.first >= first_day(since)]
    divided = (
        (_joined(known[:cut]), _joined(known[cut:]))
        for cut in range(MIN_MONTHS, len(known) - MIN_MONTHS + 1)
    )
    loyal = [(_probability(*pair), pair) for pair in divided if _is_far_below(*pair)]
    probability, pair = min(loyal, key=lambda each: each[0], default=(1.0, None))
    return pair if probability < LEVEL else None


def _months(counts: pl.DataFrame, as_of: date, horizon_months: int) -> list[Cohorts]:
    """The cohorts whose outcome is known, by month of start, the oldest first."""
    within = pl.col("churn_months").is_between(1, horizon_months).fill_null(False)
    rows = pl.col("subscriptions")
    months = (
        counts.filter(pl.col("start_months") >= horizon_months)
        .group_by("start_months")
        .agg(rows.sum(), churned=rows.filter(within).sum())
        .sort("start_months", descending=True)
    )
    return [
        Cohorts(month := shift_months(first_day(as_of), -ago), month, number, churned)
        for ago, number, churned in months.iter_rows()
    ]


def _joined(months: list[Cohorts]) -> Cohorts:
    return Cohorts(
        first=months[0].first,
        last=months[-1].last,
        subscriptions=sum(each.subscriptions for each in months),
        churned=sum(each.churned for each in months),
    )


def _is_far_below(older: Cohorts, newer: Cohorts) -> bool:
    return older.rate < MAX_RATIO * newer.rate


def _probability(older: Cohorts, newer: Cohorts) -> float:
    """The probability of so few churners among the older, at the rate of the newer."""
    dispersion = MIN_DISPERSION + 1 / newer.churned
    return probability_of_at_most(older.churned, older.subscriptions * newer.rate, dispersion)
