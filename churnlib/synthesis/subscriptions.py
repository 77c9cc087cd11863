"""The start of a subscription: its terms, and the draw of when it will churn."""

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnlib.synthesis.payments import CHURN_AFTER_MONTHS
from churnlib.synthesis.process import ChurnProcess, Levels, Process

Array = NDArray[Any]

NEVER = 10_000
"""A month after the last."""
FIRST_MISS_SHARES = (0.2, 0.3, 0.3, 0.2)
"""The distribution of the first missed month of churns within the horizon: 0 to 3 months after the
start's."""
SUBSCRIPTION = np.dtype(
    [
        ("number", np.int32),  # in the chunk, by month
        ("character", np.int32),
        ("start", np.int32),  # day
        ("sub_type", np.int8),
        ("sub_size", np.int8),
        ("term", np.int8),
        ("price", np.float64),
        ("hard", np.int32),  # monthly payout
        ("soft", np.int32),
        ("probability", np.float64),
        ("fatal", np.int32),  # the first of the missed months that are churn
        ("end", np.int32),  # the month after its last
        ("missed_until", np.int32),  # the last month of the latest shorter run
        # Of processes whose customers pay by month:
        ("score", np.float64),  # the part of the log-odds of a miss that remains
        ("missed", np.int32),  # months in a row until now
    ]
)
"""A subscription in the simulation; categories are codes, months are counted from the first."""
MONTH_PROBABILITY = np.dtype(
    [("number", np.int32), ("month", np.int32), ("probability", np.float64)]
)
"""The true probability of a subscription, by its number, on the first day of a month."""
GOES_ON = -1
"""The last month of a run of missed months that goes on after the last day."""


def draw_terms(
    process: Process, rng: np.random.Generator, characters: Array, days: Array, mood: Array
) -> Array:
    """Starts a subscription for each character, with type, size, term, price and payouts.

    Args:
        process: The game's process.
        rng: The random number generator.
        characters: The characters.
        days: The day of each start.
        mood: The engagement of each character, which favours larger types, sizes and terms.
    """
    n = len(characters)
    subs = np.zeros(n, SUBSCRIPTION)
    subs["character"], subs["start"] = characters, days
    subs["sub_type"] = choose(process.sub_types, n, rng, mood)
    subs["sub_size"] = choose(process.sub_sizes, n, rng, mood)
    subs["term"] = choose(process.terms, n, rng, mood)
    factor = np.asarray(process.size_factors)[subs["sub_size"]]
    chance, depth = process.discounts
    full = np.asarray(process.prices)[subs["sub_type"]] * factor
    subs["price"] = np.round(full * np.where(rng.random(n) < chance, 1 - depth, 1), 2)
    hard, soft = process.payouts
    subs["hard"] = np.rint(hard * factor * (1 + 0.5 * subs["sub_type"]))
    subs["soft"] = np.rint(soft * factor)
    return subs


def draw_churn(process: ChurnProcess, rng: np.random.Generator, month: int, subs: Array) -> None:
    """Draws whether each subscription churns, and when its missed months begin.

    One that does not churn within the horizon may do so later, at its own monthly hazard, as long
    as three months of the term are left.

    Args:
        process: The game's process.
        rng: The random number generator.
        month: The month in which the subscriptions start.
        subs: The subscriptions with their `probability`; the draws are added in place.
    """
    n, probability = len(subs), subs["probability"]
    churns = rng.random(n) < probability
    soon = rng.choice(len(FIRST_MISS_SHARES), n, p=FIRST_MISS_SHARES)
    late = len(FIRST_MISS_SHARES) - 1 + rng.geometric(0.004 + 0.06 * probability)
    term = term_months(process, subs)
    late = np.where(late + CHURN_AFTER_MONTHS <= term, late, NEVER)
    subs["fatal"] = month + np.where(churns, soon, late)
    subs["end"] = np.minimum(month + term, subs["fatal"] + CHURN_AFTER_MONTHS)
    subs["missed_until"] = month - 2


def draw_misses(rng: np.random.Generator, month: int, subs: Array, mood: Array) -> Array:
    """Starts the runs of missed months that begin in a month.

    Args:
        rng: The random number generator.
        month: The month.
        subs: The open subscriptions; the last missed month of shorter runs is changed in place.
        mood: The engagement of the character of each.

    Returns:
        A row per run: the number of the subscription, the first and the last missed month.
    """
    chance = 0.02 * np.exp(-0.5 * mood) + 0.12 * subs["probability"]
    length = rng.integers(1, CHURN_AFTER_MONTHS, len(subs))
    after = month + length
    # A shorter run touches neither the one before nor the missed months that are churn.
    begins = (rng.random(len(subs)) < chance) & (month > subs["missed_until"] + 1)
    begins &= (after < subs["fatal"]) & (after <= subs["end"])
    subs["missed_until"][begins] = after[begins] - 1
    fatal = subs["fatal"] == month
    last = np.where(fatal, month + CHURN_AFTER_MONTHS, after) - 1
    run = (subs["number"], np.full(len(subs), month), last)
    runs: Array = np.stack(run, axis=1)[begins | fatal]
    return runs


def term_months(process: ChurnProcess, subs: Array) -> Array:
    """Returns the term of each subscription in months."""
    months: Array = np.array([int(name) for name in process.terms.names])[subs["term"]]
    return months


def choose(
    levels: Levels, n: int, rng: np.random.Generator, engagement: Array | None = None
) -> Array:
    """Draws n codes of categories; engagement favours the later ones."""
    bounds = np.cumsum(levels.shares)[:-1]
    cuts = [NormalDist().inv_cdf(float(bound)) for bound in bounds]
    score = rng.normal(size=n)
    if engagement is not None and levels.pull:
        score = (score + levels.pull * engagement) / np.hypot(1, levels.pull)
    return np.searchsorted(cuts, score).astype(np.int8)
