"""The outcome of a subscription: the day on which it churned, and its label."""

from datetime import date

import polars as pl

from churnlib.months import month_index, month_start, months_from
from churnlib.schemas.columns import END_DATE, LABEL, START_DATE, SUB_ID, SUB_MONTHS, SUB_START_DATE
from churnlib.schemas.validation import require

MANY_MONTHS = 10**6
"""More months than any date has."""


def add_churned_on(
    subs: pl.LazyFrame, misses: pl.LazyFrame, *, as_of: date, churn_after_months: int
) -> pl.LazyFrame:
    """Adds `churned_on`, the first day after the missed months in a row that make churn.

    Args:
        subs: One row per subscription, with `sub_id`.
        misses: `sub_miss`, one row per run of missed months; runs that touch or overlap are merged,
            and one without an end goes on.
        as_of: The day of the run; later churn is not yet known.
        churn_after_months: The number of missed months in a row that are churn.

    Returns:
        The rows of `subs`. `churned_on` is the first day of a month; null if the subscription
        has not churned by `as_of`.

    Raises:
        DataError: A column is missing.
    """
    require(subs.collect_schema(), (SUB_ID,), "the subscriptions")
    require(misses.collect_schema(), (SUB_ID, START_DATE, END_DATE), "the misses")
    churned = (
        missed_runs(misses, as_of)
        .filter(pl.col("last_month") - pl.col("first_month") + 1 >= churn_after_months)
        .group_by(SUB_ID)
        .agg(churned_on=month_start(pl.col("first_month").min() + churn_after_months))
        .filter(pl.col("churned_on") <= as_of)
    )
    return subs.join(churned, on=SUB_ID, how="left", maintain_order="left")


def missed_runs(misses: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """Merges runs of missed months that touch or overlap.

    Args:
        misses: `sub_miss`, with `start_date` and `end_date`, both included. A run whose end is null
            goes on.
        as_of: The day of the run. A missed month is known on the first day of the next, so a run
            that goes on is known up to the month before this day's.

    Returns:
        One row per merged run, in any order: `sub_id`, and `first_month` and `last_month` as month
        indices.
    """
    # One pass over all subscriptions: the months of each are shifted past any month that the
    # subscription before it can have.
    shift = pl.col(SUB_ID).rle_id().cast(pl.Int64) * MANY_MONTHS
    reached = (shift + pl.col("last_month")).cum_max().shift(1)
    known = month_index(pl.lit(as_of)) - 1
    starts_run = (shift + pl.col("first_month") > reached + 1).fill_null(True)
    return (
        misses.select(
            SUB_ID,
            first_month=month_index(pl.col(START_DATE)),
            last_month=month_index(pl.col(END_DATE)).fill_null(known),
        )
        .sort(SUB_ID, "first_month")
        .with_columns(_run=starts_run.cum_sum())
        .group_by("_run")
        .agg(pl.col(SUB_ID).first(), pl.col("first_month").first(), pl.col("last_month").max())
        .drop("_run")
    )


def is_at_risk(churn_after_months: int) -> pl.Expr:
    """Whether a subscription can churn: one for fewer months cannot miss so many in a row.

    Args:
        churn_after_months: The number of missed months in a row that are churn.

    Returns:
        A flag per row, from `sub_months`.
    """
    return pl.col(SUB_MONTHS) >= churn_after_months


def add_label(
    subs: pl.LazyFrame, *, as_of: date, horizon_months: int, churn_after_months: int | None = None
) -> pl.LazyFrame:
    """Adds the label `sub_churn`: 1 if the subscription churned within the horizon, 0 if not.

    Misses before the start, which are a data warning, are no churn.

    Args:
        subs: One row per subscription, with `sub_start_date` and `churned_on`.
        as_of: The day of the run.
        horizon_months: The number of calendar months after the start within which churn counts.
        churn_after_months: The number of missed months in a row that are churn. If given,
            subscriptions that are not at risk have no label; see `is_at_risk`.

    Returns:
        The rows of `subs`, with the label as Int8; null if it is not yet available, because `as_of`
        is less than the horizon after the start, or if the subscription is not at risk.

    Raises:
        DataError: A column is missing.
    """
    term = () if churn_after_months is None else (SUB_MONTHS,)
    require(subs.collect_schema(), (SUB_START_DATE, "churned_on", *term), "the subscriptions")
    start = pl.col(SUB_START_DATE)
    is_available = months_from(start, pl.lit(as_of)) >= horizon_months
    if churn_after_months is not None:
        is_available &= is_at_risk(churn_after_months)
    churned_on = pl.col("churned_on")
    churned = (churned_on > start) & (months_from(start, churned_on) <= horizon_months)
    label = pl.when(is_available).then(churned.fill_null(False).cast(pl.Int8))
    return subs.with_columns(label.alias(LABEL))
