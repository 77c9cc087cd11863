"""Features of our own: functions that games name in `[features.python]`.

Each gets the rows of its table that were known on the day of a row of the cohort, sorted by time,
with `row_id` and `day` of that row, and gives one row per `row_id`.
"""

import polars as pl

import churnlib


@churnlib.feature(table="character_currency")
def hard_balance_to_mean(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The newest balance by the mean of all; null without one, or if the mean is 0."""
    newest, mean = pl.col("hard_balance").last(), pl.col("hard_balance").mean()
    ratio = pl.when(mean != 0).then(newest / mean)
    return rows.group_by("row_id").agg(ratio.alias("ratio"))
