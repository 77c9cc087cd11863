"""Calendar months as whole numbers, in Polars expressions."""

import polars as pl


def month_index(day: pl.Expr) -> pl.Expr:
    """Counts the months from year 0 to a day's month, so that differences are calendar months."""
    return 12 * day.dt.year() + day.dt.month().cast(pl.Int32) - 1


def months_from(start: pl.Expr, end: pl.Expr) -> pl.Expr:
    """Calendar months from one day to another, whatever the days of the month; Int32."""
    return month_index(end) - month_index(start)


def month_start(index: pl.Expr) -> pl.Expr:
    """The first day of a month counted as in `month_index`."""
    return pl.date(index // 12, index % 12 + 1, 1)
