"""Which rows of a cohort a campaign has reached within their horizon, and whom it has held out.

A campaign changes the outcomes that the next model learns from: those whom it kept look as if they
had not been at risk. Those held out, whom it would have contacted, show what happens without it.
"""

from datetime import date
from typing import Literal, get_args

import polars as pl

from churnlib.months import months_from
from churnlib.schemas.columns import CAMPAIGN, CAMPAIGN_WEIGHT, CHAR_ID, DAY, PROBABILITY, SUB_ID
from churnlib.schemas.validation import require

Reached = Literal["contacted", "held_out", "none"]
"""What a campaign did about a row: `held_out` would have been contacted."""
CONTACTED, HELD_OUT, NONE = get_args(Reached)
CONTACTED_ON, HOLD_OUT_SHARE = "contacted_on", "hold_out_share"

_ROW = "_row"


def campaign_contacts(
    predictions: pl.LazyFrame, *, contacted_on: date, threshold: float | None, hold_out_share: float
) -> pl.LazyFrame:
    """Selects the subscriptions of a batch that a campaign contacted, or held out.

    Args:
        predictions: The predictions of the batch, one row per subscription.
        contacted_on: The day of its run.
        threshold: The lowest probability that was contacted; None contacted nobody.
        hold_out_share: The share of the characters that was held out.

    Returns:
        One row per subscription that was contacted, or held out although it reached the threshold:
        `char_id`, `sub_id`, `contacted_on`, `campaign` (`contacted` or `held_out`), and
        `hold_out_share`. No rows if nobody was to be contacted.
    """
    lowest = float("inf") if threshold is None else threshold
    reached = pl.col("contact").is_not_null() & (pl.col(PROBABILITY) >= lowest)
    return predictions.filter(reached & (pl.col("contact") | pl.col("held_out"))).select(
        CHAR_ID,
        SUB_ID,
        pl.lit(contacted_on).alias(CONTACTED_ON),
        pl.when("contact").then(pl.lit(CONTACTED)).otherwise(pl.lit(HELD_OUT)).alias(CAMPAIGN),
        pl.lit(hold_out_share, pl.Float64).alias(HOLD_OUT_SHARE),
    )


def add_campaign(
    rows: pl.LazyFrame, contacts: pl.LazyFrame | None, *, horizon_months: int
) -> pl.LazyFrame:
    """Flags the rows that a campaign reached while their outcome was open.

    Args:
        rows: Rows of a cohort, with `sub_id` and `day`.
        contacts: The rows of `campaign_contacts`, of any number of batches. None, which is faster,
            if nobody was contacted.
        horizon_months: The horizon of the label; contacts before the day or after the horizon do
            not count.

    Returns:
        The rows, in their order, with `campaign` (see `Reached`; contacted once is contacted) and
        `campaign_weight`: 0 if contacted, 1 / `hold_out_share` if held out, so that these stand for
        all who would have been contacted, else 1. Neither is known on the day.

    Raises:
        DataError: A column is missing.
    """
    require(rows.collect_schema(), (SUB_ID, DAY), "the rows")
    if contacts is None:
        return rows.with_columns(pl.lit(NONE).alias(CAMPAIGN), pl.lit(1.0).alias(CAMPAIGN_WEIGHT))
    numbered, day, on = rows.with_row_index(_ROW), pl.col(DAY), pl.col(CONTACTED_ON)
    is_open = (on >= day) & (months_from(day, on) < horizon_months)
    found = (
        numbered.select(_ROW, SUB_ID, DAY)
        .join(contacts.drop(CHAR_ID), on=SUB_ID)
        .filter(is_open)
        .group_by(_ROW)
        .agg(
            contacted=(pl.col(CAMPAIGN) == CONTACTED).any(),
            share=pl.col(HOLD_OUT_SHARE).min(),
        )
        .select(
            _ROW,
            pl.when("contacted")
            .then(pl.lit(CONTACTED))
            .otherwise(pl.lit(HELD_OUT))
            .alias(CAMPAIGN),
            pl.when("contacted").then(0.0).otherwise(1 / pl.col("share")).alias(CAMPAIGN_WEIGHT),
        )
    )
    return (
        numbered.join(found, on=_ROW, how="left", maintain_order="left")
        .with_columns(pl.col(CAMPAIGN).fill_null(NONE), pl.col(CAMPAIGN_WEIGHT).fill_null(1.0))
        .drop(_ROW)
    )
