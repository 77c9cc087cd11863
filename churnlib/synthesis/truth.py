"""The true probability that a subscription churns, given the features on the day it starts."""

from collections.abc import Mapping
from math import log, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnlib.synthesis.process import ChurnProcess, Effect

Floats = NDArray[np.float64]
Ints = NDArray[Any]

DECIMALS = 6
"""The number of decimals to which probabilities are rounded before churns are drawn."""


def churn_probability(
    process: ChurnProcess,
    signal: float,
    facts: Mapping[str, Floats],
    categories: Mapping[str, Ints],
) -> Floats:
    """Computes the probability of churn within the horizon for each subscription.

    It is sigmoid(b + signal * (f - centre)), where f is the sum of the process's effects. The
    constant b keeps the mean near the base rate for any signal, by the usual approximation of the
    logistic-normal mean (MacKay 1992, "The evidence framework applied to classification networks").

    Args:
        process: The game's process.
        signal: How strongly churn depends on the features, from 0 (not at all) to 1.
        facts: The numeric features by name; NaN is null.
        categories: The codes of the text columns by name.
    """
    odds = log(process.base_rate / (1 - process.base_rate))
    odds *= sqrt(1 + pi / 8 * (signal * process.spread) ** 2)
    total = signal * (log_odds(process, facts, categories) - process.centre)
    return np.round(1 / (1 + np.exp(-odds - total)), DECIMALS)


def log_odds(
    process: ChurnProcess, facts: Mapping[str, Floats], categories: Mapping[str, Ints]
) -> Floats:
    """Sums all effects for each subscription, before centring."""
    total = np.zeros(len(facts["age_at_sub_months"]))
    for effect in process.effects:
        total += shape(effect, facts)
    for pair in process.interactions:
        total += pair.weight * shape(pair.first, facts) * shape(pair.second, facts)
    for column, levels in process.categorical.items():
        total += np.asarray(levels.effects)[categories[column]]
    return total


def shape(effect: Effect, facts: Mapping[str, Floats]) -> Floats:
    """Evaluates an effect, which is 0 for a null."""
    value = effect.weight * np.tanh((facts[effect.fact] - effect.centre) / effect.scale)
    return np.nan_to_num(value, nan=0.0)
