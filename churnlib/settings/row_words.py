"""What messages and reports call the rows of a cohort, by its grain."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from churnlib.months import months_apart

Grain = Literal["start", "monthly"]


@dataclass(frozen=True)
class RowWords:
    """The words for the rows of a cohort.

    Attributes:
        row: A row.
        of_days: The rows of the days from `first` to `last`.
        selected: Those that a window selects, in a table of their numbers.
        month: The month of a row's day, as the heading of a column.
        by_month: What the rows are grouped by over time, as a sentence.
        meaning: What a row is, as a sentence with the `horizon` in months; empty if it is a
            subscription.
    """

    row: str
    of_days: str
    selected: str
    month: str
    by_month: str
    meaning: str = ""

    @property
    def everyone(self) -> str:
        """All rows."""
        return f"all {self.row}s"

    def within(self, first: date | str, last: date | str) -> str:
        """The rows of the days from the first to the last."""
        return self.of_days.format(first=first, last=last)


WORDS: Mapping[Grain, RowWords] = {
    "start": RowWords(
        row="subscription",
        of_days="subscriptions started {first} to {last}",
        selected="started",
        month="month of start",
        by_month="By the month in which subscriptions started.",
    ),
    "monthly": RowWords(
        row="subscription-month",
        of_days="subscription-months {first} to {last}",
        selected="running",
        month="month",
        by_month="By the month in which subscriptions ran and were predicted.",
        meaning="A subscription has a row for each month in which it runs; one that churns counts "
        "as churned in each of the {horizon} months before.",
    ),
}
"""The words by grain."""
RUNNING = replace(
    WORDS["monthly"],
    row="subscription",
    of_days="subscriptions running on {first}",
    meaning="",
)
"""The words at the monthly grain for the rows of one month, in which a subscription has one."""


def words_of(grain: Grain, first: date, last: date) -> RowWords:
    """The words for the rows of the days from the first to the last.

    >>> words_of("monthly", date(2024, 5, 1), date(2024, 7, 31)).row
    'subscription-month'
    >>> june = (date(2024, 6, 1), date(2024, 6, 30))
    >>> words_of("monthly", *june).within(*june)
    'subscriptions running on 2024-06-01'
    """
    is_one_month = months_apart(first, last) == 0
    return RUNNING if grain == "monthly" and is_one_month else WORDS[grain]


def rows_in(settings: Mapping[str, Any], first: str, last: str) -> str:
    """The rows of a window, by the settings in a manifest; one of an older version has no grain.

    >>> rows_in({}, "2024-05-01", "2024-07-31")
    'subscriptions started 2024-05-01 to 2024-07-31'
    """
    days = (date.fromisoformat(first), date.fromisoformat(last))
    return words_of(grain_of(settings), *days).within(*days)


def grain_of(settings: Mapping[str, Any]) -> Grain:
    """The grain in the settings of a manifest; one of an older version has none."""
    grain: Grain = (settings.get("cohort") or {}).get("grain", "start")
    return grain
