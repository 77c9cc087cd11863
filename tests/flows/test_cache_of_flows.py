"""What runs again, and what does not, when something has changed since the last run."""

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from churnlib.datasets import RAW_TABLES
from tests.flows.studio import BATCH_DAY, ROOT, Studio, python, written

GAME = "game1"
MODEL = {"model", "in_sample_report", "champion"}
FEATURES = {"train_features"} | MODEL
STANDARD = {"standard_features"} | FEATURES
ALL = set(RAW_TABLES) | STANDARD


@pytest.fixture
def settled(studio: Studio, caplog: pytest.LogCaptureFixture) -> Iterator[Studio]:
    """A data folder in which everything is up to date."""
    studio.restore()
    studio.run("train_from_raw", GAME)
    caplog.set_level(logging.INFO)
    caplog.clear()
    yield studio
    studio.restore()


def test_cache_second_run_of_all_flows_writes_nothing(
    settled: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    settled.take_through(GAME)
    assert written(caplog.text)
    before = settled.snapshot()
    caplog.clear()
    settled.take_through(GAME)
    assert written(caplog.text) == set()
    assert settled.snapshot() == before


def change(studio: Studio, table: str) -> None:
    """Changes a raw table in one row, which concerns a subscription of the training window."""
    sub = studio.table(f"04_feature/{GAME}/train_features.parquet").row(0, named=True)
    rows = studio.raw(GAME, table)
    key, column, value = {
        "character_data": ("char_id", "territory", "west"),
        "character_currency": ("char_id", "hard_balance", "123"),
        "sub_data": ("sub_id", "price", "12.34"),
        "sub_miss": ("sub_id", "end_date", "2024-12-01"),
    }[table]
    found = sub[key] if table != "sub_miss" else rows["sub_id"][0]
    mine = pl.col(key) == str(found)
    changed = rows.with_columns(pl.when(mine).then(pl.lit(value)).otherwise(column).alias(column))
    assert not changed.equals(rows)
    studio.write_raw(GAME, table, changed)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        # A table that refers to another is checked against it anew.
        ("character_data", {"character_data", "sub_data"} | STANDARD),
        ("sub_data", {"sub_data", "sub_miss"} | STANDARD),
        ("sub_miss", {"sub_miss"} | STANDARD),
        ("character_currency", {"character_currency"} | FEATURES),
    ],
)
def test_cache_changed_raw_table_runs_again_what_depends_on_it(
    settled: Studio, caplog: pytest.LogCaptureFixture, table: str, expected: set[str]
) -> None:
    change(settled, table)
    settled.run("train_from_raw", GAME)
    assert written(caplog.text) == expected


@pytest.mark.parametrize("table", RAW_TABLES)
def test_cache_reordered_raw_table_is_only_checked_again(
    settled: Studio, caplog: pytest.LogCaptureFixture, table: str
) -> None:
    rows = settled.raw(GAME, table)
    settled.write_raw(GAME, table, rows.reverse())
    settled.run("train_from_raw", GAME)
    assert written(caplog.text) == {table}


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("train.pipeline.model.params.max_iter", 21, MODEL),
        ("train.seed", 5, MODEL),
        ("currency.lookback_months", 12, FEATURES),
        ("windows.train.start", -30, FEATURES),
        ("horizon_months", 5, FEATURES),
        ("standard.undated_totals", True, STANDARD),
        ("churn_after_months", 2, STANDARD),
        ("raw.max_bad_share", 0.02, set(RAW_TABLES)),
        ("windows.batch_predict.start", -2, set()),
    ],
)
def test_cache_changed_setting_runs_again_what_reads_it(
    settled: Studio,
    caplog: pytest.LogCaptureFixture,
    setting: str,
    value: object,
    expected: set[str],
) -> None:
    settled.run("train_from_raw", GAME, {setting: value})
    assert written(caplog.text) == expected


def test_cache_other_day_keeps_the_checked_tables(
    settled: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    settled.run("train_from_raw", GAME, as_of=BATCH_DAY)
    assert written(caplog.text) == STANDARD


def test_cache_refresh_runs_everything_again(
    settled: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    assert settled.command("train", GAME, "--from-raw", "--refresh") == 0
    assert written(caplog.text) == ALL
    assert "taken from the cache" not in caplog.text


OUTPUTS = [
    (f"02_intermediate/{GAME}/sub_data.parquet", {"sub_data"}),
    (f"03_primary/{GAME}/standard_features.parquet", {"standard_features"}),
    (f"04_feature/{GAME}/train_features.parquet", {"train_features"}),
    (f"06_models/{GAME}/champion.json", {"champion"}),
    (f"08_reporting/{GAME}/in_sample_report.txt", {"in_sample_report"}),
]


@pytest.mark.parametrize(
    "damage", [Path.unlink, lambda file: file.write_bytes(b"other")], ids=["deleted", "tampered"]
)
@pytest.mark.parametrize(("output", "expected"), OUTPUTS)
def test_cache_lost_output_is_written_again_as_it_was(
    settled: Studio,
    caplog: pytest.LogCaptureFixture,
    output: str,
    expected: set[str],
    damage: Callable[[Path], None],
) -> None:
    file = settled.file(output)
    before = file.read_bytes()
    damage(file)
    settled.run("train_from_raw", GAME)
    assert written(caplog.text) == expected
    assert file.read_bytes() == before


@pytest.mark.parametrize("file", ["model.skops", "manifest.json", "scored_rows.parquet"])
def test_cache_tampered_model_is_fitted_again(
    settled: Studio, caplog: pytest.LogCaptureFixture, file: str
) -> None:
    version = settled.json(f"06_models/{GAME}/champion.json")["version"]
    settled.file(f"06_models/{GAME}/{version}/{file}").write_bytes(b"other")
    settled.run("train_from_raw", GAME)
    assert written(caplog.text) == MODEL
    assert settled.json(f"06_models/{GAME}/champion.json")["version"] > version


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("features/currency.py", "change = pl.col(column) - ", "change = -pl.col(name) + ", FEATURES),
        (
            "features/standard.py",
            'pl.col("sub_months") * pl.col("price")',
            'pl.col("price") * pl.col("sub_months")',
            {"standard_features"},
        ),
    ],
)
def test_cache_changed_line_in_a_pure_function_runs_again_what_calls_it(
    settled: Studio, tmp_path: Path, file: str, old: str, new: str, expected: set[str]
) -> None:
    """The code lies elsewhere, too, which changes nothing; the first change alters the results."""
    for folder in ("churnlib", "flows", "games"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    module = tmp_path / "churnlib" / file
    source = module.read_text()
    assert source.count(old) == 1
    module.write_text(source.replace(old, new))
    run = python("-m", "flows.train", *settled.arguments(GAME, "--from-raw"), cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert written(run.stderr) == expected
