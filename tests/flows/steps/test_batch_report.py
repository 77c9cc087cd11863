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
from churnlib.settings import CohortSettings, EvaluationSettings
from churnlib.settings.outcome import OutcomeSettings
from flows.steps.batch_outcomes import unmatched_warnings, with_outcomes, with_segments
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


def test_segments_that_only_the_features_tell_are_joined_by_row(tmp_path: Path) -> None:
    rows = joined(tmp_path, [12, 12, 12]).sort("sub_id")
    features = rows.select("sub_id", "day", months_missed_in_a_row=pl.Series([2, 0, 1]))
    features = features.with_columns(previous_sub_churned=pl.Series([None, True, False]))
    stored = datasets.write_parquet(features.lazy(), Dataset("x", "hawk", str(tmp_path / "x")))
    asked = EvaluationSettings(segments=("previous_sub_churned",))
    found, columns, warnings = with_segments(rows.with_columns(sub_months=12), stored, asked)
    assert found["months_missed_in_a_row"].to_list() == [2, 0, 1]
    assert found["previous_sub_churned"].to_list() == [None, True, False]
    assert (columns, warnings) == (("previous_sub_churned", "sub_months"), ())


def test_segments_of_features_that_are_gone_are_warned_of(tmp_path: Path) -> None:
    rows = joined(tmp_path, [12, 12, 12]).with_columns(sub_months=12)
    asked = EvaluationSettings(segments=("previous_sub_churned",))
    found, columns, (warning,) = with_segments(rows, None, asked)
    assert found.equals(rows)
    assert columns == ("sub_months",)
    assert warning.startswith("no performance by previous_sub_churned (evaluation.segments)")
