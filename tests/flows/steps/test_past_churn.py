"""The warning of tables without those who churned long ago."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl

from churnlib.io.datasets import Dataset, DatasetRef, write_parquet
from churnlib.months import shift_months
from churnlib.settings import load_settings
from flows.steps.past_churn import past_churn_warnings

AS_OF = date(2025, 1, 1)


def standard_features(folder: Path, *, purged_before: int) -> DatasetRef:
    """20 subscriptions a month of 2.5 years, of which 4 churned after 4 months, unless purged."""
    rows = [
        {
            "sub_start_date": start,
            "churned_on": shift_months(start, 4) if n < 4 else None,
            "sub_months": 12 if n < 16 else 1,
        }
        for ago in range(31)
        for n in range(20)
        if not (n < 4 and ago > purged_before) and (start := shift_months(AS_OF, -ago))
    ]
    table = Dataset("standard_features", "game1", str(folder / "standard_features.parquet"))
    return write_parquet(pl.LazyFrame(rows), table)


def warnings(folder: Path, *, purged_before: int) -> tuple[str, ...]:
    run: Any = SimpleNamespace(settings=load_settings("game1"), as_of=AS_OF)
    return past_churn_warnings(run, standard_features(folder, purged_before=purged_before))


def test_older_cohorts_without_churners_are_warned_of(tmp_path: Path) -> None:
    (warning,) = warnings(tmp_path, purged_before=15)
    assert warning.startswith(
        "only 0.0% of the 180 subscriptions that started in 2022-07 to 2023-09 churned within "
        "horizon_months = 6, but 25.0% of the 160 subscriptions that started in 2023-10 to 2024-07:"
    )
    assert warning.endswith("or begin windows.train in 2023-10 or later")


def test_complete_tables_are_not_warned_of(tmp_path: Path) -> None:
    assert warnings(tmp_path, purged_before=99) == ()
