"""Whom a campaign contacts: those who reach the threshold, except for the hold-out."""

from typing import Any

import numpy as np
import polars as pl

from churnlib.io.hashing import hashes
from churnlib.metrics.intervals import newcombe_interval, wilson_interval
from churnlib.schemas.columns import CHAR_ID, LABEL, PROBABILITY

SALT = np.uint64(0x9E3779B97F4A7C15)
"""Makes the hash independent of the one for sampling. Another value would change the hold-out and
invalidate every running study."""


def is_held_out(ids: pl.Series, share: float) -> pl.Series:
    """Flags the characters that are held out: the same in every month and for every model.

    A larger share includes the hold-out of a smaller one.

    Args:
        ids: The characters' ids.
        share: The share of the characters that is held out, from 0 to below 1.
    """
    salted = pl.Series((hashes(ids) ^ SALT).view(np.int64))
    return pl.Series("held_out", hashes(salted) < np.uint64(int(share * 2**64)))


def add_contact(
    predictions: pl.DataFrame,
    threshold: float | None,
    hold_out_share: float,
    *,
    may_contact: bool = True,
) -> pl.DataFrame:
    """Adds the flags `contact` and `held_out`.

    Args:
        predictions: One row per subscription, with `char_id` and `churn_probability`; one without
            a probability is not contacted.
        threshold: The lowest probability that is contacted; None contacts nobody.
        hold_out_share: The share of the characters that is never contacted.
        may_contact: Whether the model may decide on contacts; otherwise `contact` is null.

    Returns:
        The rows of `predictions`, with `contact` and `held_out`.
    """
    held_out = is_held_out(predictions[CHAR_ID], hold_out_share)
    reached = pl.lit(False)
    if threshold is not None:
        reached = (pl.col(PROBABILITY) >= threshold).fill_null(False)
    contact = reached & ~held_out if may_contact else pl.lit(None, pl.Boolean)
    return predictions.with_columns(contact=contact, held_out=held_out)


def compare_hold_out(scored: pl.DataFrame, threshold: float | None) -> dict[str, Any]:
    """Compares the churn of contacted and hold-out at or above the threshold.

    Args:
        scored: One row per subscription, or per subscription and month: `char_id`, `sub_churn`
            (null if not yet available), `churn_probability`, `contact` and `held_out`.
        threshold: The lowest probability that was contacted; None contacted nobody.

    Returns:
        See `compare_counts`; for rows whose outcome is known.
    """
    known = scored.drop_nulls(LABEL)
    reached = pl.lit(False) if threshold is None else pl.col(PROBABILITY) >= threshold
    groups = (known.filter("contact"), known.filter(pl.col("held_out") & reached))
    contacted, held_out = ((int(rows[LABEL].sum()), len(rows)) for rows in groups)
    alike = tuple(design_effect(rows) for rows in groups)
    return compare_counts(contacted=contacted, held_out=held_out, alike=(alike[0], alike[1]))


def design_effect(rows: pl.DataFrame) -> float:
    """How many times the variance of a churn rate is that of as many independent rows.

    The rows of a character are alike; the variance is that of sums by character (Kish, Survey
    Sampling, 1965). At least 1, and 1 if each character has one row.

    Args:
        rows: Rows with `char_id` and `sub_churn`, which is not null.

    >>> rows = {"char_id": [1, 1, 2, 2, 3, 4], "sub_churn": [1, 1, 0, 0, 1, 0]}
    >>> round(design_effect(pl.DataFrame(rows)), 3)
    2.222
    """
    units, outcome = rows[CHAR_ID].rank("dense").to_numpy(), rows[LABEL].to_numpy()
    n, characters = len(rows), int(units.max(initial=0))
    rate = outcome.mean() if n else 0.0
    if n == characters or characters < 2 or rate in (0, 1):
        return n / max(characters, 1) if n else 1.0
    sums = np.bincount(units.astype(np.int64), outcome - rate)
    ratio = (sums @ sums) * characters / (characters - 1) / (n * rate * (1 - rate))
    return max(1.0, round(float(ratio), 12))


def compare_counts(
    *,
    contacted: tuple[int, int],
    held_out: tuple[int, int],
    alike: tuple[float, float] = (1.0, 1.0),
) -> dict[str, Any]:
    """Compares the churn rates of the contacted and the hold-out.

    Args:
        contacted: The numbers of churned and of all contacted subscriptions.
        held_out: The same for the hold-out.
        alike: The `design_effect` of the contacted and of the hold-out.

    Returns:
        `contacted` and `held_out`, each with `n`, `churned`, `churn_rate` and `churn_rate_ci`; and
        `fall`, the churn rate of the hold-out minus that of the contacted, with `fall_ci`. The
        95 % confidence intervals are by Wilson's score, that of the difference by Newcombe's, for
        as many independent rows as the design effect leaves. None for a group without rows.

    >>> result = compare_counts(contacted=(240, 1_000), held_out=(30, 100))
    >>> round(result["fall"], 2), [round(end, 3) for end in result["fall_ci"]]
    (0.06, [-0.026, 0.159])
    """
    groups: dict[str, dict[str, Any]] = {
        name: {
            "n": n,
            "churned": churned,
            "churn_rate": churned / n if n else None,
            "churn_rate_ci": wilson_interval(churned / factor, n / factor),
        }
        for name, (churned, n), factor in (
            ("contacted", contacted, alike[0]),
            ("held_out", held_out, alike[1]),
        )
    }
    p, q = (groups[name]["churn_rate"] for name in ("held_out", "contacted"))
    fall = None if p is None or q is None else p - q
    one, other = (
        (churned / factor, n / factor)
        for (churned, n), factor in ((held_out, alike[1]), (contacted, alike[0]))
    )
    return {**groups, "fall": fall, "fall_ci": newcombe_interval(one, other)}
