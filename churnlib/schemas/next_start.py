"""The next subscription of a character that begins when another is missed."""

import polars as pl

from churnlib.months import month_index, month_start
from churnlib.schemas.columns import CHAR_ID, START_DATE, SUB_START_DATE

NEXT_START_DATE = "next_start_date"

_ROW, _EARLIEST, _START = "_row", "_earliest", "_start"


def add_next_start(misses: pl.DataFrame, subs: pl.DataFrame) -> pl.DataFrame:
    """Adds when the character began another subscription, from the month before a miss on.

    A subscription that replaces another often begins in the last month that this one is paid for.
    Those that began on the same day as the missed one, or before it, do not count.

    Args:
        misses: Runs of missed months: `char_id`, `start_date`, and the `sub_start_date` of their
            subscription.
        subs: All subscriptions of these characters; others may be among them.

    Returns:
        The rows of `misses`, in their order, with `next_start_date`; null if there is none.
    """
    month_before = month_start(month_index(pl.col(START_DATE)) - 1)
    earliest = pl.max_horizontal(month_before, pl.col(SUB_START_DATE).dt.offset_by("1d"))
    start = pl.col(SUB_START_DATE)
    starts = subs.select(CHAR_ID, start.alias(_START), start.alias(NEXT_START_DATE)).sort(_START)
    found = (
        misses.select(CHAR_ID, earliest.alias(_EARLIEST))
        .with_row_index(_ROW)
        .sort(_EARLIEST)
        .join_asof(
            starts,
            left_on=_EARLIEST,
            right_on=_START,
            by=CHAR_ID,
            strategy="forward",
            check_sortedness=False,  # Both are sorted here.
        )
        .sort(_ROW)
    )
    return misses.with_columns(found[NEXT_START_DATE])
