"""The predictions of a batch beside the outcomes of its subscriptions."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import polars as pl

from churnlib.io import datasets
from churnlib.io.datasets import Dataset
from flows.steps.batch_report import unmatched_warnings, with_outcomes
from flows.steps.reports import ScoreContext
from flows.steps.run import SubscriptionWindow

JUNE = (date(2024, 6, 1), date(2024, 6, 30))
STARTS = pl.Series("sub_start_date", [date(2024, 6, 3)] * 3)


def test_earlier_prediction_of_a_subscription_that_cannot_churn_is_left_out(tmp_path: Path) -> None:
    subs = pl.DataFrame(
        {
            "sub_id": [1, 2, 3],
            "sub_months": [12, 1, 12],
            "is_first_sub": [True, True, False],
            "churned_on": [date(2024, 10, 1), None, None],
        }
    ).with_columns(STARTS)
    predicted = subs.select("sub_id", "sub_start_date", churn_probability=pl.lit(0.3))
    standard, predictions = (
        datasets.write_parquet(rows.lazy(), Dataset(name, "hawk", str(tmp_path / name)))
        for name, rows in (("standard", subs), ("predictions", predicted))
    )
    context = SimpleNamespace(
        window=SubscriptionWindow("windows.batch_score", *JUNE, date(2025, 1, 1)),
        horizon_months=6,
        churn_after_months=3,
        evaluation=SimpleNamespace(segments=()),
    )
    rows = with_outcomes(standard, predictions, cast("ScoreContext", context))
    assert rows.sort("sub_id").select("sub_id", "sub_churn").rows() == [(1, 1), (3, 0)]
    assert unmatched_warnings(rows) == ()
