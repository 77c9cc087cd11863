"""The warning of characters without currency."""

from pathlib import Path

import polars as pl
from flows.steps.absent_currency import absent_currency_warnings

from churnlib.io.datasets import Dataset, DatasetRef, write_parquet


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


def test_absent_currency_is_counted_with_the_churn_of_its_characters(tmp_path: Path) -> None:
    (warning,) = absent_currency_warnings(features(tmp_path, table(4, 6, 90)))
    assert warning.startswith(
        "4 of 100 subscriptions of the window have no currency, although their characters were "
        "created in an earlier month (100.0% of them churned, 0.0% of others)"
    )


def test_absent_currency_of_a_batch_is_counted_without_labels(tmp_path: Path) -> None:
    batch = features(tmp_path, table(4, 6, 90).drop("sub_churn"))
    (warning,) = absent_currency_warnings(batch)
    assert "in an earlier month: check" in warning


def test_new_characters_and_few_others_may_have_no_currency(tmp_path: Path) -> None:
    assert absent_currency_warnings(features(tmp_path, table(0, 50, 50))) == ()
    assert absent_currency_warnings(features(tmp_path, table(1, 0, 99))) == ()
