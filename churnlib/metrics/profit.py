"""What a campaign comes to: the profit of contacting subscribers from a probability on.

The model is that of Verbraken, Verbeke and Baesens, IEEE Transactions on Knowledge and Data
Engineering 25 (2013). A contacted churner accepts the incentive at the acceptance rate and is then
worth the lifetime value; whoever would have stayed takes the incentive and stays; each contact
costs. All money is in the game's own currency.
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
    """Whom a campaign would contact, threshold by threshold: at first nobody, at last everybody.

    Attributes:
        thresholds: The least probability that is contacted, falling; infinite for nobody.
        contacted: How many reach it.
        churners: How many of these churn.
    """

    thresholds: Floats
    contacted: Floats
    churners: Floats

    @property
    def total(self) -> int:
        """How many subscriptions there are."""
        return int(self.contacted[-1])


@dataclass(frozen=True)
class ExpectedMaximum:
    """The profit of a campaign that suits its threshold to the acceptance rate.

    Attributes:
        profit: Per subscription, expected over all acceptance rates: the EMPC.
        share: The share of the subscriptions that is then contacted, expected likewise.
    """

    profit: float
    share: float


def cutoffs(outcome: Flags, probability: Floats) -> Cutoffs:
    """Counts whom each threshold contacts; equal probabilities are contacted together.

    Args:
        outcome: Whether each churned; at least one row.
        probability: What was predicted.
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
    """What contacting one brings at the mean acceptance rate.

    Args:
        offer: What it costs and brings.

    Returns:
        The expected profit of a contacted churner, and that of one who would have stayed; in money.
    """
    churner = offer.acceptance_rate * (offer.lifetime_value - offer.incentive_cost)
    return churner - offer.contact_cost, -(offer.incentive_cost + offer.contact_cost)


def profits(at: Cutoffs, offer: Offer) -> Floats:
    """The profit of the whole campaign at each threshold and the mean acceptance rate, in money."""
    churner, stayer = worth(offer)
    gains = at.churners * churner + (at.contacted - at.churners) * stayer
    return gains + 0.0  # Of nobody it is 0, not -0.


def break_even(offer: Offer) -> float | None:
    """The true churn probability from which on contacting pays at the mean acceptance rate.

    It is the best threshold of a model whose probabilities are calibrated.

    Returns:
        The probability; null where not even a certain churner pays.

    >>> round(break_even(Offer()), 4)
    0.1642
    """
    churner, stayer = worth(offer)
    return None if churner <= 0 else -stayer / (churner - stayer)


def best_threshold(at: Cutoffs, offer: Offer) -> float | None:
    """The threshold of the greatest profit; of several, that which contacts the fewest.

    Returns:
        The least probability to contact; null where contacting nobody is best.
    """
    best = float(at.thresholds[np.argmax(profits(at, offer))])
    return None if np.isinf(best) else best


def expected_maximum(at: Cutoffs, offer: Offer) -> ExpectedMaximum:
    """Computes the expected maximum profit (EMPC), exactly.

    At any acceptance rate, the best threshold lies on the convex hull of the ROC curve. The hull is
    what isotonic regression makes of the outcomes (Fawcett and Niculescu-Mizil, Machine Learning
    68, 2007): groups of one churn rate each. A group is contacted from that rate of acceptance on
    at which it pays, so that its expected profit is two incomplete beta functions.

    Args:
        at: Whom each threshold contacts.
        offer: What contacting costs and brings.
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
