"""Whom a campaign contacts: who reaches a model's threshold, but for those who are held out."""

from typing import Any

import numpy as np
import polars as pl

from churnlib.io.buckets import hashes
from churnlib.metrics.intervals import newcombe_interval, wilson_interval
from churnlib.schemas.columns import PROBABILITY

SALT = np.uint64(0x9E3779B97F4A7C15)
"""Makes the hash another one than that by which characters are sampled and ordered. Whoever changes
it holds out other characters, and ends every study that runs."""


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


def compare_hold_out(scored: pl.DataFrame, threshold: float | None) -> dict[str, Any]:
    """Says how those to contact did, and those held out who reach the same threshold.

    Args:
        scored: A row a subscription: `sub_churn`, null where not known yet, `churn_probability`,
            `contact` and `held_out`.
        threshold: The least probability that was contacted; nobody if null.

    Returns:
        See `compare_counts`; counted are subscriptions with a known outcome.
    """
    known = scored.drop_nulls("sub_churn")
    reached = pl.lit(False) if threshold is None else pl.col(PROBABILITY) >= threshold
    groups = (known.filter("contact"), known.filter(pl.col("held_out") & reached))
    contacted, held_out = ((int(rows["sub_churn"].sum()), len(rows)) for rows in groups)
    return compare_counts(contacted=contacted, held_out=held_out)


def compare_counts(*, contacted: tuple[int, int], held_out: tuple[int, int]) -> dict[str, Any]:
    """Says what contacting did, from how many churned among those contacted and those held out.

    Args:
        contacted: How many churned, and of how many.
        held_out: The same of those held out.

    Returns:
        `contacted` and `held_out`, each with `n`, `churned`, `churn_rate` and `churn_rate_ci`; and
        the `fall` of the churn rate, from those held out to those contacted, with `fall_ci`.
        Intervals are of 95 %, of the rates by Wilson's score, of the fall by Newcombe's, each
        subscription counting as a fact of its own. Null of none.

    >>> found = compare_counts(contacted=(240, 1_000), held_out=(30, 100))
    >>> round(found["fall"], 2), [round(end, 3) for end in found["fall_ci"]]
    (0.06, [-0.026, 0.159])
    """
    told: dict[str, dict[str, Any]] = {
        name: {
            "n": n,
            "churned": churned,
            "churn_rate": churned / n if n else None,
            "churn_rate_ci": wilson_interval(churned, n),
        }
        for name, (churned, n) in (("contacted", contacted), ("held_out", held_out))
    }
    p, q = (told[name]["churn_rate"] for name in ("held_out", "contacted"))
    fall = None if p is None or q is None else p - q
    return {**told, "fall": fall, "fall_ci": newcombe_interval(held_out, contacted)}
