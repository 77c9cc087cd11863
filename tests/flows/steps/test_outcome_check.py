"""Training windows whose labels cannot train a model, and the advice on them."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io import datasets
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.settings import CohortSettings, Window
from churnlib.settings.outcome import OutcomeSettings
from flows.steps.outcome_check import LabelRequest, check_outcomes

MARCH = Window(start=date(2023, 3, 1), end=date(2023, 3, 31))
REQUEST = LabelRequest(
    as_of=date(2025, 1, 1),
    horizon_months=6,
    outcome=OutcomeSettings(),
    cohort=CohortSettings(),
    train=MARCH,
    score=Window(start=date(2024, 5, 1), end=date(2024, 7, 31)),
)


def features(folder: Path, churned_on: list[date | None], months: int = 12) -> DatasetRef:
    """Standard features of subscriptions that started in March."""
    rows = pl.DataFrame({"churned_on": churned_on}, schema={"churned_on": pl.Date}).with_columns(
        sub_start_date=date(2023, 3, 5), sub_months=months
    )
    return datasets.write_parquet(rows.lazy(), Dataset("standard", "hawk", str(folder / "rows")))


def test_window_with_both_outcomes_is_accepted(tmp_path: Path) -> None:
    standard = features(tmp_path, [date(2023, 8, 1), None, None])
    found = check_outcomes.fn(standard, REQUEST)
    assert found == "1 of 3 subscriptions with a known label churned"


def test_later_churn_is_reached_by_a_longer_horizon(tmp_path: Path) -> None:
    standard = features(tmp_path, [date(2024, 1, 1), date(2024, 2, 1), None])
    with pytest.raises(DataError, match=r"none of 3 subscriptions .* churned within") as error:
        check_outcomes.fn(standard, REQUEST)
    assert "2 had churned by 2025-01-01, 10 to 11 months after their start" in str(error.value)
    assert "1 of 3 churned with --set horizon_months=10" in str(error.value)


def test_window_of_subscriptions_that_cannot_churn_is_named(tmp_path: Path) -> None:
    standard = features(tmp_path, [None, None], months=1)
    with pytest.raises(DataError, match="none of its 2 subscriptions can churn: sub_months is"):
        check_outcomes.fn(standard, REQUEST)


def test_empty_window_is_left_to_a_later_check(tmp_path: Path) -> None:
    assert check_outcomes.fn(features(tmp_path, []), REQUEST).startswith("0 of 0 subscriptions")
