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
from churnlib.schemas.columns import CHAR_ID, DAY, SUB_ID
from churnlib.settings import EngineSettings
from flows.steps.contacts import is_acted_on
from flows.steps.past_contacts import _contacts, collect_contacts

CHARACTERS = 1_000
THRESHOLD, HELD_OUT = 0.5, 0.1
DAYS = (date(2024, 11, 1), date(2024, 12, 1), date(2025, 1, 1))


def place(name: str, folder: Path) -> Dataset:
    return Dataset(name, "hawk", str(folder / f"{name}.parquet"))


def rows_of(day: date) -> pl.DataFrame:
    """The predictions of running subscriptions for a month."""
    risk = (pl.int_range(CHARACTERS) * 37 + day.month) % 101 / 100
    return pl.select(
        pl.int_range(CHARACTERS).alias(CHAR_ID),
        (pl.int_range(CHARACTERS) + 5_000).alias(SUB_ID),
        pl.lit(day).alias(DAY),
        risk.alias("churn_probability"),
        (pl.int_range(CHARACTERS) % 10 == 0).alias("held_out"),
    ).with_columns(contact=(pl.col("churn_probability") >= THRESHOLD) & ~pl.col("held_out"))


def predictions(folder: Path, day: date, rows: pl.DataFrame) -> DatasetRef:
    """The predictions of a batch, the riskiest first."""
    described = footer(
        as_of=day,
        threshold=THRESHOLD,
        campaign={"hold_out_share": HELD_OUT},
        contacted=int(rows["contact"].sum()),
        cohort={"grain": "monthly"},
    )
    ranked = rows.sort("churn_probability", descending=True)
    return datasets.write_parquet(ranked.lazy(), place(f"batch_{day:%Y_%m}", folder), described)


def collected(folder: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> DatasetRef:
    """The contacts of three batches, collected in a number of ranges."""
    batches = tuple(predictions(folder, day, rows_of(day)) for day in DAYS)
    subs = pl.DataFrame({CHAR_ID: range(100, CHARACTERS - 100)})
    standard = write_table([subs], place("standard", folder), subs.schema)
    rows: list[int] = []

    def count(_mib: int, _tables: Any, _function: Any, reached: int) -> int:
        rows.append(reached)
        return number

    monkeypatch.setattr(buckets, "count_for", count)
    assert len(buckets.cut((standard,), number)) == number
    ids = {CHAR_ID: "Int64", SUB_ID: "Int64"}
    output = place(f"contacts_{number}", folder)
    made = collect_contacts.fn(batches, standard, output, ids, engine=EngineSettings())
    assert rows == [pytest.approx(made.rows, rel=0.02)]  # It decides on the number of ranges.
    return made


def test_contacts_collected_in_ranges_are_those_of_all_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("churnlib.io.table_writer.ROWS_PER_GROUP", 64)
    whole, parts = (collected(tmp_path, number, monkeypatch) for number in (1, 8))
    assert parts.fingerprint == whole.fingerprint
    expected = [
        (char_id, 5_000 + char_id, day, "held_out" if char_id % 10 == 0 else "contacted", HELD_OUT)
        for char_id in range(CHARACTERS)
        for day in DAYS
        if (char_id * 37 + day.month) % 101 / 100 >= THRESHOLD
    ]
    assert datasets.read(whole).rows() == expected


def test_batch_of_several_months_is_acted_on_by_its_last(tmp_path: Path) -> None:
    earlier, last = rows_of(DAYS[0]).with_columns(contact=False), rows_of(DAYS[1])
    batch = predictions(tmp_path, DAYS[1], pl.concat([earlier, last]))
    assert set(_contacts(batch).collect()[SUB_ID]) == {
        *last.filter(pl.col("churn_probability") >= THRESHOLD)[SUB_ID]
    }
    rows = datasets.read(batch).filter(is_acted_on(batch))
    assert rows.sort(CHAR_ID).equals(last)
