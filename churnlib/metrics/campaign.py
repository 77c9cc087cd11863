"""The expected gain of a campaign, for reports and manifests."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from churnlib.metrics import profit
from churnlib.metrics.intervals import Interval, difference_interval
from churnlib.metrics.predictions import with_label
from churnlib.metrics.profit import Cutoffs
from churnlib.schemas.columns import CHAR_ID, LABEL, PROBABILITY
from churnlib.settings import Offer, ThresholdRule

CURVE_POINTS = 101
"""Approximate number of points of the profit curve: one per hundredth of the rows."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a campaign with a threshold, at the mean acceptance rate.

    Attributes:
        threshold: The lowest probability that is contacted; None if nobody is.
        contacted: The number of subscriptions that reach it.
        share: Their share of all.
        churners: The number of them that churned.
        expected_gain: The profit of the whole campaign, in money.
        expected_gain_per_subscription: The same over all subscriptions, contacted or not.
        expected_gain_ci: The 95 % confidence interval of `expected_gain` for the given threshold:
            normal, clustered by character. None except at the chosen threshold, and with fewer than
            two characters.
    """

    threshold: float | None
    contacted: int
    share: float
    churners: int
    expected_gain: float
    expected_gain_per_subscription: float
    expected_gain_ci: Interval | None = None


@dataclass(frozen=True)
class Campaign:
    """The expected gain of contacting subscribers by their predicted probability.

    Assumes that nobody is held out, and that no campaign has changed the outcomes.

    Attributes:
        terms: The costs and gains of contacting, from the settings.
        acceptance_rate: The mean share of contacted churners who accept and stay.
        break_even: The lowest true churn probability at which contacting pays off; None if none.
        n: Subscriptions with a known outcome.
        threshold: The lowest probability that is contacted; None if nobody is.
        rule: How it was chosen: `break_even` or `fitted`; None if not known.
        at_threshold: The outcome at that threshold.
        best: The outcome of the most profitable threshold on these rows, which is optimistic.
        everybody: The outcome of contacting all.
        empc: The expected maximum profit per subscription, in money.
        empc_share: The share of the subscriptions that it contacts.
        curve: The outcomes by the share contacted, for about a hundred falling thresholds.
        reason: Why the metrics are None, if they are.
    """

    terms: dict[str, float]
    acceptance_rate: float
    break_even: float | None
    n: int
    threshold: float | None
    rule: ThresholdRule | None = None
    at_threshold: Outcome | None = None
    best: Outcome | None = None
    everybody: Outcome | None = None
    empc: float | None = None
    empc_share: float | None = None
    curve: tuple[Outcome, ...] = ()
    reason: str | None = None

    def to_json(self, *, curve: bool = True) -> dict[str, Any]:
        """The campaign as plain data, optionally without the curve."""
        data = asdict(self)
        data["curve"] = [
            {name: value for name, value in point.items() if name != "expected_gain_ci"}
            for point in data["curve"]
        ]
        return data if curve else {name: v for name, v in data.items() if name != "curve"}


def choose_threshold(
    scored: pl.DataFrame, offer: Offer, rule: ThresholdRule = "break_even"
) -> float | None:
    """Chooses the churn probability from which a campaign contacts subscribers.

    Args:
        scored: One row per subscription that the model was not fitted on: `sub_churn` (null if not
            yet available) and `churn_probability`; only `fitted` reads them.
        offer: The costs and gains of contacting.
        rule: `break_even` or `fitted`; see `churnlib.settings.CampaignSettings`.

    Returns:
        The threshold; that of `break_even` if only one outcome occurs. None if it is best to
        contact nobody.
    """
    rows = with_label(scored) if rule == "fitted" else scored.clear()
    if rows.is_empty() or rows[LABEL].n_unique() < 2:
        return profit.break_even(offer)
    return profit.smoothed_threshold(*_outcomes(rows), offer)


def plan_campaign(validation: pl.DataFrame, offer: Offer, rule: ThresholdRule) -> Campaign:
    """Chooses the threshold and evaluates it, on rows that the model was not fitted on.

    With the rule `fitted`, the gain on these rows is optimistic. See `choose_threshold` and
    `evaluate_campaign`.
    """
    threshold = choose_threshold(validation, offer, rule)
    return evaluate_campaign(validation, offer, threshold, rule)


def evaluate_campaign(
    scored: pl.DataFrame,
    offer: Offer,
    threshold: float | None,
    rule: ThresholdRule | None = None,
) -> Campaign:
    """Evaluates a campaign on subscriptions whose outcome is known.

    Args:
        scored: One row per subscription: `char_id`, `sub_churn` (null if not yet available) and
            `churn_probability`.
        offer: The costs and gains of contacting.
        threshold: The lowest probability that is contacted; None contacts nobody.
        rule: How the threshold was chosen; None if not known.
    """
    rows = with_label(scored)
    campaign = Campaign(
        terms=offer.model_dump(),
        acceptance_rate=offer.acceptance_rate,
        break_even=profit.break_even(offer),
        n=len(rows),
        threshold=threshold,
        rule=rule,
    )
    if rows.is_empty():
        return replace(campaign, reason="no subscription has a label")
    at = profit.cutoffs(*_outcomes(rows))
    gains = profit.profits(at, offer)
    # Thresholds fall, so those at or above the given one come first.
    reached = 0 if threshold is None else int(np.searchsorted(-at.thresholds, -threshold, "right"))
    place = max(reached - 1, 0)
    outcome = replace(
        _outcome(at, gains, place),
        threshold=threshold,
        expected_gain_ci=_interval(rows, offer, threshold, float(gains[place])),
    )
    maximum = profit.expected_maximum(at, offer)
    best = int(np.argmax(gains))
    return replace(
        campaign,
        at_threshold=outcome,
        best=_outcome(at, gains, best),
        everybody=_outcome(at, gains, len(gains) - 1),
        empc=maximum.profit,
        empc_share=maximum.share,
        curve=tuple(_outcome(at, gains, shown) for shown in _curve_points(at, place, best)),
    )


def _outcomes(rows: pl.DataFrame) -> tuple[profit.Flags, profit.Floats]:
    return rows[LABEL].to_numpy().astype(np.bool_), rows[PROBABILITY].to_numpy()


def _curve_points(at: Cutoffs, *always: int) -> list[int]:
    shares = np.linspace(0, at.total, CURVE_POINTS)
    return sorted({*np.searchsorted(at.contacted, shares).tolist(), *always})


def _outcome(at: Cutoffs, gains: profit.Floats, place: int) -> Outcome:
    threshold, gain = float(at.thresholds[place]), float(gains[place])
    return Outcome(
        threshold=None if np.isinf(threshold) else threshold,
        contacted=int(at.contacted[place]),
        share=float(at.contacted[place]) / at.total,
        churners=int(at.churners[place]),
        expected_gain=gain,
        expected_gain_per_subscription=gain / at.total,
    )


def _interval(
    rows: pl.DataFrame, offer: Offer, threshold: float | None, gain: float
) -> Interval | None:
    """Computes the interval of a gain from the contributions of characters, by linearisation."""
    contacted = pl.lit(False) if threshold is None else pl.col(PROBABILITY) >= threshold
    kinds = (
        rows.group_by(CHAR_ID)
        .agg(
            subs=pl.len(),
            churners=(contacted & (pl.col(LABEL) == 1)).sum(),
            stayers=(contacted & (pl.col(LABEL) == 0)).sum(),
        )
        .group_by("subs", "churners", "stayers")
        .agg(characters=pl.len())
        .sort("subs", "churners", "stayers")
    )
    subs, churners, stayers, characters = kinds.cast(pl.Float64).to_numpy().T
    drawn = float(characters.sum())
    if drawn < 2:
        return None
    churner, stayer = profit.worth(offer)
    deviations = churners * churner + stayers * stayer - subs * gain / len(rows)
    error = float(np.sqrt(characters @ deviations**2 * drawn / (drawn - 1)))
    return difference_interval(gain, error)
