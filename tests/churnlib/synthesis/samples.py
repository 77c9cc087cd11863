"""Generated games, read back, and what is computed from them in several tests."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from churnlib.synthesis import STANDARD, Process
from churnlib.synthesis.payments import CHURN_AFTER_MONTHS
from churnlib.synthesis.process import HORIZON_MONTHS
from tests.base import HISTORY, raw_tables

GAMES = sorted(STANDARD)
CURRENCY = raw_tables()[HISTORY].of_kind("number")
LAST = date(2025, 1, 1)


@dataclass(frozen=True)
class Sample:
    """One generated game, read back."""

    process: Process
    signal: float
    folder: Path
    characters: pl.DataFrame
    currency: pl.DataFrame
    subs: pl.DataFrame
    misses: pl.DataFrame
    truth: pl.DataFrame


Make = Callable[..., Sample]
"""Makes a sample: game, characters, and by keyword or position the signal."""


def read(process: Process, signal: float, folder: Path) -> Sample:
    """Reads a generated folder of either format."""
    tables = {}
    for table in raw_tables():
        path = folder / f"{table}.parquet"
        if path.exists():
            tables[table] = pl.read_parquet(path)
        else:
            tables[table] = pl.read_csv(folder / f"{table}.csv", try_parse_dates=True)
    truth = pl.read_parquet(folder / "truth" / "sub_truth.parquet")
    return Sample(
        process,
        signal,
        folder,
        characters=tables["character_data"],
        currency=tables["character_currency"],
        subs=tables["sub_data"],
        misses=tables["sub_miss"],
        truth=truth,
    )


def month(column: str) -> pl.Expr:
    """Numbers the months of a date column."""
    return 12 * pl.col(column).dt.year().cast(pl.Int64) + pl.col(column).dt.month()


def months(a: date, b: date) -> int:
    """Calendar months from a to b."""
    return 12 * (b.year - a.year) + b.month - a.month


def labelled(sample: Sample) -> pl.DataFrame:
    """Matured subscriptions with their truth, the months to their churn, and the label."""
    long = month("end_date") - month("start_date") + 1 >= CHURN_AFTER_MONTHS
    churned = sample.misses.filter(long).select("sub_id", fatal=month("start_date"))
    after = pl.col("fatal") + CHURN_AFTER_MONTHS - month("sub_start_date")
    return (
        sample.subs.join(sample.truth, on="sub_id")
        .join(churned, on="sub_id", how="left")
        .filter(12 * LAST.year + LAST.month - month("sub_start_date") >= HORIZON_MONTHS)
        .with_columns(churned_after=after)
        .with_columns(sub_churn=(pl.col("churned_after") <= HORIZON_MONTHS).fill_null(False))
    )


def written(folder: Path) -> dict[str, bytes]:
    """The bytes of every file in a folder, by its path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
