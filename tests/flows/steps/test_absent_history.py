"""The warning of characters without rows of a history."""

from datetime import date
from pathlib import Path

import polars as pl

from churnlib.io.datasets import Dataset, DatasetRef, write_parquet
from churnlib.settings.history_features import age_feature
from flows.steps.absent_history import absent_history_warnings
from flows.steps.run import open_run
from tests.flows.models import GAME

AGE = age_feature("character_currency")


def warnings(folder: Path, rows: pl.DataFrame) -> tuple[str, ...]:
    with open_run(GAME, date(2025, 1, 1), None, str(folder)) as run:
        return absent_history_warnings(run, features(folder, rows))


def features(folder: Path, rows: pl.DataFrame) -> DatasetRef:
    table = Dataset("score_features", "game1", str(folder / "score_features.parquet"))
    return write_parquet(rows.lazy(), table)


def table(absent: int, new: int, present: int) -> pl.DataFrame:
    number = absent + new + present
    return pl.DataFrame(
        {
            AGE: [None] * (absent + new) + [0] * present,
            "age_at_sub_months": [1] * absent + [0] * new + [30] * present,
            "sub_churn": [1] * absent + [0] * (number - absent),
        },
        schema_overrides={AGE: pl.Int32, "sub_churn": pl.Int8},
    )


def test_absent_currency_is_counted_with_the_churn_of_its_characters(tmp_path: Path) -> None:
    (warning,) = warnings(tmp_path, table(4, 6, 90))
    assert warning.startswith(
        "4 of 100 subscriptions of the window have no row of character_currency, although "
        "their characters were created in an earlier month (100.0% of them churned, 0.0% of others)"
    )


def test_absent_currency_of_a_batch_is_counted_without_labels(tmp_path: Path) -> None:
    (warning,) = warnings(tmp_path, table(4, 6, 90).drop("sub_churn"))
    assert "in an earlier month: check" in warning


def test_new_characters_and_few_others_may_have_no_currency(tmp_path: Path) -> None:
    assert warnings(tmp_path, table(0, 50, 50)) == ()
    assert warnings(tmp_path, table(1, 0, 99)) == ()
