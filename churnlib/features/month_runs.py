"""Runs of months: merging them, and months in which no other subscription runs."""

import polars as pl

from churnlib.months import month_index
from churnlib.schemas.columns import CHAR_ID, SUB_ID, SUB_MONTHS, SUB_START_DATE

MANY_MONTHS = 10**6
"""More months than any date has."""
FIRST, LAST = "first_month", "last_month"
_CANDIDATE, _OTHER = "_candidate", "_other"


def merge_months(runs: pl.LazyFrame, key: str = SUB_ID) -> pl.LazyFrame:
    """Merges runs of months that touch or overlap.

    Args:
        runs: One row per run: the key, and `first_month` and `last_month` as month indices, both
            included.
        key: The column of what the runs belong to.

    Returns:
        One row per merged run, in any order, with the same columns.
    """
    # One pass over all keys: the months of each are shifted past any month that the key before it
    # can have.
    shift = pl.col(key).rle_id().cast(pl.Int64) * MANY_MONTHS
    reached = (shift + pl.col(LAST)).cum_max().shift(1)
    starts_run = (shift + pl.col(FIRST) > reached + 1).fill_null(True)
    return (
        runs.select(key, FIRST, LAST)
        .sort(key, FIRST)
        .with_columns(_run=starts_run.cum_sum())
        .group_by("_run")
        .agg(pl.col(key).first(), pl.col(FIRST).first(), pl.col(LAST).max())
        .drop("_run")
    )


def earliest_alone(
    candidates: pl.LazyFrame, subs: pl.LazyFrame, *, is_since: bool = False
) -> pl.LazyFrame:
    """Moves runs of months to begin when no other subscription of the character runs.

    A subscription runs in a month if its term does on the first day of it.

    Args:
        candidates: Runs of months of subscriptions: `sub_id`, `first_month` and `last_month`.
        subs: All subscriptions of their characters.
        is_since: Whether none may have run on the day before, either: on the last of the month that
            led to the candidate.

    Returns:
        The runs with the first such month as `first_month`, in any order; without those that have
        none.
    """
    start, day = month_index(pl.col(SUB_START_DATE)), pl.col(SUB_START_DATE).dt.day()
    ends_before = pl.lit(False) if is_since else day == 1
    terms = subs.select(
        CHAR_ID,
        pl.col(SUB_ID).alias(_OTHER),
        (start + (day > 1)).alias(FIRST),
        (start + pl.col(SUB_MONTHS).clip(0, MANY_MONTHS).cast(pl.Int32) - ends_before).alias(LAST),
    ).filter(pl.col(LAST) >= pl.col(FIRST))
    # Sorted, because the plan may compute them twice, and groups come in another order each time.
    numbered = candidates.sort(SUB_ID, FIRST, LAST).with_row_index(_CANDIDATE)
    busy = (
        numbered.select(_CANDIDATE, SUB_ID)
        .join(subs.select(SUB_ID, CHAR_ID), on=SUB_ID)
        .join(terms, on=CHAR_ID)
        .filter(pl.col(_OTHER) != pl.col(SUB_ID))
        .pipe(merge_months, _CANDIDATE)
        .rename({FIRST: "_busy_from", LAST: "_busy_to"})
    )
    is_busy = pl.col(FIRST).is_between("_busy_from", "_busy_to")
    free_from = (
        numbered.join(busy, on=_CANDIDATE)
        .filter(is_busy)
        .select(_CANDIDATE, _free_from=pl.col("_busy_to") + 1)
    )
    return (
        numbered.join(free_from, on=_CANDIDATE, how="left")
        .with_columns(pl.col("_free_from").fill_null(pl.col(FIRST)).alias(FIRST))
        .filter(pl.col(FIRST) <= pl.col(LAST))
        .select(SUB_ID, FIRST, LAST)
    )
