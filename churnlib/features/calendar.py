"""Calendar months as whole numbers, in Polars expressions and for NumPy's days."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

Whole = NDArray[np.int64]


def month_index(day: pl.Expr) -> pl.Expr:
    """Counts the months from year 0 to a day's month, so that differences are calendar months."""
    return 12 * day.dt.year() + day.dt.month().cast(pl.Int32) - 1


def months_from(start: pl.Expr, end: pl.Expr) -> pl.Expr:
    """Calendar months from one day to another, whatever the days of the month; Int32."""
    return month_index(end) - month_index(start)


def month_start(index: pl.Expr) -> pl.Expr:
    """The first day of a month counted as in `month_index`."""
    return pl.date(index // 12, index % 12 + 1, 1)


def months_of(days: Whole) -> Whole:
    """The month of each day since 1970, counted as in `month_index`."""
    return _JANUARY_1970 + days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def first_days(months: Whole) -> Whole:
    """The first day of each month counted as in `month_index`, in days since 1970."""
    if not len(months):
        return months
    first, last = months.min(), months.max()
    since = np.arange(first - _JANUARY_1970, last + 1 - _JANUARY_1970).astype("datetime64[M]")
    days: Whole = since.astype("datetime64[D]").astype(np.int64)
    taken: Whole = days.take(months - first)
    return taken


_JANUARY_1970 = 12 * 1970
