"""Measures what the rules of the contact threshold forgo: `python -m benchmarks.threshold`.

Validation rows are drawn with known churn probabilities. Each rule chooses a threshold, which is
judged by the expected gain on the whole population, in per cent of that of break-even on the true
probabilities. "Argmax" is the most profitable threshold on the validation rows themselves. Prints a
Markdown table.
"""

import argparse

import numpy as np
from scipy.special import expit, logit

from churnlib.metrics.profit import break_even, cutoffs, profits, smoothed_threshold, worth
from churnlib.seeds import derive_seed
from churnlib.settings import Offer

POPULATION = 200_000
SITUATIONS: dict[str, tuple[Offer, float]] = {
    "calibrated": (Offer(), 0.0),
    "calibrated, everyone pays": (Offer(incentive_cost=0.5, contact_cost=0.1), 0.0),
    "log odds too high by 0.7": (Offer(), 0.7),
}
"""The offer, and how far the predicted log odds are from the true ones."""
RULES = ("argmax", "fitted", "break-even")


def main() -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--rows", type=int, nargs="+", default=[300, 1_000, 5_000])
    args = parser.parse_args()
    print("| probabilities | rows | " + " | ".join(RULES) + " | break-even beats argmax |")
    print("|---" * (3 + len(RULES)) + "|")
    for situation, (offer, shift) in SITUATIONS.items():
        for rows in args.rows:
            gains = np.array([relative_gains(n, rows, offer, shift) for n in range(args.draws)])
            means = " | ".join(f"{mean:.1f}%" for mean in 100 * gains.mean(axis=0))
            wins = (gains[:, 2] > gains[:, 0]).mean()
            print(f"| {situation} | {rows:,} | {means} | {wins:.0%} of draws |", flush=True)


def relative_gains(number: int, rows: int, offer: Offer, shift: float) -> list[float]:
    """The expected gain of each rule over that of the best threshold, on one draw."""
    rng = np.random.default_rng(derive_seed(number, "threshold"))
    true = np.clip(rng.beta(1, 4, rows), 0.02, 0.98)
    predicted, outcome = expit(logit(true) + shift), rng.random(rows) < true
    at = cutoffs(outcome, predicted)
    chosen = (
        at.thresholds[np.argmax(profits(at, offer))],
        smoothed_threshold(outcome, predicted, offer),
        break_even(offer),
    )
    everyone = np.clip(np.random.default_rng(1).beta(1, 4, POPULATION), 0.02, 0.98)
    churner, stayer = worth(offer)
    gain = everyone * churner + (1 - everyone) * stayer
    scores = expit(logit(everyone) + shift)
    best = gain[gain > 0].sum()
    return [gain[scores >= (np.inf if t is None else t)].sum() / best for t in chosen]


if __name__ == "__main__":
    main()
