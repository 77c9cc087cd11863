"""The label: whether a subscription churned within the horizon, where that is known."""

from datetime import date

import polars as pl

from churnlib.features.calendar import months_from

LABEL = "sub_churn"


def add_label(subs: pl.LazyFrame, *, as_of: date, horizon_months: int) -> pl.LazyFrame:
    """Adds `sub_churn`: 1 where churn came within the horizon, 0 where not, null if not yet known.

    Args:
        subs: A row a subscription, with `sub_start_date` and `churned_on`.
        as_of: The day of the run.
        horizon_months: Within how many calendar months of the start churn counts.

    Returns:
        The rows of `subs`, with an Int8 that is null where `as_of` lies less than the horizon
        after the start.
    """
    start = pl.col("sub_start_date")
    matured = months_from(start, pl.lit(as_of)) >= horizon_months
    churned = months_from(start, pl.col("churned_on")) <= horizon_months
    label = pl.when(matured).then(churned.fill_null(False).cast(pl.Int8))
    return subs.with_columns(label.alias(LABEL))
