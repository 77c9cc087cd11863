"""A batch compared with the one before: who is new on the list, who left it, whose risk moved."""

from dataclasses import dataclass

import polars as pl

from churnlib.schemas.columns import CHAR_ID, DAY, PREVIOUS, PROBABILITY, SUB_ID

LISTED = "listed"
LISTED_SHARE = 0.1
"""The share of a batch that is on its list if nobody may be contacted yet: the riskiest tenth."""


@dataclass(frozen=True)
class BatchChanges:
    """What changed since the batch before.

    Attributes:
        listed: The number of subscriptions on the list.
        listed_before: The number on the list of the batch before.
        stayed: The number of those on both lists.
        began: The number on the list that the batch before did not predict.
        rose: The number on the list that it predicted, below its list.
        fell: The number on its list that are predicted now, below the list.
        gone: The number on its list that are not predicted any more: they churned or ended.
    """

    listed: int
    listed_before: int
    stayed: int
    began: int
    rose: int
    fell: int
    gone: int


def add_listed(predictions: pl.DataFrame, threshold: float | None) -> pl.DataFrame:
    """Flags the subscriptions that are on the list of their batch.

    The list has those who reach the threshold, also if they are held out; if it is not decided yet
    whom to contact, the riskiest tenth.

    Args:
        predictions: The predictions of a batch: `churn_probability`, `risk_rank` and `contact`.
        threshold: The lowest probability that is contacted; None contacts nobody.

    Returns:
        The rows with the flag `listed`.
    """
    ranked = pl.col("risk_rank").count()
    riskiest = pl.col("risk_rank") <= (LISTED_SHARE * ranked).ceil()
    reached = pl.lit(False) if threshold is None else pl.col(PROBABILITY) >= threshold
    is_decided = pl.col("contact").is_not_null()
    listed = pl.when(is_decided).then(reached).otherwise(riskiest).fill_null(False)
    return predictions.with_columns(listed.alias(LISTED))


def add_previous(predictions: pl.DataFrame, before: pl.DataFrame | None) -> pl.DataFrame:
    """Adds what the batch before predicted for the same subscriptions.

    Args:
        predictions: One row per subscription and day, with `sub_id`.
        before: The predictions of the batch before; None if there is none. Of several days of a
            subscription the last counts.

    Returns:
        The rows with `previous_probability`, null for subscriptions that it did not predict.
    """
    if before is None:
        return predictions.with_columns(pl.lit(None, pl.Float64).alias(PREVIOUS))
    last = before.sort(DAY).group_by(SUB_ID, maintain_order=True).agg(pl.col(PROBABILITY).last())
    return predictions.join(
        last.rename({PROBABILITY: PREVIOUS}), on=SUB_ID, how="left", maintain_order="left"
    )


def compare_batches(now: pl.DataFrame, before: pl.DataFrame) -> BatchChanges:
    """Compares the lists of two batches.

    Args:
        now: The rows of a batch from `add_listed`, one per subscription.
        before: Those of the batch before.
    """
    both = now.select(SUB_ID, now=LISTED).join(
        before.select(SUB_ID, before=LISTED), on=SUB_ID, how="full", coalesce=True
    )
    is_now, was = pl.col("now"), pl.col("before")
    counts = {
        "listed": is_now,
        "listed_before": was,
        "stayed": is_now & was,
        "began": is_now & was.is_null(),
        "rose": is_now & ~was,
        "fell": was & ~is_now,
        "gone": was & is_now.is_null(),
    }
    found = both.select(
        condition.fill_null(False).sum().alias(name) for name, condition in counts.items()
    )
    return BatchChanges(**found.row(0, named=True))


def most_moved(predictions: pl.DataFrame, most: int) -> pl.DataFrame:
    """Selects the subscriptions whose risk moved most since the batch before.

    Args:
        predictions: The predictions of a batch, with `previous_probability`.
        most: The number of rows.

    Returns:
        The rows with the greatest rise or fall, the greatest first, with `change`.
    """
    change = pl.col(PROBABILITY) - pl.col(PREVIOUS)
    moved = predictions.with_columns(change=change).filter(pl.col("change").abs() > 0)
    return moved.sort(
        pl.col("change").abs(), CHAR_ID, SUB_ID, descending=[True, False, False]
    ).head(most)
