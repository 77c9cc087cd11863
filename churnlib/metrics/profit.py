"""The profit of contacting subscribers at or above a churn probability.

The model is that of Verbraken, Verbeke and Baesens, IEEE Transactions on Knowledge and Data
Engineering 25 (2013). A contacted churner accepts the incentive at the acceptance rate and is then
worth the lifetime value; a contacted non-churner takes the incentive and stays; each contact costs.
All money is in the unit that the game uses.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaincc, expit, logit
from sklearn.isotonic import isotonic_regression

from churnlib.settings import Offer

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEAST_PROBABILITY = 1e-6
"""Probabilities closer to 0 or 1 count as this, because their log odds are not finite."""
LINE_DEVIATION = 1.0
"""How far the calibration curve of few rows may lie from that of calibrated probabilities."""


@dataclass(frozen=True)
class Cutoffs:
    """The number of subscriptions contacted at each threshold, from none to all.

    Attributes:
        thresholds: The lowest probability that is contacted, descending; infinite for none.
        contacted: The number of subscriptions that reach it.
        churners: The number of these that churn.
    """

    thresholds: Floats
    contacted: Floats
    churners: Floats

    @property
    def total(self) -> int:
        """The number of subscriptions."""
        return int(self.contacted[-1])


@dataclass(frozen=True)
class ExpectedMaximum:
    """The profit of a campaign that adapts its threshold to the acceptance rate.

    Attributes:
        profit: The expected profit per subscription over all acceptance rates: the EMPC.
        share: The expected share of the subscriptions contacted.
    """

    profit: float
    share: float


def cutoffs(outcome: Flags, probability: Floats) -> Cutoffs:
    """Counts subscriptions and churners at each threshold.

    Args:
        outcome: Whether each subscription churned; at least one row.
        probability: Its predicted probability; equal ones are contacted together.
    """
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    return Cutoffs(
        thresholds=np.append(np.inf, falling[last_of_tie]),
        contacted=np.append(0.0, last_of_tie + 1.0),
        churners=np.append(0.0, np.cumsum(outcome[order])[last_of_tie]),
    )


def worth(offer: Offer) -> tuple[float, float]:
    """Computes the profit of one contact at the mean acceptance rate.

    Args:
        offer: The costs and gains of contacting.

    Returns:
        The expected profit of a contacted churner, and of a contacted non-churner, in money.
    """
    churner = offer.acceptance_rate * (offer.lifetime_value - offer.incentive_cost)
    return churner - offer.contact_cost, -(offer.incentive_cost + offer.contact_cost)


def profits(at: Cutoffs, offer: Offer) -> Floats:
    """Computes the profit of the campaign at each threshold and the mean acceptance rate."""
    churner, stayer = worth(offer)
    gains = at.churners * churner + (at.contacted - at.churners) * stayer
    return gains + 0.0  # Turns -0 into 0.


def break_even(offer: Offer) -> float | None:
    """Computes the churn probability from which contacting pays off at the mean acceptance rate.

    It is the best threshold for calibrated probabilities: the expected profit of a contact is
    negative below, and positive above.

    Returns:
        The probability; None if contacting a certain churner does not pay off.

    >>> round(break_even(Offer()), 4)
    0.1642
    """
    churner, stayer = worth(offer)
    return None if churner <= 0 else -stayer / (churner - stayer)


def smoothed_threshold(outcome: Flags, probability: Floats, offer: Offer) -> float | None:
    """Finds the threshold of the greatest profit, by a smooth curve of the churn rate.

    The curve is a logistic regression of the outcomes on the log odds of the probabilities. The
    profit is greatest where it crosses the break-even probability. On few rows the profit of the
    outcomes themselves has its maximum at a threshold that is mostly chance.

    Args:
        outcome: Whether each subscription churned; at least one row.
        probability: Its predicted probability.
        offer: The costs and gains of contacting.

    Returns:
        The lowest probability to contact, at most the lowest given one if contacting pays off for
        every row; None if it is best to contact nobody.
    """
    even = break_even(offer)
    if even is None or even == 0:
        return even
    intercept, slope = _calibration_line(outcome, probability)
    if slope <= 0:  # Riskier rows do not churn more often: all have the same risk.
        return 0.0 if outcome.mean() >= even else None
    return float(expit((logit(even) - intercept) / slope))


def _calibration_line(outcome: Flags, probability: Floats) -> tuple[float, float]:
    """Fits the intercept and slope of outcomes on log odds, by penalised maximum likelihood.

    The penalty is a normal distribution around 0 and 1, the line of calibrated probabilities, with
    a standard deviation of `LINE_DEVIATION`.
    """
    odds = logit(np.clip(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY))
    columns, calibrated = np.column_stack([np.ones_like(odds), odds]), np.array([0.0, 1.0])

    def loss(line: Floats) -> tuple[float, Floats]:
        scores, off = columns @ line, (line - calibrated) / LINE_DEVIATION
        value = np.logaddexp(0, scores).sum() - scores[outcome].sum() + off @ off / 2
        return float(value), columns.T @ (expit(scores) - outcome) + off / LINE_DEVIATION

    intercept, slope = minimize(loss, calibrated, jac=True, method="BFGS").x
    return float(intercept), float(slope)


def expected_maximum(at: Cutoffs, offer: Offer) -> ExpectedMaximum:
    """Computes the expected maximum profit (EMPC), exactly.

    At any acceptance rate, the best threshold is on the convex hull of the ROC curve. Isotonic
    regression of the outcomes gives the hull (Fawcett and Niculescu-Mizil, Machine Learning 68,
    2007) as groups with one churn rate each. A group is contacted if the acceptance rate makes it
    pay off, so its expected profit follows from two incomplete beta functions.

    Args:
        at: The counts at each threshold.
        offer: The costs and gains of contacting.
    """
    rows, churners = np.diff(at.contacted), np.diff(at.churners)
    stayers = rows - churners
    rates = isotonic_regression(churners / rows, sample_weight=rows, increasing=False)
    kept = offer.lifetime_value - offer.incentive_cost
    contact, lost = offer.contact_cost, offer.incentive_cost + offer.contact_cost
    with np.errstate(divide="ignore", invalid="ignore"):
        pays_from = (rates * contact + (1 - rates) * lost) / (rates * kept)
    pays_from = np.where(rates > 0, np.minimum(pays_from, 1), 1)
    alpha, beta = offer.acceptance_alpha, offer.acceptance_beta
    chance = betaincc(alpha, beta, pays_from)
    accepting = offer.acceptance_rate * betaincc(alpha + 1, beta, pays_from)
    profit = churners * (kept * accepting - contact * chance) - stayers * lost * chance
    return ExpectedMaximum(float(profit.sum()) / at.total, float(rows @ chance) / at.total)
