"""A batch compared with the one before: who is new on the list, who left it, whose risk moved."""

from dataclasses import dataclass

import polars as pl

from churnlib.schemas.columns import CHAR_ID, DAY, PREVIOUS, PROBABILITY, SUB_ID

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


def is_listed() -> pl.Expr:
    """Whether a subscription is on the list of its batch.

    The list has those that are contacted; if that is not decided yet, the riskiest tenth.
    """
    ranked = pl.col("risk_rank").count()
    riskiest = pl.col("risk_rank") <= (LISTED_SHARE * ranked).ceil()
    return pl.coalesce("contact", riskiest).fill_null(False)


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
        now: The predictions of a batch: `sub_id`, `risk_rank` and `contact`.
        before: Those of the batch before.
    """
    both = now.select(SUB_ID, now=is_listed()).join(
        before.select(SUB_ID, before=is_listed()), on=SUB_ID, how="full", coalesce=True
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
