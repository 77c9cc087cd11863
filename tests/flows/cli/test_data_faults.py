"""What `churn` alone says of late tables, and of batches that are missing or incomplete."""

import os
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.io.catalog import Catalog
from churnlib.io.datasets import write_parquet
from churnlib.io.footer import footer
from churnlib.months import last_day, shift_months
from churnlib.raw.quality_warnings import ROWS_BY_AGE, ROWS_BY_DAY
from churnlib.settings import Settings, load_settings
from flows.cli.data_faults import data_faults

GAME = "game1"
DAY = date(2025, 1, 1)
ROWS = pl.LazyFrame({"char_id": [1]})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A game whose currency reaches January 2025, and whose subscriptions reach December."""
    settings = load_settings(GAME, {"data_dir": str(tmp_path)}, environ={})
    check(settings, "character_currency", DAY)
    check(settings, "sub_data", date(2024, 12, 1))
    return settings


def check(settings: Settings, table: str, until: date) -> None:
    """Writes the counts of a checked table: 100 rows a month."""
    days = [(shift_months(until, -n).isoformat(), 100) for n in range(24)]
    facts = footer(**{ROWS_BY_DAY: {"rows": sorted(days)}, ROWS_BY_AGE: {}})
    write_parquet(ROWS, Catalog(settings.data_dir, GAME).checked(table), facts)


def predict(settings: Settings, month: date, months: int = 1, **made_of: int) -> None:
    """Writes the predictions of a batch that was made of some rows."""
    facts = footer(
        as_of=shift_months(month, months),
        window=(month, last_day(shift_months(month, months - 1))),
        model_version="v1",
        made_of=made_of,
        newest={},
    )
    write_parquet(ROWS, Catalog(settings.data_dir, GAME).predictions(month), facts)


def faults(settings: Settings) -> list[Any]:
    return list(data_faults(settings, None))


def test_complete_data_have_no_faults(settings: Settings) -> None:
    assert faults(settings) == []
    predict(settings, date(2024, 11, 1), sub_data=2400)
    predict(settings, date(2024, 12, 1), sub_data=2400)
    assert faults(settings) == []


def test_missing_and_incomplete_batches_are_named_with_the_command(settings: Settings) -> None:
    predict(settings, date(2024, 10, 1), sub_data=2111)
    command = "churn backfill --game game1 --flow batch-predict"
    assert faults(settings) == [
        ("batches missing", f"2024-11, 2024-12: {command} --from 2024-11 --to 2024-12"),
        (
            "batch incomplete",
            "2024-10: made of 2,111 rows of sub_data, of which 2,300 are known by now for "
            f"2024-11-01: {command} --from 2024-10 --to 2024-10",
        ),
    ]


def test_batches_of_two_months_are_named_with_their_days(settings: Settings) -> None:
    windows = {"data_dir": settings.data_dir, "windows.batch_predict.start": -2}
    two_months = load_settings(GAME, windows, environ={})
    predict(two_months, date(2024, 9, 1), months=2, sub_data=2111)
    (_, missing), (_, incomplete) = faults(two_months)
    assert missing.startswith(
        "2024-10 (2024-10-01 to 2024-11-30), 2024-11 (2024-11-01 to 2024-12-31): churn backfill"
    )
    assert missing.endswith("--from 2024-10 --to 2024-11")
    assert incomplete.startswith("2024-09 (2024-09-01 to 2024-10-31): made of 2,111 rows")


def test_late_tables_are_named_as_of_their_last_check(settings: Settings) -> None:
    check(settings, "sub_data", date(2024, 11, 1))
    written = datetime(2025, 1, 7, 8, 9).timestamp()
    os.utime(Catalog(settings.data_dir, GAME).checked("sub_data").uri, (written, written))
    ((label, text),) = faults(settings)
    assert label == "late"
    assert text.startswith("sub_data is late: 0 rows have sub_start_date in 2024-12")
    checked = "by the table as last checked by a flow on 2025-01-07 08:09"
    assert text.endswith(f"(as of 2025-01-01, {checked})")


def test_tables_of_an_earlier_version_are_not_judged(settings: Settings) -> None:
    write_parquet(ROWS, Catalog(settings.data_dir, GAME).checked("sub_data"))
    ((label, text),) = faults(settings)
    assert label == "not known"
    assert "not written by this version" in text
