"""The truth: how likely a subscription churns, given what is visible on the day it starts."""

from collections.abc import Mapping
from math import log, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnlib.synthesis.process import Effect, Levels, Process

Floats = NDArray[np.float64]
Ints = NDArray[Any]

DECIMALS = 6
"""The truth is rounded to so many places before a churn is drawn from it."""


def churn_probability(
    process: Process, signal: float, facts: Mapping[str, Floats], categories: Mapping[str, Ints]
) -> Floats:
    """Computes the probability of churn within the horizon, one value a subscription.

    It is sigmoid(b + signal * (f - centre)), f being the sum of the process's effects. The
    constant b keeps the mean near the base rate at any signal, after the usual approximation of a
    logistic-normal mean (MacKay 1992, "The evidence framework applied to classification networks").

    Args:
        process: The game's process.
        signal: How much the visible facts matter, from 0 (not at all) to 1.
        facts: Numeric facts under the names of the features; NaN means null.
        categories: Codes of the text columns under the columns' names.
    """
    odds = log(process.base_rate / (1 - process.base_rate))
    odds *= sqrt(1 + pi / 8 * (signal * process.spread) ** 2)
    total = signal * (log_odds(process, facts, categories) - process.centre)
    return np.round(1 / (1 + np.exp(-odds - total)), DECIMALS)


def log_odds(
    process: Process, facts: Mapping[str, Floats], categories: Mapping[str, Ints]
) -> Floats:
    """Sums the effects of all facts, one value a subscription, before centring."""
    total = np.zeros(len(facts["age_at_sub_months"]))
    for effect in process.effects:
        total += shape(effect, facts)
    for pair in process.interactions:
        total += pair.weight * shape(pair.first, facts) * shape(pair.second, facts)
    for column, levels in categorical(process).items():
        total += np.asarray(levels.effects)[categories[column]]
    return total


def shape(effect: Effect, facts: Mapping[str, Floats]) -> Floats:
    """Evaluates one effect; a null fact gives 0."""
    value = effect.weight * np.tanh((facts[effect.fact] - effect.centre) / effect.scale)
    return np.nan_to_num(value, nan=0.0)


def categorical(process: Process) -> dict[str, Levels]:
    """The text columns that drive churn, by name."""
    columns = {
        "class": process.classes,
        "territory": process.territories,
        "sub_type": process.sub_types,
    }
    return {column: levels for column, levels in columns.items() if levels.effects}
