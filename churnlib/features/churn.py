"""The day on which a subscription's churn is a fact."""

from datetime import date

import polars as pl

from churnlib.features.calendar import month_index, month_start

FAR = 10**6
"""Months; more than there are in the calendar."""


def add_churned_on(
    subs: pl.LazyFrame, misses: pl.LazyFrame, *, as_of: date, churn_after_months: int
) -> pl.LazyFrame:
    """Adds `churned_on`, the first day of the month after the last missed month that it takes.

    Args:
        subs: A row a subscription, with `sub_id`.
        misses: `sub_miss`, a row a run of missed months; runs that touch or overlap are one.
        as_of: The day of the run; what becomes a fact only later is not known yet.
        churn_after_months: How many missed months in a row are churn.

    Returns:
        The rows of `subs`; null where churn has not happened, or not by `as_of`.
    """
    churned = (
        missed_runs(misses)
        .filter(pl.col("last_month") - pl.col("first_month") + 1 >= churn_after_months)
        .group_by("sub_id")
        .agg(churned_on=month_start(pl.col("first_month").min() + churn_after_months))
        .filter(pl.col("churned_on") <= as_of)
    )
    return subs.join(churned, on="sub_id", how="left", maintain_order="left")


def missed_runs(misses: pl.LazyFrame) -> pl.LazyFrame:
    """Joins runs of missed months that touch or overlap.

    Args:
        misses: `sub_miss`, with `start_date` and `end_date`, both included.

    Returns:
        A row a run that no other of the same subscription touches: `sub_id`, `first_month`,
        `last_month`, as month indices.
    """
    # Subscriptions follow each other without a break, so that one pass serves all: each is moved
    # behind whatever month the one before may have reached.
    moved = pl.col("sub_id").rle_id().cast(pl.Int64) * FAR
    reached = (moved + pl.col("last_month")).cum_max().shift(1)
    begins = (moved + pl.col("first_month") > reached + 1).fill_null(True)
    return (
        misses.select(
            "sub_id",
            first_month=month_index(pl.col("start_date")),
            last_month=month_index(pl.col("end_date")),
        )
        .sort("sub_id", "first_month", "last_month")
        .with_columns(_run=begins.cum_sum())
        .group_by("_run", maintain_order=True)
        .agg(pl.col("sub_id").first(), pl.col("first_month").first(), pl.col("last_month").max())
        .drop("_run")
    )
