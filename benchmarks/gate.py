"""Measures how often the gate accepts a candidate: `python -m benchmarks.gate`.

Cohorts are simulated with known true ROC AUCs of both models: scores are normal given the outcome,
and correlated between the models. Characters have one to three subscriptions, which share a part of
their score and risk. The gate decides on each cohort as in a first back-test, by ROC AUC with a
`max_loss` of 0.02. Prints a Markdown table; with `--churners`, one of the interval's coverage with
few churners. `benchmarks.gate_sequences` measures sequences of candidates.
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
from churnlib.versions.decision import Decision, Rules, decide_by_interval
from churnlib.versions.gate import Terms, compare_models

CHAMPION_AUC = 0.80
MAX_LOSS = 0.02
TERMS = Terms(metric="roc_auc", max_loss=MAX_LOSS, promote=True)
CHARACTER_SHARE = 0.3
"""The share of a score's variance that the subscriptions of a character have in common."""
RISKS = (2.0, 6.0)
"""The beta distribution of the characters' risks, with mean 0.25."""


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
    """Prints acceptance and coverage for cohorts with few churners, worse by `MAX_LOSS`."""
    print("| churners | AUC | correlation | accepted | coverage |")
    print("|---|---|---|---|---|")
    for count, auc, correlation in product(churners, (0.80, 0.95), (0.8, 0.95)):
        drawn = (small_cohort(number, count, auc, correlation) for number in range(cohorts))
        differences = (paired_difference(both, "candidate", "champion") for both in drawn)
        intervals = [found for each in differences if (found := each.interval())]
        passed = sum(
            decide_by_interval(each, Rules("roc_auc", MAX_LOSS))[0] == "accepted"
            for each in intervals
        )
        covered = sum(low <= -MAX_LOSS <= high for low, high in intervals)
        shares = f"{passed / cohorts:.1%} | {covered / len(intervals):.1%}"
        print(f"| {count} | {auc:.2f} | {correlation} | {shares} |", flush=True)


def small_cohort(number: int, churners: int, auc: float, correlation: float) -> pl.DataFrame:
    """Draws a cohort with a given number of churners; see `cohort`."""
    rows = churners * 9 + 40  # More than twice the number needed on average.
    seed = derive_seed(number, f"gate {churners}")
    both = cohort(seed, rows, auc - MAX_LOSS, auc, correlation)
    return both.filter(pl.col("sub_churn").cum_sum() <= churners)


def accepted(cohorts: int, rows: int, loss: float, correlation: float) -> int:
    """Counts the cohorts on which the gate accepts the candidate.

    Args:
        cohorts: Number of cohorts.
        rows: Number of subscriptions in each.
        loss: The champion's true ROC AUC minus the candidate's.
        correlation: Correlation of the two models' scores, given the outcome.
    """
    decisions = (decision(n, rows, loss, correlation) for n in range(cohorts))
    return sum(each == "accepted" for each in decisions)


def decision(number: int, rows: int, loss: float, correlation: float) -> Decision:
    """The decision of the gate on one cohort; see `accepted`."""
    both = cohort(derive_seed(number, "gate"), rows, CHAMPION_AUC - loss, CHAMPION_AUC, correlation)
    result: Decision = compare_models(both, TERMS)["decision"]
    return result


def cohort(
    seed: int, rows: int, candidate_auc: float, champion_auc: float, correlation: float
) -> pl.DataFrame:
    """Draws a cohort with the predictions of two models.

    Args:
        seed: The random seed.
        rows: Number of subscriptions.
        candidate_auc: The candidate's true ROC AUC.
        champion_auc: The champion's true ROC AUC.
        correlation: Correlation of their scores, given the outcome.

    Returns:
        Rows for `churnlib.versions.gate.compare_models`.
    """
    rng = np.random.default_rng(seed)
    character = np.repeat(np.arange(rows), rng.integers(1, 4, rows))[:rows]
    churned = rng.random(rows) < rng.beta(*RISKS, rows)[character]
    shared, own = (noise(rng, character) for _ in range(2))
    scores = {
        "champion": separation(champion_auc) * churned + shared,
        "candidate": separation(candidate_auc) * churned
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
    """Draws standard normal values that are correlated within a character."""
    of_character = rng.normal(size=len(character))[character]
    of_row = rng.normal(size=len(character))
    mixed: NDArray[np.float64] = (
        sqrt(CHARACTER_SHARE) * of_character + sqrt(1 - CHARACTER_SHARE) * of_row
    )
    return mixed


def separation(auc: float) -> float:
    """The distance between the mean scores of the two outcomes, in standard deviations.

    The ROC AUC of two normal distributions with the same variance is the probability that their
    difference is positive.
    """
    return sqrt(2) * NormalDist().inv_cdf(auc)


def _titles(losses: list[float]) -> list[str]:
    words = {True: "worse", False: "better"}
    return [f"{words[loss > 0]} by {abs(loss):g}" if loss else "equal" for loss in losses]


if __name__ == "__main__":
    main()
