"""What `churn` alone says of late tables, and of batches that are missing or incomplete."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.io.catalog import Catalog
from churnlib.io.datasets import write_parquet
from churnlib.io.footer import footer
from churnlib.months import shift_months
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


def predict(settings: Settings, month: date, **made_of: int) -> None:
    """Writes the predictions of a batch that was made of some rows."""
    window = (month, shift_months(month, 1))
    facts = footer(as_of=window[1], window=window, model_version="v1", made_of=made_of, newest={})
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


def test_late_tables_are_named(settings: Settings) -> None:
    check(settings, "sub_data", date(2024, 11, 1))
    ((label, text),) = faults(settings)
    assert label == "late"
    assert text.startswith("sub_data is late: 0 rows have sub_start_date in 2024-12")


def test_tables_of_an_earlier_version_are_not_judged(settings: Settings) -> None:
    write_parquet(ROWS, Catalog(settings.data_dir, GAME).checked("sub_data"))
    ((label, text),) = faults(settings)
    assert label == "not known"
    assert "not written by this version" in text
