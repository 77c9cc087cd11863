"""The gate: whether a new model, the candidate, may take the champion's place."""

from datetime import date
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict

from churnlib.metrics.comparison import Difference, paired_difference
from churnlib.metrics.definitions import METRICS
from churnlib.metrics.intervals import Interval
from churnlib.metrics.predictions import Predictions, known_rows
from churnlib.schemas.columns import BASELINE, LABEL, PROBABILITY, SUB_ID
from churnlib.settings import ChampionSettings, GateMetric
from churnlib.versions.decision import (
    Decision,
    Measured,
    Rules,
    decide,
    floor_confidence,
    loss_that_follows,
)
from churnlib.versions.manifest import VersionName

CANDIDATE, CHAMPION, ANCHOR = "candidate", "champion", "anchor"
"""The columns with the probabilities of the compared models."""


class Terms(BaseModel):
    """The terms of a comparison of candidate and champion.

    Attributes:
        metric: The metric to compare.
        max_loss: By how much the candidate may be worse, in units of the metric; None before it
            follows from the standard error of the difference.
        min_outcomes: How many subscriptions must have churned, and how many must not have, for a
            decision; 0 in comparisons older than the setting.
        promote: Whether an accepted candidate becomes champion at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: GateMetric
    max_loss: float | None
    min_outcomes: int = 0
    promote: bool

    @classmethod
    def of(cls, settings: ChampionSettings) -> "Terms":
        """The terms in the settings."""
        return cls(
            metric=settings.metric,
            max_loss=settings.max_loss,
            min_outcomes=settings.min_outcomes,
            promote=settings.promote,
        )


class Comparison(Terms):
    """A comparison of a candidate with the champion, on the same subscriptions.

    The fields from `anchor` on are None in comparisons of earlier versions.

    Attributes:
        candidate: The candidate's version.
        champion: The champion's version; None if there was none.
        cohort: The fingerprint of the feature table that both predicted.
        window: The first and the last day of its rows.
        as_of: The day as of which its outcomes were known.
        n: Subscriptions with a known outcome; None if nothing was computed.
        positives: Number of them that churned.
        candidate_value: The candidate's metric; None where not defined.
        champion_value: The champion's metric; None where not defined.
        difference: The candidate's value minus the champion's, in units of the metric.
        interval: Its 95 % confidence interval, by a bootstrap over characters.
        decision: The decision.
        reason: The reason in words.
        anchor: The best champion of the last 12 months, if it is not the champion.
        anchor_difference: The candidate's value minus the anchor's.
        anchor_interval: Its 95 % confidence interval.
        configuration: Identifies the candidate's settings without its seed; see
            `churnlib.versions.compatibility.configuration_of`.
        look: 1 + how often models of this configuration were compared on these subscriptions; None
            if nothing was decided by metrics.
    """

    candidate: VersionName
    champion: VersionName | None
    cohort: str
    window: tuple[date, date]
    as_of: date
    n: int | None = None
    positives: int | None = None
    candidate_value: float | None = None
    champion_value: float | None = None
    difference: float | None = None
    interval: Interval | None = None
    decision: Decision
    reason: str
    anchor: VersionName | None = None
    anchor_difference: float | None = None
    anchor_interval: Interval | None = None
    configuration: str | None = None
    look: int | None = None

    @property
    def promotes(self) -> bool:
        """Whether this comparison makes the candidate champion."""
        return self.promote and self.decision == "accepted"

    @property
    def is_better(self) -> bool:
        """Whether the candidate is significantly better than champion and anchor."""
        intervals = [self.interval, *([self.anchor_interval] if self.anchor else [])]
        sign = -1 if METRICS[self.metric].better == "lower" else 1
        return all(each is not None and min(sign * end for end in each) > 0 for each in intervals)


def compare_models(
    predictions: pl.DataFrame, terms: Terms, *, look: int = 1, first_loss: float | None = None
) -> dict[str, Any]:
    """Compares models on the same subscriptions, and decides.

    A test of non-inferiority: a candidate that is worse by more than the allowed loss is accepted
    in at most 2.5 % of first looks, and 5 % of sequences of looks. One with the champion's own
    predictions passes the comparison with it at any look. This holds if enough subscriptions
    churned and enough did not; with fewer there is no decision.

    Args:
        predictions: One row per subscription, or per subscription and month: `char_id`, `sub_id`,
            `sub_churn` (rows where it is null are left out), the models' probabilities as
            `candidate` and `champion`, and optionally `day`, and as `anchor` and
            `baseline_probability`. A subscription that churned counts once.
        terms: The terms. If they state no `max_loss`, it follows from the standard error of the
            difference to the champion.
        look: See `Comparison`.
        first_loss: The loss that was allowed when the candidate was first compared; it stays the
            same on more months.

    Returns:
        The fields of a `Comparison` that follow.
    """
    champion = paired_difference(predictions, CANDIDATE, CHAMPION, terms.metric)
    anchor = None
    if ANCHOR in predictions.columns:
        anchor = paired_difference(predictions, CANDIDATE, ANCHOR, terms.metric)
    max_loss = terms.max_loss if terms.max_loss is not None else first_loss
    if max_loss is None:
        max_loss = loss_that_follows(terms.metric, champion.standard_error)
    rules = Rules(terms.metric, max_loss, terms.min_outcomes, look)
    churned = predictions.filter(pl.col(LABEL) == 1)[SUB_ID].n_unique()
    own, baseline = _own_interval(predictions, look), _against_baseline(predictions)
    measured = Measured(champion, anchor, own, baseline, champion.n, churned)
    decision, reason = decide(measured, rules)
    enough = min(churned, champion.n - churned) >= terms.min_outcomes
    return {
        "max_loss": max_loss,
        "n": champion.n,
        "positives": churned,
        "candidate_value": champion.candidate,
        "champion_value": champion.champion,
        "difference": champion.difference,
        "interval": champion.interval(),
        "anchor_difference": anchor and anchor.difference,
        "anchor_interval": anchor and anchor.interval(),
        "look": look if enough and champion.difference is not None else None,
        "decision": decision,
        "reason": reason,
    }


def _own_interval(predictions: pl.DataFrame, look: int) -> Interval | None:
    rows = known_rows(predictions.with_columns(pl.col(CANDIDATE).alias(PROBABILITY)))
    if rows.is_empty() or rows[LABEL].n_unique() < 2:
        return None
    value = METRICS["roc_auc"].compute(Predictions.of(rows))
    return value.interval(floor_confidence(look))


def _against_baseline(predictions: pl.DataFrame) -> Interval | None:
    if BASELINE not in predictions.columns or predictions[BASELINE].null_count():
        return None
    difference: Difference = paired_difference(predictions, CANDIDATE, BASELINE)
    return difference.interval()
