"""How often the gate lets a candidate through: `python -m benchmarks.gate`.

Cohorts are drawn of which the true ROC AUC of both models is known: scores are normal given the
outcome, and the two models' are correlated. Characters have one to three subscriptions, which share
a part of their score and of their risk. Each cohort goes through the gate as a back-test's does, by
ROC AUC with a `max_loss` of 0.02. Prints a Markdown table; with `--churners` one of what becomes of
the interval where few churned.
"""

import argparse
import time
from itertools import product
from math import sqrt
from statistics import NormalDist

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churnlib.metrics.comparison import paired_difference
from churnlib.seeds import derive_seed
from churnlib.versions.gate import Decision, compare_models, decide

CHAMPION_AUC = 0.80
MAX_LOSS = 0.02
OF_CHARACTER = 0.3
"""The share of a score's variance that is the character's."""
RISKS = (2.0, 6.0)
"""The beta distribution of the characters' risks, of mean 0.25."""


def main() -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohorts", type=int, default=300)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 3_000, 1_000])
    parser.add_argument("--losses", type=float, nargs="+", default=[0, 0.01, 0.02])
    parser.add_argument("--correlations", type=float, nargs="+", default=[0.8, 0.95])
    parser.add_argument("--churners", type=int, nargs="+", metavar="N")
    args = parser.parse_args()
    if args.churners:
        by_churners(args.churners, args.cohorts)
        return
    print("| rows | correlation | " + " | ".join(_titles(args.losses)) + " |")
    print("|---" * (2 + len(args.losses)) + "|")
    started = time.process_time()
    for rows in args.rows:
        for correlation in args.correlations:
            shares = [
                accepted(args.cohorts, rows, loss, correlation) / args.cohorts
                for loss in args.losses
            ]
            cells = " | ".join(f"{share:.1%}" for share in shares)
            print(f"| {rows:,} | {correlation} | {cells} |", flush=True)
    print(f"\n{time.process_time() - started:.0f} CPU seconds")


def by_churners(churners: list[int], cohorts: int) -> None:
    """Prints what the gate does where few churned and the candidate is worse by `MAX_LOSS`."""
    print("| churners | area | correlation | accepted | interval holds the truth |")
    print("|---|---|---|---|---|")
    for count, area, correlation in product(churners, (0.80, 0.95), (0.8, 0.95)):
        drawn = (few(number, count, area, correlation) for number in range(cohorts))
        found = [paired_difference(both, "candidate", "champion").interval() for both in drawn]
        told = [interval for interval in found if interval]
        passed = sum(decide(each, "roc_auc", MAX_LOSS)[0] == "accepted" for each in told)
        held = sum(low <= -MAX_LOSS <= high for low, high in told)
        shares = f"{passed / cohorts:.1%} | {held / len(told):.1%}"
        print(f"| {count} | {area:.2f} | {correlation} | {shares} |", flush=True)


def few(number: int, churners: int, area: float, correlation: float) -> pl.DataFrame:
    """Draws a cohort that ends before one more churns; see `cohort`."""
    rows = churners * 9 + 40  # Twice as many as it takes on average, and more.
    seed = derive_seed(number, f"gate {churners}")
    both = cohort(seed, rows, area - MAX_LOSS, area, correlation)
    return both.filter(pl.col("sub_churn").cum_sum() <= churners)


def accepted(cohorts: int, rows: int, loss: float, correlation: float) -> int:
    """Counts the cohorts on which the gate accepts the candidate.

    Args:
        cohorts: How many are drawn.
        rows: How many subscriptions each has.
        loss: By how much the candidate's true ROC AUC is below the champion's.
        correlation: Of the two models' scores of subscriptions with one outcome.
    """
    decisions = (decision(n, rows, loss, correlation) for n in range(cohorts))
    return sum(found == "accepted" for found in decisions)


def decision(number: int, rows: int, loss: float, correlation: float) -> Decision:
    """What the gate decides on one cohort; see `accepted`."""
    both = cohort(derive_seed(number, "gate"), rows, CHAMPION_AUC - loss, CHAMPION_AUC, correlation)
    found: Decision = compare_models(both, "roc_auc", MAX_LOSS)["decision"]
    return found


def cohort(
    seed: int, rows: int, candidate_auc: float, champion_auc: float, correlation: float
) -> pl.DataFrame:
    """Draws a cohort that two models have predicted.

    Args:
        seed: Where randomness begins.
        rows: How many subscriptions it has.
        candidate_auc: The true ROC AUC of the one.
        champion_auc: That of the other.
        correlation: Of their scores of subscriptions with one outcome.

    Returns:
        Rows for `churnlib.versions.gate.compare_models`.
    """
    rng = np.random.default_rng(seed)
    character = np.repeat(np.arange(rows), rng.integers(1, 4, rows))[:rows]
    churned = rng.random(rows) < rng.beta(*RISKS, rows)[character]
    shared, own = (noise(rng, character) for _ in range(2))
    scores = {
        "champion": apart(champion_auc) * churned + shared,
        "candidate": apart(candidate_auc) * churned
        + correlation * shared
        + sqrt(1 - correlation**2) * own,
    }
    return pl.DataFrame(
        {
            "char_id": character,
            "sub_id": np.arange(rows),
            "sub_churn": churned.astype(np.int8),
            **{name: 1 / (1 + np.exp(1 - score)) for name, score in scores.items()},
        }
    )


def noise(rng: np.random.Generator, character: NDArray[np.int64]) -> NDArray[np.float64]:
    """Draws standard normal values, a part of which the rows of a character share."""
    of_character = rng.normal(size=len(character))[character]
    of_row = rng.normal(size=len(character))
    mixed: NDArray[np.float64] = sqrt(OF_CHARACTER) * of_character + sqrt(1 - OF_CHARACTER) * of_row
    return mixed


def apart(auc: float) -> float:
    """How far the mean scores of the two outcomes lie apart, in standard deviations.

    The area under the curve of two normal distributions of one variance is the chance that their
    difference is above 0.
    """
    return sqrt(2) * NormalDist().inv_cdf(auc)


def _titles(losses: list[float]) -> list[str]:
    words = {True: "worse", False: "better"}
    return [f"{words[loss > 0]} by {abs(loss):g}" if loss else "equal" for loss in losses]


if __name__ == "__main__":
    main()
