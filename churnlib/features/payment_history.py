"""The payment history of subscriptions: months missed until the day of a row, earlier churn."""

from datetime import date

import polars as pl

from churnlib.features.month_runs import FIRST, LAST
from churnlib.features.outcome import missed_runs
from churnlib.months import month_index
from churnlib.schemas.columns import (
    CHAR_ID,
    DAY,
    END_DATE,
    IN_A_ROW,
    MISSED,
    PREVIOUS_CHURNED,
    SINCE_MISS,
    START_DATE,
    SUB_ID,
    SUB_START_DATE,
)
from churnlib.schemas.validation import require

_ROW, _LENGTH, _PREVIOUS = "_row", "_length", "_previous_churned_on"


def add_missed_months(rows: pl.LazyFrame, misses: pl.LazyFrame, *, as_of: date) -> pl.LazyFrame:
    """Adds the missed months of a subscription that are known on the day of a row.

    A missed month is known on the first day of the next. Misses before the start of the
    subscription, which are a data warning, do not count.

    Args:
        rows: Rows of a cohort, with `sub_id`, `sub_start_date` and `day`.
        misses: `sub_miss`, one row per run of missed months; runs that touch or overlap count once,
            and one without an end goes on.
        as_of: The day of the run; misses that become known later are not read.

    Returns:
        The rows, in their order, with Int32 columns: `months_missed`, the number of these months;
        `months_missed_in_a_row`, of the run that reaches the month before the day, 0 if none does;
        and `months_since_miss`, the calendar months since the last one, null if there is none.

    Raises:
        DataError: A column is missing.
    """
    require(rows.collect_schema(), (SUB_ID, SUB_START_DATE, DAY), "the rows")
    require(misses.collect_schema(), (SUB_ID, START_DATE, END_DATE), "the misses")
    numbered, month = rows.with_row_index(_ROW), month_index(pl.col(DAY))
    first = pl.max_horizontal(FIRST, month_index(pl.col(SUB_START_DATE)))
    known = (
        numbered.select(_ROW, SUB_ID, SUB_START_DATE, DAY)
        .join(missed_runs(misses, as_of), on=SUB_ID)
        .with_columns(first.alias(FIRST), pl.min_horizontal(LAST, month - 1).alias(LAST))
        .filter(pl.col(FIRST) <= pl.col(LAST))
        .with_columns((pl.col(LAST) - pl.col(FIRST) + 1).alias(_LENGTH))
    )
    length, ago = pl.col(_LENGTH), month - pl.col(LAST)
    counted = known.group_by(_ROW).agg(
        length.sum().cast(pl.Int32).alias(MISSED),
        length.filter(ago == 1).sum().cast(pl.Int32).alias(IN_A_ROW),
        ago.min().cast(pl.Int32).alias(SINCE_MISS),
    )
    return (
        numbered.join(counted, on=_ROW, how="left", maintain_order="left")
        .with_columns(pl.col(MISSED, IN_A_ROW).fill_null(0))
        .drop(_ROW)
    )


def previous_churn(subs: pl.LazyFrame) -> pl.LazyFrame:
    """Notes for each subscription when the one before it churned, for `add_previous_churn`.

    It is the character's subscription with the latest strictly earlier start; if several began on
    that day, the first of them to churn counts.

    Args:
        subs: The standard features of all subscriptions of some characters, with `churned_on`,
            sorted by character and start.
    """
    require(subs.collect_schema(), (CHAR_ID, SUB_START_DATE, "churned_on"), "the subscriptions")
    by_start = subs.group_by(CHAR_ID, SUB_START_DATE, maintain_order=True).agg(
        pl.col("churned_on").min().alias(_PREVIOUS)
    )
    is_same = pl.col(CHAR_ID) == pl.col(CHAR_ID).shift()
    before = by_start.with_columns(
        pl.when(is_same).then(pl.col(_PREVIOUS).shift()).alias(_PREVIOUS)
    )
    return subs.join(before, on=[CHAR_ID, SUB_START_DATE], how="left", maintain_order="left")


def add_previous_churn(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Adds whether the subscription before had churned by the day of a row.

    Args:
        rows: Rows of a cohort, of subscriptions from `previous_churn`.

    Returns:
        The rows with `previous_sub_churned`; null if it is the character's first subscription.
    """
    churned = (pl.col(_PREVIOUS) <= pl.col(DAY)).fill_null(False)
    return rows.with_columns(
        pl.when(~pl.col("is_first_sub")).then(churned).alias(PREVIOUS_CHURNED)
    ).drop(_PREVIOUS)
