"""Measures the cost of evaluating many scored rows: `python -m benchmarks.evaluation`.

Simulated predictions of a model and a baseline, for characters with one or several subscriptions,
are evaluated as by the flow `score`: all metrics with their intervals, for all subscriptions and
new characters, with both baselines, by segment and by month of start. Then the report is written in
its three formats. Prints CPU seconds and the peak memory of the process.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import TypeVar

import numpy as np
import polars as pl

from churnlib.io.datasets import Dataset
from churnlib.metrics.evaluate import evaluate
from churnlib.metrics.segments import breakdown
from churnlib.report.content import Report
from churnlib.report.write import write_report

SEGMENTS = {"sub_type": 3, "territory": 4, "race": 30}
"""Simulated columns, and the number of values of each."""
FIRST_DAY, DAYS = date(2023, 1, 1), 365

Result = TypeVar("Result")


def main() -> None:
    """Measures, and prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    args = parser.parse_args()
    scored = predictions(args.rows)
    print("| step | CPU s |")
    print("|---|---|")
    groups = timed(
        "all and new subscriptions, two baselines",
        lambda: evaluate(scored, threshold=0.3, base_rate=0.25),
    )
    parts = timed(
        f"{2 + sum(min(n, 11) for n in SEGMENTS.values())} segments, 12 months",
        lambda: breakdown(scored, tuple(SEGMENTS)),
    )
    report = Report(
        name="score_report",
        game="game1",
        as_of=date(2025, 1, 1),
        window=(FIRST_DAY, FIRST_DAY + timedelta(DAYS - 1)),
        horizon_months=6,
        model_version="20250101T000000000Z",
        groups={name: scores.to_json() for name, scores in groups.items()},
        **parts,
    )
    with tempfile.TemporaryDirectory() as folder:
        target = Dataset("score_report", "game1", f"{folder}/score_report.json")
        timed("report: JSON, text, HTML", lambda: write_report(report, target, scored))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{args.rows:,} rows; peak memory {peak:,.0f} MiB.")


def timed(step: str, work: Callable[[], Result]) -> Result:
    """Runs a step, and prints its CPU time."""
    start = time.process_time()
    result = work()
    print(f"| {step} | {time.process_time() - start:.1f} |", flush=True)
    return result


def predictions(n: int) -> pl.DataFrame:
    """Simulates predictions of two models, and outcomes that depend on the first."""
    rng = np.random.default_rng(1)
    character = rng.integers(0, n * 2 // 3, n)
    logit = rng.normal(-1.3, 1.1, n) + rng.normal(0, 0.5, n)[character]
    blurred = logit + rng.normal(0, 0.5, n)
    truth, model, baseline = (1 / (1 + np.exp(-x)) for x in (logit, blurred, 0.6 * blurred - 0.4))
    return (
        pl.DataFrame(
            {
                "char_id": character,
                "sub_id": np.arange(n),
                "day": rng.integers(0, DAYS, n),
                "is_first_sub": rng.random(n) < 0.6,
                "currency_age_months": rng.integers(0, 3, n),
                "sub_churn": (rng.random(n) < truth).astype(np.int8),
                "churn_probability": model,
                "baseline_probability": baseline,
                **{name: rng.integers(0, values, n) for name, values in SEGMENTS.items()},
            }
        )
        .with_columns(sub_start_date=pl.lit(FIRST_DAY) + pl.duration(days="day"))
        .drop("day")
    )


if __name__ == "__main__":
    main()
