"""The warning of subscriptions without rows of a history."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef, write_parquet
from flows.steps.absent_history import absent_history_warnings
from flows.steps.run import Run
from tests.base import BASE, HISTORY


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(BASE, Catalog(str(tmp_path), BASE.game), date(2025, 1, 1), {})


def features(folder: Path, rows: pl.DataFrame) -> DatasetRef:
    table = Dataset("score_features", "game1", str(folder / "score_features.parquet"))
    return write_parquet(rows.lazy(), table)


def table(absent: int, new: int, present: int) -> pl.DataFrame:
    number = absent + new + present
    return pl.DataFrame(
        {
            "currency_age_months": [None] * (absent + new) + [0] * present,
            "age_at_sub_months": [1] * absent + [0] * new + [30] * present,
            "sub_churn": [1] * absent + [0] * (number - absent),
        },
        schema_overrides={"currency_age_months": pl.Int32, "sub_churn": pl.Int8},
    )


def test_absent_rows_are_counted_with_the_churn_of_their_characters(
    run: Run, tmp_path: Path
) -> None:
    (warning,) = absent_history_warnings(run, features(tmp_path, table(4, 6, 90)))
    assert warning.startswith(
        f"4 of 100 subscriptions of the window have no row of {HISTORY}, although their characters "
        "were created in an earlier month (100.0% of them churned, 0.0% of others)"
    )


def test_absent_rows_of_a_batch_are_counted_without_labels(run: Run, tmp_path: Path) -> None:
    batch = features(tmp_path, table(4, 6, 90).drop("sub_churn"))
    (warning,) = absent_history_warnings(run, batch)
    assert "in an earlier month: check" in warning


def test_new_characters_and_few_others_may_have_no_row(run: Run, tmp_path: Path) -> None:
    assert absent_history_warnings(run, features(tmp_path, table(0, 50, 50))) == ()
    assert absent_history_warnings(run, features(tmp_path, table(1, 0, 99))) == ()


def test_games_without_a_day_of_creation_are_not_warned(run: Run, tmp_path: Path) -> None:
    rows = table(4, 6, 90).drop("age_at_sub_months")
    assert absent_history_warnings(run, features(tmp_path, rows)) == ()


def test_each_history_is_warned_of(run: Run, tmp_path: Path) -> None:
    tables = {**BASE.tables, "gems": BASE.tables[HISTORY]}
    asked = BASE.features.model_copy(deep=True)
    asked.__pydantic_extra__["gems"] = asked.tables[HISTORY]
    settings = BASE.model_copy(update={"tables": tables, "features": asked})
    two = Run(settings, run.catalog, run.as_of, {})
    rows = table(4, 6, 90).with_columns(gems_age_months=pl.lit(None, pl.Int32))
    first, second = absent_history_warnings(two, features(tmp_path, rows))
    assert first.startswith(f"4 of 100 subscriptions of the window have no row of {HISTORY},")
    assert second.startswith("94 of 100 subscriptions of the window have no row of gems,")
