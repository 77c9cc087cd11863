"""Survival by tenure: when subscriptions churn, and when they end."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churnlib.features.tenure import CHURNED, ENDED, EXIT, SUBSCRIPTIONS, TENURE
from churnlib.metrics.intervals import (
    CONFIDENCE,
    Interval,
    normal_quantile,
    share_interval,
    wilson_interval,
)
from churnlib.schemas.columns import SUB_MONTHS

Floats = NDArray[np.float64]

MOST_TERMS = 10
"""The number of terms that are shown, the most frequent ones."""


@dataclass(frozen=True)
class TenureMonth:
    """A month of the tenure of subscriptions.

    Attributes:
        tenure_months: The month, counted from 1.
        at_risk: Number of subscriptions that ran until this month and whose month is over.
        churned: Number of those that churned in it.
        ended: Number of those whose term ended without churn.
        values: `churn_rate`, the share of those at risk that churned; the Kaplan-Meier estimates
            `not_churned`, as if no term ended, and `not_ended`, as if nobody churned; and
            `churned_so_far`, the cumulative incidence of churn (Aalen-Johansen): the share of all
            subscriptions that churned up to this month, where those that ended before cannot.
        intervals: Their 95 % confidence intervals, which take subscriptions as independent.
    """

    tenure_months: int
    at_risk: int
    churned: int
    ended: int
    values: Mapping[str, float]
    intervals: Mapping[str, Interval]

    def to_json(self) -> dict[str, Any]:
        """The month as plain data."""
        return {
            "tenure_months": self.tenure_months,
            "at_risk": self.at_risk,
            "churned": self.churned,
            "ended": self.ended,
            **self.values,
            "intervals": dict(self.intervals),
        }


def survival(exits: pl.DataFrame, horizon_months: int) -> dict[str, Any]:
    """Estimates when subscriptions churn and end, over all of them and by term.

    Args:
        exits: See `churnlib.features.tenure.exits_by_tenure`.
        horizon_months: The number of months within which churn counts as a positive.

    Returns:
        As plain data: `subscriptions`, their number; `months`, a `TenureMonth` for each month that
        is over for any of them; and `terms`, the most frequent ones in order: `sub_months`,
        `subscriptions`, `within_horizon` and `in_all`, the cumulative incidence of churn up to the
        horizon and to the last month, with `intervals`; None without a month that is over.
    """
    counts = exits[SUB_MONTHS].unique().to_list()
    sizes = {term: _size(exits.filter(pl.col(SUB_MONTHS) == term)) for term in counts}
    frequent = sorted(sizes, key=lambda term: (-sizes[term], term))[:MOST_TERMS]
    return {
        "subscriptions": _size(exits),
        "months": [month.to_json() for month in by_tenure(exits)],
        "terms": [
            _of_term(term, exits.filter(pl.col(SUB_MONTHS) == term), horizon_months)
            for term in sorted(frequent)
        ],
    }


def by_tenure(exits: pl.DataFrame) -> list[TenureMonth]:
    """Estimates survival by month of tenure.

    Args:
        exits: See `survival`.
    """
    last = max(exits[TENURE].to_list(), default=0)
    churned, ended, left = (np.zeros(last + 1) for _ in range(3))
    for counted, rows in (
        (churned, exits.filter(pl.col(EXIT) == CHURNED)),
        (ended, exits.filter(pl.col(EXIT) == ENDED)),
        (left, exits),
    ):
        np.add.at(counted, rows[TENURE].to_numpy(), rows[SUBSCRIPTIONS].to_numpy())
    at_risk = left[::-1].cumsum()[::-1]  # Those that ran, or left, in the month or later.
    return _estimates(at_risk[1:], churned[1:], ended[1:])


def _estimates(at_risk: Floats, churned: Floats, ended: Floats) -> list[TenureMonth]:
    """The estimates of each month from its counts, all of months from the first."""
    rate = churned / at_risk
    not_churned, churn_error = _kaplan_meier(at_risk, churned)
    not_ended, end_error = _kaplan_meier(at_risk, ended)
    so_far, incidence_error = _incidence(at_risk, churned, ended)
    found = []
    for i, risk in enumerate(at_risk):
        units = int(risk)
        incidence = _log_log_interval(1 - so_far[i], incidence_error[i], int(at_risk[0]))
        intervals = {
            "churn_rate": wilson_interval(int(churned[i]), units) or (0.0, 1.0),
            "not_churned": _log_log_interval(not_churned[i], churn_error[i], units),
            "not_ended": _log_log_interval(not_ended[i], end_error[i], units),
            "churned_so_far": (1 - incidence[1], 1 - incidence[0]),
        }
        estimates = (rate[i], not_churned[i], not_ended[i], so_far[i])
        values = dict(zip(intervals, map(float, estimates), strict=True))
        month = i + 1, units, int(churned[i]), int(ended[i])
        found.append(TenureMonth(*month, values, intervals))
    return found


def _kaplan_meier(at_risk: Floats, events: Floats) -> tuple[Floats, Floats]:
    """The share without the event, and its standard error (Greenwood 1926)."""
    share = np.cumprod(1 - events / at_risk, dtype=np.float64)
    others = at_risk - events
    terms = np.divide(events, at_risk * others, out=np.zeros(len(events)), where=others > 0)
    return share, share * np.sqrt(np.cumsum(terms))


def _incidence(at_risk: Floats, events: Floats, others: Floats) -> tuple[Floats, Floats]:
    """The cumulative incidence of an event beside another one, and its standard error.

    The variance is that of the delta method (Marubini and Valsecchi 1995, "Analysing survival data
    from clinical trials and observational studies", 10.3); without censoring, it is binomial.
    """
    leave = events + others
    running = np.append(1.0, np.cumprod(1 - leave / at_risk)[:-1])
    share = np.cumsum(running * events / at_risk)
    stay = at_risk - leave
    left = np.divide(leave, at_risk * stay, out=np.zeros(len(leave)), where=stay > 0)
    own = running**2 * events * (at_risk - events) / at_risk**3
    both = running * events / at_risk**2
    rest = np.tril(share[:, None] - share)  # By month, what came after each month up to it.
    variance = (rest**2 * left).sum(axis=1) + np.cumsum(own) - 2 * (rest * both).sum(axis=1)
    return share, np.sqrt(np.maximum(variance, 0))


def _log_log_interval(share: float, error: float, units: int) -> Interval:
    """The interval of a share that survives, on the log-minus-log scale.

    At 0 and 1, where there is no error, it follows from the rule of three.
    """
    if not 0 < share < 1 or error == 0:
        return share_interval(float(share), float(error), units)
    half = normal_quantile(CONFIDENCE) * error / (share * -log(share))
    hazard = -log(share)
    return exp(-hazard * exp(half)), exp(-hazard * exp(-half))


def _of_term(term: int, exits: pl.DataFrame, horizon_months: int) -> dict[str, Any]:
    """The churn of subscriptions of a term."""
    months = by_tenure(exits)
    chosen = {
        "within_horizon": months[min(horizon_months, len(months)) - 1] if months else None,
        "in_all": months[-1] if months else None,
    }
    return {
        "sub_months": term,
        "subscriptions": _size(exits),
        **{name: month and month.values["churned_so_far"] for name, month in chosen.items()},
        "intervals": {
            name: month and month.intervals["churned_so_far"] for name, month in chosen.items()
        },
    }


def _size(exits: pl.DataFrame) -> int:
    return int(exits[SUBSCRIPTIONS].sum())
