"""Compares models with the best attainable: `python -m benchmarks.best_attainable`.

For each grain, game and seed, generates sample data of 30,000 characters, runs `train-from-raw`
and `score`, and compares the back-test's AUC with that of the true churn probabilities on the same
rows. Prints a row for each, and the mean share of the attainable AUC above 0.5.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.metrics import roc_auc_score

from churnlib.synthesis import GRAINS, generate


def main() -> None:
    """Measures, and prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--characters", type=int, default=30_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    parser.add_argument("--signal", type=float, default=1.0)
    parser.add_argument("--grains", nargs="+", choices=GRAINS, default=[*GRAINS])
    args = parser.parse_args()
    print(
        "| grain | game | seed | scored | back-test AUC | 95 % interval | AUC of the truth "
        "| share |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for grain in args.grains:
        for game in sorted(GRAINS[grain]):
            shares = [measure(grain, game, s, args.characters, args.signal) for s in args.seeds]
            print(f"| {grain} | {game} | mean | | | | | {np.mean(shares):.3f} |", flush=True)


def measure(grain: str, game: str, seed: int, characters: int, signal: float) -> float:
    """Measures one game and seed.

    Returns:
        The back-test's AUC above 0.5, divided by that of the truth.
    """
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        raw = data / "01_raw" / game
        process = GRAINS[grain][game]
        generate(process, characters, seed, raw, signal=signal)
        within = process.payments and process.payments.not_renewed_months
        settings = (f"cohort.grain={grain}", f"outcome.not_renewed_months={within or 'null'}")
        options = [f"--set={setting}" for setting in settings]
        for command in (["train", "--from-raw"], ["score"]):
            run(command[0], "--game", game, "--data-dir", folder, *options, *command[1:])
        report = json.loads((data / "08_reporting" / game / "score_report.json").read_text())
        file, key = "sub_truth", ["sub_id"]
        if grain == "monthly":
            file, key = "sub_month_truth", ["sub_id", "day"]
        truth = pl.read_parquet(raw / "truth" / f"{file}.parquet")
        scored = (
            pl.read_parquet(data / "04_feature" / game / "score_features.parquet")
            .drop_nulls("sub_churn")
            .join(truth, on=key)
        )
    outcome = scored["sub_churn"].to_numpy().astype(np.bool_)
    best = roc_auc_score(outcome, scored["churn_probability"].to_numpy())
    scores = report["general"]
    low, high = scores["roc_auc_ci"]
    share = (scores["roc_auc"] - 0.5) / (best - 0.5) if signal else float("nan")
    print(
        f"| {grain} | {game} | {seed} | {scores['n']:,} | {scores['roc_auc']:.4f} "
        f"| {low:.4f} to {high:.4f} | {best:.4f} | {share:.3f} |",
        flush=True,
    )
    return share


def run(flow: str, *arguments: str) -> None:
    """Runs a flow as a process; shows its log only if it fails."""
    command = [sys.executable, "-m", f"flows.{flow}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
