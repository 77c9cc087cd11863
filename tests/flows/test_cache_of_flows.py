"""What runs again, and what does not, when something has changed since the last run."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from churnlib.features import history
from tests.base import raw_tables
from tests.flows.models import champion
from tests.flows.studio import BATCH_DAY, LAST_DAY, ROOT, Studio, python, writes, written

pytestmark = pytest.mark.slow

GAME = "game1"
MODEL = {"model", "in_sample_report", "registry"}
FEATURES = {"train_features"} | MODEL
IN_USE = {"in_use_features", "model_in_use"}
NOTED = {"standard_features_sources"}
STANDARD = {"standard_features"} | NOTED | FEATURES
ALL = set(raw_tables()) | STANDARD


@pytest.fixture
def settled(restored: Studio, caplog: pytest.LogCaptureFixture) -> Studio:
    """A data folder in which everything is up to date."""
    caplog.set_level(logging.INFO)
    return restored


def test_cache_second_run_of_all_flows_writes_nothing(
    settled: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    before = settled.snapshot()
    settled.take_through(GAME)
    assert "taken from the cache" in caplog.text
    assert written(caplog.text) == set()
    assert settled.snapshot() == before


def change(studio: Studio, table: str) -> None:
    """Changes a raw table in what concerns a churned subscription of the training window."""
    train = studio.table(f"04_feature/{GAME}/train_features.parquet")
    sub = train.filter(pl.col("sub_churn") == 1).row(0, named=True)
    rows = studio.raw(GAME, table)
    key, column, value = {
        "character_data": ("char_id", "race", pl.lit("giant")),
        "character_currency": ("char_id", "hard_balance", pl.lit("123")),
        "sub_data": ("sub_id", "price", pl.lit("12.34")),
        "sub_miss": ("sub_id", "end_date", pl.col("start_date")),
    }[table]
    mine = pl.col(key) == str(sub[key])
    changed = rows.with_columns(pl.when(mine).then(value).otherwise(column).alias(column))
    assert not changed.equals(rows)
    studio.write_raw(GAME, table, changed)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        # A table that refers to another is checked against it anew.
        pytest.param(
            "character_data",
            {"character_data", "sub_data"} | STANDARD | IN_USE,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "sub_data", {"sub_data", "sub_miss"} | STANDARD | IN_USE, marks=pytest.mark.slow
        ),
        ("sub_miss", {"sub_miss"} | STANDARD | IN_USE),
        ("character_currency", {"character_currency"} | FEATURES | IN_USE),
    ],
)
def test_cache_changed_raw_table_runs_again_what_depends_on_it(
    settled: Studio, caplog: pytest.LogCaptureFixture, table: str, expected: set[str]
) -> None:
    change(settled, table)
    settled.run("train_from_raw", GAME)
    assert written(caplog.text) == expected


def test_cache_change_outside_the_features_does_not_train_again(
    settled: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    before = settled.outputs()
    rows = settled.raw(GAME, "character_data").with_columns(total_kills=pl.lit("1"))
    settled.write_raw(GAME, "character_data", rows)
    later = settled.raw(GAME, "character_currency")
    more = later.filter(pl.col("date") == "2025-01-01").with_columns(date=pl.lit("2025-02-01"))
    settled.write_raw(GAME, "character_currency", pl.concat([later, more]))
    settled.run("train_from_raw", GAME, as_of=LAST_DAY)
    checked = {"character_data", "sub_data", "character_currency"}
    assert written(caplog.text) == checked | NOTED | {
        "standard_features",
        "train_features",
        "in_use_features",
    }
    after = settled.outputs()
    kept = [path for path in before if not path.startswith("02_") and "_sources" not in path]
    assert {path: after[path][1] for path in kept} == {path: before[path][1] for path in kept}


def test_cache_reordered_raw_tables_are_only_checked_again(
    settled: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    for table in raw_tables():
        settled.write_raw(GAME, table, settled.raw(GAME, table).reverse())
    settled.run("train_from_raw", GAME)
    assert written(caplog.text) == set(raw_tables()) | NOTED


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("train.pipeline.model.params.max_iter", 21, MODEL),
        pytest.param(
            "features.character_currency.lookback_months", 12, FEATURES, marks=pytest.mark.slow
        ),
        pytest.param("windows.train.start", -30, FEATURES, marks=pytest.mark.slow),
        pytest.param("standard.undated_totals", True, STANDARD, marks=pytest.mark.slow),
        pytest.param("outcome.missed_months", 2, STANDARD, marks=pytest.mark.slow),
        # The report lists all settings that differ from `base.toml`.
        pytest.param("raw.max_bad_share", 0.02, {"in_sample_report"}, marks=pytest.mark.slow),
        ("windows.batch_predict.start", -2, {"in_sample_report"}),
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


def test_cache_refresh_of_a_composite_runs_every_task_again_once(
    settled: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    """The model is the same again and keeps its version, so the registry has nothing to add."""
    version = champion(settled)
    assert settled.command("train", GAME, "--from-raw", "--refresh") == 0
    formats = {"in_sample_report": 3}
    assert (
        writes(caplog.text)
        == dict.fromkeys((ALL - {"registry"}) | IN_USE | {"contacts"}, 1) | formats
    )
    assert champion(settled) == version


OUTPUTS = {
    "sub_data": f"02_intermediate/{GAME}/sub_data.parquet",
    "standard_features": f"03_primary/{GAME}/standard_features.parquet",
    "train_features": f"04_feature/{GAME}/train_features.parquet",
    "in_sample_report": f"08_reporting/{GAME}/in_sample_report.txt",
}


@pytest.mark.parametrize(
    "damage", [Path.unlink, lambda file: file.write_bytes(b"other")], ids=["deleted", "tampered"]
)
def test_cache_lost_outputs_are_written_again_as_they_were(
    settled: Studio, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    """Only the tables are checked again: their content is the same, and so are all results."""
    before = {path: settled.file(path).read_bytes() for path in OUTPUTS.values()}
    for path in before:
        damage(settled.file(path))
    settled.run("train_from_raw", GAME)
    assert written(caplog.text) == set(OUTPUTS)
    assert {path: settled.file(path).read_bytes() for path in before} == before


def test_cache_tampered_model_is_fitted_again(
    settled: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    version = champion(settled)
    settled.file(f"06_models/{GAME}/{version}/model.skops").write_bytes(b"other")
    settled.run("train_from_raw", GAME)
    assert {"champion", "registry"} <= written(caplog.text)
    assert champion(settled) > version


def test_cache_changed_line_in_a_pure_function_runs_again_what_calls_it(
    settled: Studio, tmp_path: Path
) -> None:
    """The code in another folder, which does not matter for the cache."""
    for folder in ("churnlib", "flows", "games"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    module = tmp_path / Path(history.__file__).relative_to(ROOT)
    source, line = module.read_text(), "latest - column.values.take(row)"
    assert source.count(line) == 1
    module.write_text(source.replace(line, "column.values.take(row) - latest"))
    run = python("-m", "flows.train", *settled.arguments(GAME, "--from-raw"), cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert written(run.stderr) == FEATURES | IN_USE


def test_cache_another_offer_moves_the_threshold_without_a_fit(
    settled: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    before, version = settled.json(f"08_reporting/{GAME}/in_sample_report.json"), champion(settled)
    settled.run("train", GAME, {"campaign.contact_cost": 9.0})
    assert written(caplog.text) == {"in_sample_report"}
    assert champion(settled) == version
    report = settled.json(f"08_reporting/{GAME}/in_sample_report.json")
    (was, now) = (r["campaign"]["threshold"] for r in (before, report))
    assert now > was
    manifest = settled.json(f"06_models/{GAME}/{version}/manifest.json")
    assert manifest["campaign"]["threshold"] == was
    for group in ("general", "new_characters"):
        then, scores = before[group], report[group]
        moved = {name for name in scores if scores[name] != then[name]}
        assert "roc_auc" not in moved, group
    assert report["general"]["threshold"] == now
    assert [change["setting"] for change in report["changes"]][-1] == "campaign.contact_cost"
