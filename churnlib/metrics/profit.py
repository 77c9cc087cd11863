"""The profit of contacting subscribers at or above a churn probability.

The model is that of Verbraken, Verbeke and Baesens, IEEE Transactions on Knowledge and Data
Engineering 25 (2013). A contacted churner accepts the incentive at the acceptance rate and is then
worth the lifetime value; a contacted non-churner takes the incentive and stays; each contact costs.
All money is in the unit that the game uses.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincc
from sklearn.isotonic import isotonic_regression

from churnlib.settings import Offer

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


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

    It is the best threshold for calibrated probabilities.

    Returns:
        The probability; None if contacting a certain churner does not pay off.

    >>> round(break_even(Offer()), 4)
    0.1642
    """
    churner, stayer = worth(offer)
    return None if churner <= 0 else -stayer / (churner - stayer)


def best_threshold(at: Cutoffs, offer: Offer) -> float | None:
    """Finds the most profitable threshold; among equals, the one that contacts the fewest.

    Returns:
        The lowest probability to contact; None if it is best to contact nobody.
    """
    best = float(at.thresholds[np.argmax(profits(at, offer))])
    return None if np.isinf(best) else best


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
