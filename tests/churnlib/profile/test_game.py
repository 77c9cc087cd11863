"""The profile of a whole game: all faults at once, nothing written, and the day of a run."""

import shutil
import sqlite3
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.profile import GameProfile, profile_game
from churnlib.settings import load_settings
from churnlib.synthesis import PROCESSES, generate
from tests.base import raw_tables
from tests.churnlib.synthesis.samples import written

GAME = "game1"
LAST = date(2025, 1, 1)
CHARACTERS = 600
Profile = Callable[..., GameProfile]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generated")
    generate(PROCESSES[GAME], CHARACTERS, 3, folder)
    return folder


@pytest.fixture
def raw(generated: Path, tmp_path: Path) -> Path:
    """The folder of the raw tables, for one test."""
    folder = tmp_path / "data" / "01_raw" / GAME
    shutil.copytree(generated, folder)
    return folder


@pytest.fixture
def profile(raw: Path, tmp_path: Path) -> Profile:
    """Profiles the game with some settings."""

    def found(**changes: Any) -> GameProfile:
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        settings = load_settings(GAME, {"data_dir": str(tmp_path / "data"), **changes}, environ={})
        return profile_game(settings, scratch)

    return found


def change(raw: Path, table: str, *expressions: pl.Expr) -> None:
    """Changes columns of a raw table."""
    path = raw / f"{table}.csv"
    pl.read_csv(path, infer_schema=False).with_columns(expressions).write_csv(path)


def keep(raw: Path, table: str, kept: pl.Expr) -> None:
    """Removes rows of a raw table."""
    path = raw / f"{table}.csv"
    pl.read_csv(path, infer_schema=False).filter(kept).write_csv(path)


def test_data_without_faults_are_accepted_and_nothing_is_written(
    raw: Path, profile: Profile
) -> None:
    before = written(raw.parents[1])
    found = profile()
    assert written(raw.parents[1]) == before
    assert (found.day, found.is_stated, found.refusals, found.warnings) == (LAST, False, (), ())
    for table in found.tables:
        rows = pl.read_csv(raw / f"{table.name}.csv").height
        assert (table.file, table.rows, table.bad_rows) == (f"{table.name}.csv", rows, 0)
        assert sum(table.months.values()) == rows
        assert [c.name for c in table.columns] == list(raw_tables()[table.name].columns)
    assert [table.arrived for table in found.tables if table.kind == "history"] == [LAST]
    assert found.churn is not None
    assert found.churn.total.started == pl.read_csv(raw / "sub_data.csv").height


def test_faults_of_all_tables_are_told_at_once(raw: Path, profile: Profile) -> None:
    is_second = pl.int_range(pl.len()) == 1
    for table, column in (("character_data", "creation_date"), ("sub_data", "price")):
        change(raw, table, pl.when(is_second).then(pl.lit("?")).otherwise(column).alias(column))
    (raw / "sub_miss.csv").write_text("sub_id;start_date\n")
    found = profile()
    assert found.day == LAST
    character, sub, miss = found.refusals
    assert f"character_data.csv: 1 of {CHARACTERS} rows break a rule" in character
    assert "price" in sub
    assert "1 invalid rows of character_data count as unknown here" in sub
    assert "sub_miss.csv" in miss
    assert {table.name: table.bad_rows > 0 for table in found.tables} == {
        "character_data": True,
        "character_currency": False,
        "sub_data": True,
        "sub_miss": False,
    }


def test_missing_table_does_not_stop_the_others(raw: Path, profile: Profile) -> None:
    (raw / "character_data.csv").unlink()
    found = profile()
    (refusal,) = found.refusals
    assert "the raw table character_data is missing" in refusal
    assert [table.name for table in found.tables if not table.file] == ["character_data"]
    assert found.churn is not None


