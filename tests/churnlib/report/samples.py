"""Sample reports, and the predictions behind them."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from churnlib.metrics.campaign import evaluate_campaign
from churnlib.metrics.evaluate import evaluate
from churnlib.metrics.segments import breakdown
from churnlib.metrics.survival import survival
from churnlib.report.content import Report
from churnlib.settings import Offer

THRESHOLD = 0.3
IMPORTANCE = [
    {"feature": "hard_balance", "auc_loss": 0.12, "least": 0.1, "most": 0.15},
    {"feature": "race", "auc_loss": 0.004, "least": -0.001, "most": 0.01},
    {"feature": "gender", "auc_loss": -0.001, "least": -0.002, "most": 0.0},
]
COMPARISON: dict[str, Any] = {
    "metric": "roc_auc",
    "max_loss": 0.02,
    "promote": True,
    "candidate": "20250101T000000000Z",
    "champion": "20240101T000000000Z",
    "cohort": "abc",
    "window": ["2024-05-01", "2024-07-31"],
    "as_of": "2025-01-01",
    "n": 400,
    "positives": 130,
    "candidate_value": 0.81,
    "champion_value": 0.8,
    "difference": 0.01,
    "interval": [-0.005, 0.025],
    "decision": "accepted",
    "reason": "it is worse by 0.0050 at the most, and 0.0200 is allowed",
}


def make_survival() -> dict[str, Any]:
    """Subscriptions for 6 and for 12 months, of which some churn in each month from the third."""
    rows = [
        (term, name, tenure, n)
        for term in (6, 12)
        for name, tenure, n in (
            *(("churned", month, 30 - 2 * month) for month in range(3, term + 1)),
            *(("running", month, 10) for month in range(1, term)),
            ("ended", term, 150),
        )
    ]
    columns = {"sub_months": pl.Int32, "exit": pl.String, "tenure_months": pl.Int32}
    schema = {**columns, "subscriptions": pl.UInt32}
    return survival(pl.DataFrame(rows, schema, orient="row"), 6)


def make_scored(n: int = 400, seed: int = 3) -> pl.DataFrame:
    """Predictions that rank well but are too high, and a baseline that ranks worse."""
    random = np.random.default_rng(seed)
    probability = random.random(n).round(3)
    return pl.DataFrame(
        {
            "char_id": np.arange(n) // 2,
            "sub_id": np.arange(n),
            "sub_start_date": [date(2024, 5 + i % 3, 1) for i in range(n)],
            "is_first_sub": random.random(n) < 0.5,
            "currency_age_months": pl.Series([0] * n, dtype=pl.Int32),
            "territory": [("north", "south", "east")[i % 3] for i in range(n)],
            "sub_churn": pl.Series(random.random(n) < probability**2).cast(pl.Int8),
            "churn_probability": probability,
            "baseline_probability": ((probability + random.random(n)) / 2).round(3),
        },
        schema_overrides={"sub_start_date": pl.Date},
    )


def groups_of(scored: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """The figures of both groups, as plain data."""
    groups = evaluate(scored, threshold=THRESHOLD, base_rate=0.3)
    return {name: scores.to_json() for name, scores in groups.items()}


def make_report(scored: pl.DataFrame, **changes: Any) -> Report:
    """A back-test report with every section."""
    report = Report(
        name="score_report",
        game="game1",
        as_of=date(2025, 1, 1),
        window=(date(2024, 5, 1), date(2024, 7, 31)),
        horizon_months=6,
        model_version="20250101T000000000Z",
        groups=groups_of(scored),
        **breakdown(scored, ("territory",)),
        campaign=evaluate_campaign(scored, Offer(), THRESHOLD, "fitted").to_json(),
        importance=IMPORTANCE,
        changes=[{"setting": "train.seed", "base": "null", "now": "7"}],
        libraries={"python": "3.11.7", "scikit-learn": "1.9.1"},
        inputs={"train_features": {"rows": 1_234, "fingerprint": "fe" * 32}},
        comparison=COMPARISON,
    )
    return replace(report, **changes)


def in_training(scored: pl.DataFrame) -> Report:
    """A training report whose validation slice is `scored`."""
    return make_report(
        make_scored(600, seed=4),
        name="in_sample_report",
        validation=groups_of(scored),
        **breakdown(scored),
        survival=make_survival(),
        facts={"seed": 7},
        comparison=None,
    )
