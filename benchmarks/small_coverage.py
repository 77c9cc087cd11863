"""Measures intervals on few rows and few churners: `python -m benchmarks.small_coverage`.

Draws of characters with one to three subscriptions, whose churn depends on the predicted
probability and on a property of the character that the model does not see. The truth is computed on
1.5 million subscriptions, with the true probabilities as outcomes. Prints the coverage of the 95 %
intervals, and the share of draws that have one, for calibrated predictions and for some that are
1.5 times as high.
"""

import argparse
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churnlib.metrics.definitions import METRICS, measure
from churnlib.metrics.predictions import MetricValue, Predictions, known_rows
from churnlib.metrics.ranking import Tally, average_precision, levels, roc_auc
from churnlib.metrics.scores import CALIBRATION_GROUPS

Floats = NDArray[np.float64]

CASES = ((300, 0.15), (1000, 0.15), (5000, 0.15), (300, 0.02), (1000, 0.02), (5000, 0.02))
"""Numbers of subscriptions, and churn rates."""
SHOWN = ("roc_auc", "average_precision", "log_loss", "brier", "expected_calibration_error")
POPULATION = 1_500_000
UNSEEN = 0.6
"""The standard deviation of what the model does not see, in log odds."""


def main() -> None:
    """Measures, and prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--factors", type=float, nargs="+", default=[1.0, 1.5])
    args = parser.parse_args()
    print(f"| rows | churn rate | predicted | {' | '.join(METRICS[key].name for key in SHOWN)} |")
    print(f"|---|---|---|{'---|' * len(SHOWN)}")
    for rows, rate in CASES:
        for factor in args.factors:
            cells = coverage(rows, rate, factor, args.draws)
            predicted = "calibrated" if factor == 1 else f"{factor} times"
            print(f"| {rows:,} | {rate:.0%} | {predicted} | {' | '.join(cells)} |", flush=True)


def coverage(rows: int, rate: float, factor: float, draws: int) -> list[str]:
    """The coverage of each metric's interval, its mean width, and the share of draws with one."""
    truth = true_metrics(rate, factor)
    ends: dict[str, list[tuple[float, float]]] = {key: [] for key in SHOWN}
    for seed in range(draws):
        measured, predictions = measured_draw(rows, rate, factor, seed)
        for key in SHOWN:
            if key in measured:
                interval = METRICS[key].interval(predictions, measured[key])
                ends[key] += [interval] if interval else []
    cells = []
    for key, found in ends.items():
        covered = np.mean([low <= truth[key] <= high for low, high in found] or [False])
        width = np.mean([high - low for low, high in found] or [np.nan])
        text = f"{covered:.1%} ({width:.3f})" if len(found) > draws / 20 else "no interval"
        few = len(found) < draws and len(found) > draws / 20
        cells.append(f"{text}, of {len(found) / draws:.0%}" if few else text)
    return cells


def measured_draw(
    rows: int, rate: float, factor: float, seed: int
) -> tuple[dict[str, MetricValue], Predictions]:
    """The metrics of a draw."""
    rng = np.random.default_rng(10_000 + seed)
    character, truth, predicted = cohort(rows, rate, factor, rng)
    frame = pl.DataFrame(
        {
            "char_id": character,
            "sub_id": np.arange(rows),
            "sub_churn": (rng.random(rows) < truth).astype(np.int8),
            "churn_probability": predicted,
        }
    )
    predictions = Predictions.of(known_rows(frame))
    return measure(predictions, "groups"), predictions


def cohort(
    rows: int, rate: float, factor: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """The character, the true and the predicted probability of each subscription."""
    character, seen, unseen = risks(rows, rng)
    middle = intercept(rate)
    truth = sigmoid(middle + seen + unseen)
    # The mean of a sigmoid over a normal variable is nearly that of a smaller slope.
    predicted = sigmoid((middle + seen) / np.sqrt(1 + 0.346 * UNSEEN**2))
    return character, truth, np.minimum(factor * predicted, 0.99)


def risks(rows: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Characters of one to three subscriptions, and what a model sees of their risks, and not."""
    character = np.repeat(np.arange(rows), rng.choice([1, 2, 3], rows, p=[0.55, 0.3, 0.15]))[:rows]
    seen = rng.normal(0, 0.96, rows) + rng.normal(0, 0.72, rows)[character]
    return character, seen, rng.normal(0, UNSEEN, rows)[character]


@cache
def intercept(rate: float) -> float:
    """The intercept at which a share of the subscriptions churns."""
    _, seen, unseen = risks(400_000, np.random.default_rng(0))
    low, high = -9.0, 3.0
    for _ in range(40):
        middle = (low + high) / 2
        is_low = sigmoid(middle + seen + unseen).mean() < rate
        low, high = (middle, high) if is_low else (low, middle)
    return low


def true_metrics(rate: float, factor: float) -> dict[str, float]:
    """The metrics of a large population, with its true probabilities as outcomes."""
    _, truth, predicted = cohort(POPULATION, rate, factor, np.random.default_rng(1))
    level = levels(predicted, 20_000)
    churned, stayed = (
        np.bincount(level, part).astype(np.float64).reshape(-1, 1) for part in (truth, 1 - truth)
    )
    tally = Tally(churned, stayed)
    gaps = np.bincount(levels(predicted, CALIBRATION_GROUPS), truth - predicted) / POPULATION
    rest = 1 - predicted
    return {
        "roc_auc": roc_auc(tally).item(),
        "average_precision": average_precision(tally).item(),
        "log_loss": float(-(truth * np.log(predicted) + (1 - truth) * np.log(rest)).mean()),
        "brier": float((truth * rest**2 + (1 - truth) * predicted**2).mean()),
        "expected_calibration_error": float(np.abs(gaps).sum()),
    }


def sigmoid(logit: Floats | float) -> Floats:
    """The probability of a logit."""
    return np.asarray(1 / (1 + np.exp(-np.asarray(logit))))


if __name__ == "__main__":
    main()
