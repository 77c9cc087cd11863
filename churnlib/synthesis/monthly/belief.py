"""The probability of each pace of a character, given all that the tables show: a forward filter.

The pace is a hidden Markov chain. Each month, the probabilities are multiplied by the likelihood of
what is observed in it, and then by the chances of change (Rabiner 1989, "A tutorial on hidden
Markov models", III.A).
"""

import numpy as np

from churnlib.synthesis.payments import Paces
from churnlib.synthesis.population import Array
from churnlib.synthesis.truth import Floats


def likelihood_of(paces: Paces, counts: Array, exposure: Array) -> Floats:
    """Returns the log-likelihood of each pace, of shape (characters, paces), up to a constant.

    Args:
        paces: The paces.
        counts: What each character did.
        exposure: How long it was observed, in the unit of the rates; 0 if it was not.
    """
    rates = np.asarray(paces.rates)
    logs: Floats = counts[:, None] * np.log(rates) - exposure[:, None] * rates
    return logs


def updated(belief: Floats, log_likelihood: Floats) -> Floats:
    """Returns the probabilities of the paces after an observation.

    Args:
        belief: The probabilities before, of shape (characters, paces).
        log_likelihood: The log-likelihood of the observation, of the same shape.
    """
    weights = belief * np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    normal: Floats = weights / weights.sum(axis=1, keepdims=True)
    return normal


def next_month(paces: Paces, belief: Floats, missed: Array) -> Floats:
    """Returns the probabilities of the next month's paces.

    Args:
        paces: The paces.
        belief: The probabilities of this month's, of shape (characters, paces).
        missed: Whether each character missed the month.
    """
    paid = belief @ np.asarray(paces.after_payment)
    chances: Floats = np.where(missed[:, None], belief @ np.asarray(paces.after_miss), paid)
    return chances
