"""The number of different values in runs of rows."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churnlib.features.row_runs import Integers, RowRuns, counted_before

NEVER = np.iinfo(np.int32).max
"""A row after all others."""


def previous_rows(values: pl.Series, characters: RowRuns) -> NDArray[np.int32]:
    """Finds the row before each with the same value and character.

    Args:
        values: The values of all rows.
        characters: The rows of each character, which are all rows.

    Returns:
        A row for each; -1 if none before has its value, and `NEVER` if it has no value.
    """
    numbered = values.to_frame("value").with_row_index()
    codes = numbered.select(pl.first("index").over("value").cast(pl.Int64)).to_series().to_numpy()
    previous = np.full(len(values), -1, dtype=np.int32)
    for chunk in characters.chunks():
        # By run, value and row: a number of all three is sorted fast.
        bits = len(chunk.rows).bit_length()
        runs = np.repeat(np.arange(len(chunk.lengths)), chunk.lengths)
        keys = runs * len(values) + codes.take(chunk.rows)
        keys = (keys << bits) + np.arange(len(keys))
        keys.sort()
        same = np.flatnonzero(keys[1:] >> bits == keys[:-1] >> bits)
        rows = chunk.rows.take(keys & (2**bits - 1))
        previous[rows[same + 1]] = rows[same]
    previous[values.is_null().to_numpy()] = NEVER
    return previous


def count_distinct(previous: NDArray[np.int32], runs: RowRuns) -> Integers:
    """Counts the different values in each run: those that none before in the run equals.

    Args:
        previous: The result of `previous_rows`.
        runs: The runs, each within the rows of a character.
    """
    counts = np.empty(len(runs), dtype=np.int64)
    for chunk in runs.chunks():
        before = counted_before(previous.take(chunk.rows) < chunk.spread(runs.first[chunk.runs]))
        counts[chunk.runs] = before.take(chunk.offsets + chunk.lengths) - before.take(chunk.offsets)
    return counts
