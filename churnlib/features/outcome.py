"""The outcome of a subscription: the day of its churn, and the label of the horizon."""

from datetime import date

import polars as pl

from churnlib.months import month_index, month_start, months_from
from churnlib.schemas.columns import LABEL

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
