"""Calendar-month arithmetic on days."""

from calendar import monthrange
from datetime import date


def first_day(day: date) -> date:
    """The first day of a day's month."""
    return day.replace(day=1)


def last_day(day: date) -> date:
    """The last day of a day's month."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def months_apart(start: date, end: date) -> int:
    """Calendar months from one day to another, whatever the days of the month.

    >>> months_apart(date(2024, 12, 31), date(2025, 1, 1))
    1
    """
    return 12 * (end.year - start.year) + end.month - start.month


def shift_months(first: date, months: int) -> date:
    """Moves a month's first day by calendar months.

    >>> shift_months(date(2025, 1, 1), -1)
    datetime.date(2024, 12, 1)
    """
    index = 12 * first.year + first.month - 1 + months
    return first.replace(year=index // 12, month=index % 12 + 1)
