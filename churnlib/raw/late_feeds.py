"""Late feeds: raw tables whose last months hold far fewer rows than those before."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate

from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import facts
from churnlib.months import first_day, months_apart, shift_months
from churnlib.raw.quality_warnings import ROWS, ROWS_BY_AGE, ROWS_BY_DAY
from churnlib.raw.shortfall import find_shortfall
from churnlib.schemas.spec import TableSpec

MonthlyRows = Mapping[str, Mapping[str, int]]
"""The rows of a raw table that were complete some months after they became known, by that number
and by the ISO day of the month in which they became known: plain data, for the note of sources."""


@dataclass(frozen=True)
class FewRows:
    """Months of a raw table with far fewer rows than others.

    Attributes:
        table: Its name.
        column: The column of the day of its facts.
        first: The first of the months, by that column.
        last: The last of them.
        found: The number of rows in them.
        expected: The number to be expected from other months.
    """

    table: str
    column: str
    first: date
    last: date
    found: int
    expected: int

    @property
    def months(self) -> str:
        """The months, as in `2024-10 to 2024-12`."""
        first, last = f"{self.first:%Y-%m}", f"{self.last:%Y-%m}"
        return first if first == last else f"{first} to {last}"

    @property
    def comparison(self) -> str:
        """The rows in the months and those to be expected, as the middle of a sentence."""
        rows = "1 row has" if self.found == 1 else f"{self.found:,} rows have"
        return (
            f"{rows} {self.column} in {self.months}, where about {self.expected:,} were to be "
            "expected from the months before"
        )


@dataclass(frozen=True)
class LateFeed(FewRows):
    """Too few rows in the last months of a raw table; see `FewRows`.

    Attributes:
        safe_day: The latest first of a month on which the table was not late.
    """

    safe_day: date

    def __str__(self) -> str:
        """What is late, in a sentence without its full stop."""
        return f"{self.table} is late: {self.comparison}"


def find_late(spec: TableSpec, rows: MonthlyRows, as_of: date) -> LateFeed | None:
    """Finds the months of a raw table that are late on a day.

    Only complete months are judged: those before the day, and for tables whose facts become known
    on the first day of a month, that of the day, too.

    Args:
        spec: The raw table's record.
        rows: Its rows by month.
        as_of: The day; rows that became known later do not count.

    Returns:
        The months; None if the table is not late, or is too young to tell. See
        `churnlib.raw.shortfall`.
    """
    last = last_complete(spec, as_of)
    by_age = {int(age): _months(counts) for age, counts in rows.items()}
    first = min((month for months in by_age.values() for month in months), default=None)
    if first is None or first > last:
        return None
    span = [shift_months(first, n) for n in range(months_apart(first, last) + 1)]
    ages = [by_age.get(age, {}) for age in range(max(by_age) + 1)]
    known = accumulate(([months.get(month, 0) for month in span] for months in ages), _add)
    short = find_shortfall(list(known))
    if short is None:
        return None
    begins = span[-short.months]
    return LateFeed(
        table=spec.name,
        column=spec.dated,
        first=shift_months(begins, -spec.months_until_known),
        last=shift_months(last, -spec.months_until_known),
        found=short.found,
        expected=round(short.expected),
        safe_day=shift_months(begins, -1) if spec.is_monthly else begins,
    )


def last_complete(spec: TableSpec, as_of: date) -> date:
    """The first day of the last month whose rows are all known on a day."""
    newest = as_of - timedelta(days=spec.known_after_days)  # The last day of which all is known.
    if spec.is_monthly:
        return first_day(newest)
    return shift_months(first_day(newest + timedelta(days=1)), -1)


def newest_month(rows: MonthlyRows, as_of: date) -> date | None:
    """The latest month with rows that became known by a day; None if there is none."""
    days = {date.fromisoformat(day) for counts in rows.values() for day in counts}
    return max((day for day in days if day <= as_of), default=None)


def _months(counts: Mapping[str, int]) -> Mapping[date, int]:
    return {date.fromisoformat(day): rows for day, rows in counts.items()}


def _add(before: Sequence[int], more: Sequence[int]) -> list[int]:
    return [one + other for one, other in zip(before, more, strict=True)]


def monthly_rows(days: Mapping[str, Sequence[tuple[str, int]]]) -> MonthlyRows:
    """Adds up rows by day to rows by month.

    Args:
        days: Pairs of an ISO day and the number of rows that became known on it, by the months
            after which these rows are complete.
    """
    months: dict[str, Counter[str]] = {age: Counter() for age in days}
    for age, pairs in days.items():
        for day, rows in pairs:
            months[age][f"{day[:7]}-01"] += rows
    return {age: dict(counts) for age, counts in months.items()}


def read_monthly_rows(checked: Dataset | DatasetRef, spec: TableSpec) -> MonthlyRows:
    """Reads the rows of a checked table by month from its footer.

    Args:
        checked: The table.
        spec: The raw table's record. Its delay does not count: rows are of the month in which they
            would be known without.
    """
    by_day, by_age = facts(checked, ROWS_BY_DAY, ROWS_BY_AGE)
    delay = timedelta(days=spec.known_after_days)
    days = by_age or {"0": by_day.get(ROWS, ())}
    return monthly_rows(
        {
            age: [(str(date.fromisoformat(day) - delay), rows) for day, rows in pairs]
            for age, pairs in days.items()
        }
    )
