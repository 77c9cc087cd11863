"""Calendar-month arithmetic: on days, in Polars expressions, and on arrays of NumPy."""

from calendar import monthrange
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]

MONTH_PATTERN = r"^(19|2[01])\d{2}-(0[1-9]|1[0-2])$"
"""A month as text, such as 2024-12, from 1900 to 2199."""

_JANUARY_1970 = 12 * 1970


def first_day(day: date) -> date:
    """The first day of a day's month."""
    return day.replace(day=1)


def last_day(day: date) -> date:
    """The last day of a day's month."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def months_apart(start: date, end: date) -> int:
    """Calendar months from one day to another, ignoring the days of the month.

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


def month_index(day: "pl.Expr") -> "pl.Expr":
    """Counts the months from year 0 to a day's month, so that differences are calendar months."""
    import polars as pl

    return 12 * day.dt.year() + day.dt.month().cast(pl.Int32) - 1


def months_from(start: "pl.Expr", end: "pl.Expr") -> "pl.Expr":
    """Calendar months from one day to another, ignoring the days of the month; Int32."""
    return month_index(end) - month_index(start)


def is_in_month_before(day: "pl.Expr", other: "pl.Expr") -> "pl.Expr":
    """Whether a day is in a calendar month before that of another day; both are of type Date."""
    # Cheaper than to compare the months of both: only one day is taken apart.
    return day.to_physical() <= other.to_physical() - other.dt.day()


def month_start(index: "pl.Expr") -> "pl.Expr":
    """The first day of a month counted as in `month_index`."""
    import polars as pl

    return pl.date(index // 12, index % 12 + 1, 1)


def months_of(days: "Whole") -> "Whole":
    """The month of each day since 1970, counted as in `month_index`."""
    import numpy as np

    return _JANUARY_1970 + days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def first_days(months: "Whole") -> "Whole":
    """The first day of each month counted as in `month_index`, in days since 1970."""
    import numpy as np

    if not len(months):
        return months
    first, last = months.min(), months.max()
    since = np.arange(first - _JANUARY_1970, last + 1 - _JANUARY_1970).astype("datetime64[M]")
    days: Whole = since.astype("datetime64[D]").astype(np.int64)
    taken: Whole = days.take(months - first)
    return taken
