"""When the fact that a raw row tells became known."""

from datetime import date

import polars as pl

from churnlib.months import month_index, month_start


def known_by(table: str, as_of: date) -> pl.Expr:
    """Whether the fact that a row of a raw table tells was known on a day.

    Args:
        table: Which raw table it is.
        as_of: The day.

    Returns:
        A flag a row; null where the row's own date is null.
    """
    return _KNOWN_ON[table] <= as_of


_KNOWN_ON = {
    "character_data": pl.col("creation_date"),
    "character_currency": pl.col("date"),
    "sub_data": pl.col("sub_start_date"),
    # A missed month is known on the first day of the next.
    "sub_miss": month_start(month_index(pl.col("start_date")) + 1),
}
