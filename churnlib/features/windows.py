"""Windows of subscription starts."""

from datetime import date

import polars as pl


def in_window(subs: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """Keeps the subscriptions that start from `first` to `last`, both included."""
    return subs.filter(pl.col("sub_start_date").is_between(first, last))
