"""Contacts are collected in ranges of characters, with the result of one range."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.io import buckets, datasets
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import footer
from churnlib.io.table_writer import write_table
from churnlib.schemas.columns import CHAR_ID, SUB_ID
from churnlib.settings import EngineSettings
from flows.steps.past_contacts import collect_contacts

CHARACTERS = 1_000
THRESHOLD, HELD_OUT = 0.5, 0.1
DAYS = (date(2024, 11, 1), date(2024, 12, 1), date(2025, 1, 1))


def place(name: str, folder: Path) -> Dataset:
    return Dataset(name, "hawk", str(folder / f"{name}.parquet"))


def predictions(folder: Path, day: date) -> DatasetRef:
    """The predictions of a batch, the riskiest first."""
    risk = (pl.int_range(CHARACTERS) * 37 + day.month) % 101 / 100
    held_out = pl.col(CHAR_ID) % 10 == 0
    rows = pl.select(
        pl.int_range(CHARACTERS).alias(CHAR_ID),
        (pl.int_range(CHARACTERS) + 5_000).alias(SUB_ID),
        risk.alias("churn_probability"),
    ).with_columns(contact=(pl.col("churn_probability") >= THRESHOLD) & ~held_out)
    described = footer(
        as_of=day,
        threshold=THRESHOLD,
        campaign={"hold_out_share": HELD_OUT},
        contacted=int(rows["contact"].sum()),
    )
    ranked = rows.sort("churn_probability", descending=True)
    return datasets.write_parquet(ranked.lazy(), place(f"batch_{day:%Y_%m}", folder), described)


def collected(folder: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    """The contacts of three batches, collected in a number of ranges."""
    batches = tuple(predictions(folder, day) for day in DAYS)
    subs = pl.DataFrame({CHAR_ID: range(CHARACTERS)})
    standard = write_table([subs], place("standard", folder), subs.schema)
    rows: list[int] = []

    def count(_mib: int, _tables: Any, _function: Any, reached: int) -> int:
        rows.append(reached)
        return number

    monkeypatch.setattr(buckets, "count_for", count)
    ids = {CHAR_ID: "Int64", SUB_ID: "Int64"}
    output = place(f"contacts_{number}", folder)
    made = collect_contacts.fn(batches, standard, output, ids, engine=EngineSettings())
    table = datasets.read(made)
    assert rows == [pytest.approx(len(table), rel=0.02)]  # It decides on the number of ranges.
    return table


def test_contacts_collected_in_ranges_are_those_of_all_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("churnlib.io.table_writer.ROWS_PER_GROUP", 64)
    whole, parts = (collected(tmp_path, number, monkeypatch) for number in (1, 8))
    assert parts.equals(whole)
    expected = [
        (char_id, 5_000 + char_id, day, "held_out" if char_id % 10 == 0 else "contacted", HELD_OUT)
        for char_id in range(CHARACTERS)
        for day in DAYS
        if (char_id * 37 + day.month) % 101 / 100 >= THRESHOLD
    ]
    assert whole.rows() == expected