@pytest.mark.slow
def test_faults_after_the_day_or_in_quarantine_do_not_refuse(raw: Path, profile: Profile) -> None:
    late = pl.col("sub_start_date") > "2024-12-15"
    price = pl.when(late).then(pl.lit("?")).otherwise("price").alias("price")
    change(raw, "sub_data", price)
    assert "price" in profile().refusals[0]
    assert profile(as_of="2024-12-01").refusals == ()
    found = profile(**{"raw.on_bad_rows": "quarantine", "raw.max_bad_share": 0.5})
    assert found.refusals == ()
    assert [table.bad_rows > 0 for table in found.tables] == [False, False, True, False]


def test_late_feed_refuses_unless_it_only_warns(raw: Path, profile: Profile) -> None:
    keep(raw, "sub_miss", pl.col("start_date") < "2024-08-01")
    (refusal,) = profile().refusals
    assert "sub_miss is late" in refusal
    found = profile(**{"raw.on_late": "warn"})
    assert found.refusals == ()
    assert "sub_miss is late" in found.warnings[0]


def test_month_that_has_not_arrived_is_told(raw: Path, profile: Profile) -> None:
    few = pl.int_range(pl.len()) % 10 == 0
    keep(raw, "character_currency", (pl.col("date") < "2025-01-01") | few)
    found = profile()
    assert found.day == date(2024, 12, 1)
    assert "of 2025-01 would not be read" in found.warnings[0]


def test_unknown_characters_and_odd_rows_are_counted(raw: Path, profile: Profile) -> None:
    new_price = pl.when(pl.int_range(pl.len()) < 7).then(pl.lit("-1")).otherwise("price")
    change(raw, "sub_data", new_price.alias("price"))
    change(raw, "character_currency", (pl.col("char_id").cast(pl.Int64) + 10**6).alias("char_id"))
    found = profile()
    (refusal,) = found.refusals
    assert "belong to no known character" in refusal
    odd = {table.name: table.odd for table in found.tables}
    ((text, number),) = odd["sub_data"].items()
    assert "price" in text
    assert number == 7
    rows = pl.read_csv(raw / "character_currency.csv").height
    parent = raw_tables()["character_currency"].parent
    assert parent is not None
    assert parent.unknown is not None
    assert odd["character_currency"][parent.unknown] == rows


def test_windows_and_label_overlap_are_judged(profile: Profile) -> None:
    found = profile(**{"windows.train.start": "2023-01-01", "windows.train.end": "2024-03-31"})
    assert "label leakage" in found.refusals[0]
    found = profile(**{"windows.batch_predict.start": 5, "windows.batch_predict.end": 6})
    assert found.refusals == (
        "windows.batch_predict (2025-06-01 to 2025-07-31): it selects no subscription",
    )


def test_table_in_a_database_is_read_and_not_kept(
    raw: Path, profile: Profile, tmp_path: Path
) -> None:
    misses = pl.read_csv(raw / "sub_miss.csv")
    (raw / "sub_miss.csv").unlink()
    before = written(raw.parents[1])
    with sqlite3.connect(tmp_path / "game.db") as database:
        database.execute("create table misses (sub_id integer, start_date text, end_date text)")
        database.executemany("insert into misses values (?, ?, ?)", misses.rows())
    place = {"path": f"sqlite:///{tmp_path}/game.db", "table": "misses"}
    found = profile(**{f"tables.sub_miss.{name}": value for name, value in place.items()})
    assert found.refusals == ()
    table = {table.name: table for table in found.tables}["sub_miss"]
    assert (table.rows, table.file) == (misses.height, f"sqlite:///{tmp_path}/game.db")
    assert written(raw.parents[1]) == before


def test_feature_that_cannot_be_computed_is_a_refusal(profile: Profile) -> None:
    ratio = {"name": "trend", "of": "hard_balance", "over": "nothing"}
    found = profile(**{"features.ratios": [ratio]})
    assert any("features.ratios: trend is of 'nothing'" in reason for reason in found.refusals)
