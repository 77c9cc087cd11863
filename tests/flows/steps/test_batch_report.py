"""The predictions of a batch beside the outcomes of its subscriptions."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io import datasets
from churnlib.io.datasets import Dataset
from churnlib.settings import CohortSettings
from churnlib.settings.outcome import OutcomeSettings
from flows.steps.batch_report import unmatched_warnings, with_outcomes
from flows.steps.reports import ScoreContext
from flows.steps.run import SubscriptionWindow

JUNE = (date(2024, 6, 1), date(2024, 6, 30))
STARTS = pl.Series("sub_start_date", [date(2024, 6, 3)] * 3)


CONTEXT = cast(
    "ScoreContext",
    SimpleNamespace(
        window=SubscriptionWindow("windows.batch_score", *JUNE, date(2025, 1, 1)),
        horizon_months=6,
        outcome=OutcomeSettings(),
        cohort=CohortSettings(),
        evaluation=SimpleNamespace(segment_columns=()),
    ),
)


def joined(folder: Path, months: list[int]) -> pl.DataFrame:
    """The predictions of subscriptions for so many months beside their outcomes."""
    subs = pl.DataFrame(
        {
            "sub_id": [1, 2, 3],
            "sub_months": months,
            "is_first_sub": [True, True, False],
            "churned_on": [date(2024, 10, 1), None, None],
        }
    ).with_columns(STARTS)
    predicted = subs.select("sub_id", "sub_start_date", churn_probability=pl.lit(0.3))
    standard, predictions = (
        datasets.write_parquet(rows.lazy(), Dataset(name, "hawk", str(folder / name)))
        for name, rows in (("standard", subs), ("predictions", predicted))
    )
    return with_outcomes(standard, predictions, CONTEXT)


def test_earlier_prediction_of_a_subscription_that_cannot_churn_is_left_out(tmp_path: Path) -> None:
    rows = joined(tmp_path, [12, 1, 12])
    assert rows.sort("sub_id").select("sub_id", "sub_churn").rows() == [(1, 1), (3, 0)]
    assert unmatched_warnings(rows) == ()


def test_window_of_subscriptions_that_cannot_churn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"from 2024-06-01 to 2024-06-30 can churn: sub_months is less than the 3"
    ):
        joined(tmp_path, [1, 2, 1])
