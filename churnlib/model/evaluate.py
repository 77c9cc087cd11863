"""How good predicted probabilities are, once the outcome is known."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss

from churnlib.features.labels import LABEL
from churnlib.model.predict import PROBABILITY

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

Z_95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""
TOP_SHARE = 0.1
"""The share of likeliest churners that the lift is taken over."""


@dataclass(frozen=True)
class Scores:
    """The figures of one group of subscriptions.

    Attributes:
        n: Subscriptions scored, those with a known outcome.
        positives: How many of them churned.
        immature: Subscriptions left out because their outcome is not known yet.
        without_currency: Of those scored, how many had no visible currency row; null where
            that was not looked at.
        base_rate: Share of positives.
        roc_auc: Probability that a churner is ranked above one who stays.
        roc_auc_ci: Its 95 % interval (DeLong); null also where nothing was ranked, because all
            probabilities are equal.
        average_precision: Precision averaged over recall.
        log_loss: Mean negative log-likelihood, in nats.
        brier: Mean squared difference of probability and outcome.
        lift_top_decile: Churn rate among the likeliest tenth over the base rate.
        reason: Why figures are null; null where none is.
    """

    n: int
    positives: int
    immature: int
    without_currency: int | None
    base_rate: float | None = None
    roc_auc: float | None = None
    roc_auc_ci: tuple[float, float] | None = None
    average_precision: float | None = None
    log_loss: float | None = None
    brier: float | None = None
    lift_top_decile: float | None = None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The figures as plain data."""
        return asdict(self)


def evaluate(scored: pl.DataFrame) -> dict[str, Scores]:
    """Scores all subscriptions, and new characters apart.

    Args:
        scored: A row a subscription: `sub_id`, `is_first_sub`, `sub_churn` (null where not known
            yet), `churn_probability` and, where currency was read, `currency_age_months`.

    Returns:
        `general` and `new_characters`.
    """
    groups = {"general": scored, "new_characters": scored.filter(pl.col("is_first_sub"))}
    return {name: score_group(group) for name, group in groups.items()}


def score_group(scored: pl.DataFrame) -> Scores:
    """Scores one group of subscriptions; see `evaluate` for the columns."""
    known = scored.filter(pl.col(LABEL).is_not_null()).sort(PROBABILITY, "sub_id")
    outcome = known[LABEL].to_numpy().astype(np.bool_)
    probability = known[PROBABILITY].to_numpy()
    n, positives = len(known), int(outcome.sum())
    counts = Scores(
        n=n,
        positives=positives,
        immature=len(scored) - n,
        without_currency=known["currency_age_months"].null_count()
        if "currency_age_months" in known.columns
        else None,
    )
    if n == 0:
        immature = f": {len(scored):,} are not old enough" if len(scored) else ""
        return replace(counts, reason=f"no subscription with a known outcome{immature}")
    errors = replace(
        counts,
        base_rate=positives / n,
        log_loss=float(log_loss(outcome, probability, labels=[False, True])),
        brier=float(brier_score_loss(outcome, probability, pos_label=True)),
    )
    if positives in (0, n):
        what = "none" if positives == 0 else "each"
        return replace(errors, reason=f"{what} of the {n:,} subscriptions churned")
    auc, interval = roc_auc(outcome, probability)
    ranked = probability[0] != probability[-1]
    return replace(
        errors,
        roc_auc=auc,
        roc_auc_ci=interval if ranked else None,
        reason=None if ranked else f"all {n:,} subscriptions have the same predicted probability",
        average_precision=float(average_precision_score(outcome, probability)),
        lift_top_decile=lift(outcome, probability, TOP_SHARE),
    )


def roc_auc(outcome: Flags, probability: Floats) -> tuple[float, tuple[float, float]]:
    """Computes the area under the ROC curve, and its 95 % interval.

    Args:
        outcome: Whether each churned; both outcomes occur.
        probability: What was predicted.

    Returns:
        The area, ties counting half, and the interval after DeLong et al., Biometrics 44 (1988),
        with the mid-ranks of Sun and Xu, IEEE Signal Processing Letters 21 (2014); on the logit
        scale, so that it stays within 0 and 1.
    """
    positive, negative = probability[outcome], probability[~outcome]
    m, n = len(positive), len(negative)
    ranks = mid_ranks(probability)
    won = (ranks[outcome] - mid_ranks(positive)) / n
    lost = 1 - (ranks[~outcome] - mid_ranks(negative)) / m
    auc = float(won.mean())
    # What one value alone does not tell is at most that: the variance of values within 0 and 1.
    spread = (part.var(ddof=1) if len(part) > 1 else auc * (1 - auc) for part in (won, lost))
    variance = sum(float(s) / len(part) for s, part in zip(spread, (won, lost), strict=True))
    if not 0 < auc < 1:
        # All pairs are ordered, so the variance is 0: the rule of three bounds what may be missed.
        bound = min(1.0, 3 / min(m, n))
        return auc, (1 - bound, 1.0) if auc == 1 else (0.0, bound)
    half = Z_95 * np.sqrt(variance) / (auc * (1 - auc))
    logit = np.log(auc / (1 - auc))
    low, high = (1 / (1 + np.exp(-(logit + sign * half))) for sign in (-1, 1))
    return auc, (float(low), float(high))


def mid_ranks(values: Floats) -> Floats:
    """Ranks values from 1, equal ones by the mean of their ranks."""
    return pl.Series(values).rank("average").to_numpy()


def lift(outcome: Flags, probability: Floats, share: float) -> float:
    """The churn rate among the likeliest `share`, over the churn rate of all.

    Where a tie of probabilities crosses the border, each of the tied counts in part.
    """
    order = np.argsort(-probability, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(probability[order])), len(order) - 1)
    found, called = np.cumsum(outcome[order])[last_of_tie], last_of_tie + 1
    top = share * len(outcome)
    among_top = float(np.interp(top, np.append(0, called), np.append(0, found)))
    return (among_top / top) / float(outcome.mean())
