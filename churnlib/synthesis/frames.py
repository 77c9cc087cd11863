"""Parts of the raw tables that all processes share."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churnlib.schemas.columns import DAY, END_DATE, PROBABILITY, START_DATE, SUB_ID
from churnlib.synthesis.process import ChurnProcess, Levels
from churnlib.synthesis.span import MONTHS, STARTS
from churnlib.synthesis.subscriptions import GOES_ON

TRUTH, MONTH_TRUTH = "sub_truth", "sub_month_truth"
"""The files of the true probabilities on the day of the start, and on the first of each month."""
SUBS_PER_CHARACTER = 100
"""Each character has its own range of subscription ids, so that chunks are independent."""


def sub_ids(subs: NDArray[Any], first_id: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Numbers the subscriptions of a chunk.

    Args:
        subs: The subscriptions, in the order of their numbers.
        first_id: The `char_id` of the chunk's first character.

    Returns:
        Their order by character and start, and the id of each subscription by its number.
    """
    order = np.lexsort((subs["number"], subs["start"], subs["character"]))
    ordinal = np.empty(len(subs), np.int64)
    ordinal[order] = _count_within(subs["character"][order])
    return order, (first_id + subs["character"]) * SUBS_PER_CHARACTER + ordinal


def misses(runs: NDArray[Any], sub_id: NDArray[Any]) -> pl.DataFrame:
    """Returns the runs of missed months that are known on the last day, sorted by key."""
    # A run becomes known on the first day of the month after it.
    number, first, last = runs[runs[:, 2] < MONTHS].T
    order = np.lexsort((first, sub_id[number]))
    return pl.DataFrame(
        {
            SUB_ID: sub_id[number][order],
            START_DATE: dates(STARTS[first][order]),
            END_DATE: dates(STARTS[last][order]).set(pl.Series(last[order] == GOES_ON), None),
        }
    )


def truths(
    process: ChurnProcess, subs: NDArray[Any], months: NDArray[Any], sub_id: NDArray[Any]
) -> dict[str, pl.DataFrame]:
    """Returns the true probabilities, by the name of their file, each sorted by key.

    Args:
        process: The game's process.
        subs: The subscriptions, with the probability on the day of the start.
        months: Their probabilities on the first day of each month; of no use to processes that draw
            churn at the start.
        sub_id: The id of each subscription by its number.
    """
    order = np.argsort(sub_id)
    tables = {TRUTH: pl.DataFrame({SUB_ID: sub_id[order], PROBABILITY: subs["probability"][order]})}
    if process.payments:
        order = np.lexsort((months["month"], sub_id[months["number"]]))
        tables[MONTH_TRUTH] = pl.DataFrame(
            {
                SUB_ID: sub_id[months["number"]][order],
                DAY: dates(STARTS[months["month"][order]]),
                PROBABILITY: months["probability"][order],
            }
        )
    return tables


def _count_within(groups: NDArray[Any]) -> NDArray[Any]:
    """Numbers the elements of each run of equal values from 1."""
    begins = np.searchsorted(groups, groups, side="left")
    return np.arange(len(groups)) - begins + 1


def dates(days: NDArray[Any]) -> pl.Series:
    """Converts days since 1970-01-01."""
    return pl.Series(days, dtype=pl.Int32).cast(pl.Date)


def text(levels: Levels, codes: NDArray[Any]) -> pl.Series:
    """Converts codes of categories."""
    return pl.Series(levels.names, dtype=pl.String).gather(codes.astype(np.uint32))
