"""Whom a campaign contacts: who reaches a model's threshold, but for those who are held out."""

from typing import Any

import numpy as np
import polars as pl

from churnlib.buckets import hashes
from churnlib.datasets import DatasetRef
from churnlib.model.predict import PROBABILITY
from churnlib.model.store import read_manifest, read_scored
from churnlib.settings import Offer

SALT = np.uint64(0x9E3779B97F4A7C15)
"""Makes the hash another one than that by which characters are sampled and ordered. Whoever changes
it holds out other characters, and ends every study that runs."""


def threshold_of(model: DatasetRef, offer: Offer) -> float | None:
    """The probability from which on a campaign contacts by a model.

    Args:
        model: The version.
        offer: What contacting costs and brings now.

    Returns:
        The threshold in the manifest where it was chosen for the same offer; else the one that the
        version's validation rows give for this offer. Null where contacting nobody is best.

    Raises:
        ModelError: The version's manifest or rows are not as they were written.
    """
    chosen = read_manifest(model).get("campaign")
    if chosen and chosen["terms"] == offer.model_dump():
        threshold: float | None = chosen["threshold"]
        return threshold
    from churnlib.model.campaign import choose_threshold

    return choose_threshold(read_scored(model).filter(slice="validation"), offer)


def is_held_out(ids: pl.Series, share: float) -> pl.Series:
    """Tells which characters are never contacted: the same in every month and for every model.

    Who is held out at one share is so at every larger one.

    Args:
        ids: The characters' ids.
        share: The share of the characters that is held out, from 0 to below 1.
    """
    salted = pl.Series((hashes(ids) ^ SALT).view(np.int64))
    return pl.Series("held_out", hashes(salted) < np.uint64(int(share * 2**64)))


def add_contact(
    predictions: pl.DataFrame, threshold: float | None, hold_out_share: float
) -> pl.DataFrame:
    """Adds whom to contact.

    Args:
        predictions: A row a subscription, with `char_id` and `churn_probability`.
        threshold: The least probability that is contacted; nobody if null.
        hold_out_share: The share of the characters that is never contacted.

    Returns:
        The rows of `predictions`, with `contact` and `held_out`.
    """
    held_out = is_held_out(predictions["char_id"], hold_out_share)
    reached = pl.lit(False) if threshold is None else pl.col(PROBABILITY) >= threshold
    return predictions.with_columns(contact=reached & ~held_out, held_out=held_out)


def compare_hold_out(scored: pl.DataFrame, threshold: float | None) -> dict[str, dict[str, Any]]:
    """Says how those to contact did, and those held out who reach the same threshold.

    Args:
        scored: A row a subscription: `sub_churn`, null where not known yet, `churn_probability`,
            `contact` and `held_out`.
        threshold: The least probability that was contacted; nobody if null.

    Returns:
        For `contacted` and `held_out` the number of subscriptions with a known outcome (`n`), of
        those that churned (`churned`), and their share (`churn_rate`, null of none).
    """
    known = scored.drop_nulls("sub_churn")
    reached = pl.lit(False) if threshold is None else pl.col(PROBABILITY) >= threshold
    groups = {"contacted": pl.col("contact"), "held_out": pl.col("held_out") & reached}
    return {name: _rate(known.filter(group)) for name, group in groups.items()}


def _rate(rows: pl.DataFrame) -> dict[str, Any]:
    churned = int(rows["sub_churn"].sum())
    return {
        "n": len(rows),
        "churned": churned,
        "churn_rate": churned / len(rows) if len(rows) else None,
    }
