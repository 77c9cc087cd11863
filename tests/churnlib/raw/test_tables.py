"""All raw tables of a game, read at once."""

import gzip
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.features.cohort import feature_columns, feature_table
from churnlib.raw.availability import latest_day
from churnlib.raw.tables import read_tables
from churnlib.settings import Settings, load_settings
from churnlib.synthesis.__main__ import main as synthesize
from tests.base import HISTORY

Tables = dict[str, pl.LazyFrame]
AS_OF = date(2024, 3, 1)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("data")
    out = folder / "01_raw" / "game1"
    synthesize(["--game", "game1", "--characters", "200", "--seed", "3", "--out", str(out)])
    return load_settings("game1", {"data_dir": str(folder)}, environ={})


@pytest.fixture(scope="module")
def tables(settings: Settings) -> Tables:
    return read_tables(settings)


def test_tables_give_the_columns_that_are_derived_without_data(
    settings: Settings, tables: Tables
) -> None:
    features = feature_table(tables, settings, as_of=AS_OF)
    assert features.collect_schema() == feature_columns(settings)


def test_tables_give_a_row_for_each_subscription_by_the_day(
    settings: Settings, tables: Tables
) -> None:
    features = feature_table(tables, settings, as_of=AS_OF).collect()
    by_then = tables["sub_data"].filter(pl.col("sub_start_date") <= AS_OF).collect()
    assert set(features["sub_id"]) == set(by_then["sub_id"])
    assert len(features) == len(by_then) < tables["sub_data"].collect().height
    matured = features.filter(pl.col("sub_start_date") < date(2023, 10, 1))
    assert matured["sub_churn"].null_count() == 0
    assert features["sub_churn"].null_count() == len(features) - len(matured)


def test_tables_of_other_files_are_the_same(
    settings: Settings, tables: Tables, tmp_path: Path
) -> None:
    raw, copy = Path(settings.data_dir, "01_raw", "game1"), tmp_path / "01_raw" / "game1"
    for name in tables:
        rows = pl.read_csv(raw / f"{name}.csv", infer_schema=False)
        for number, part in enumerate((rows[::2], rows[1::2])):
            others = part.rename({"char_id": "Spieler"}, strict=False).with_columns(
                pl.col("^(price|.*_hard|.*balance)$").str.replace(".", ",", literal=True)
            )
            path = copy / name / f"{number}.csv.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(others.write_csv(separator=";").encode("utf-16")))
    as_written = {"path": "{}/*.csv.gz", "separator": ";", "decimal": ",", "encoding": "utf-16"}
    declared = {
        f"tables.{name}.{key}": value.format(name)
        for name in tables
        for key, value in as_written.items()
    }
    renamed = {
        f"tables.{name}.rename": {"Spieler": "char_id"} for name in tables if name != "sub_miss"
    }
    moved = load_settings("game1", {"data_dir": str(tmp_path), **declared, **renamed}, environ={})
    found = read_tables(moved)
    for name, table in tables.items():
        assert found[name].collect().equals(table.collect()), name


def test_tables_check_references(settings: Settings, tmp_path: Path) -> None:
    raw = Path(settings.data_dir, "01_raw", "game1")
    (copy := tmp_path / "01_raw" / "game1").mkdir(parents=True)
    for file in raw.glob("*.csv"):
        (copy / file.name).write_bytes(file.read_bytes())
    characters = (copy / "character_data.csv").read_text().splitlines(keepends=True)
    moved = load_settings("game1", {"data_dir": str(tmp_path)}, environ={})
    (copy / "character_data.csv").write_text("".join(characters[:150]))
    with pytest.raises(DataError, match=r"(?s)sub_data\.csv.*char_id must be in character_data"):
        read_tables(moved)
    (copy / "character_data.csv").write_text("".join(characters[:50]))
    with pytest.raises(DataError, match=r"character_currency: .* rows belong to no known char"):
        read_tables(moved)


def test_latest_day_is_that_of_the_history(tables: Tables, settings: Settings) -> None:
    assert latest_day(tables, settings) == tables[HISTORY].collect()["date"].max()


def test_latest_day_of_no_rows_is_an_error(tables: Tables, settings: Settings) -> None:
    with pytest.raises(DataError, match=r"game1: character_currency has no rows"):
        latest_day({**tables, HISTORY: tables[HISTORY].head(0)}, settings)
