"""The raw tables in databases that a run reads before it begins."""

import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io.catalog import Catalog
from churnlib.io.databases.snapshot import Source, check_snapshot
from churnlib.io.snapshots import FOLDER, snapshots
from churnlib.io.storage import fingerprint
from churnlib.settings import Settings, load_settings
from churnlib.settings.tables import TableKind
from flows.batch_predict import batch_predict
from flows.engine.node import pipeline_of
from flows.steps.database_tables import read_databases, read_once
from flows.steps.rebuild import RebuildCatalog
from flows.train import train_from_raw

GAME, URI = "game1", "sqlite:///game.db"
SUBS, MISSES = "sub_data", "sub_miss"


def settings_of(data: Path, **more: str) -> Settings:
    """The settings of a game with two tables in a database."""
    tables = {f"tables.{name}.path": URI for name in (SUBS, MISSES)}
    names = {f"tables.{SUBS}.query": "select * from subs", f"tables.{MISSES}.table": "misses"}
    return load_settings(GAME, {"data_dir": str(data), **tables, **names, **more})


def read(settings: Settings, *kinds: TableKind) -> None:
    """Reads the tables of some kinds, as the start of a run does."""
    read_databases(settings, Catalog(settings.data_dir, GAME), kinds)


def execute(data: Path, *statements: str) -> None:
    """Executes statements in the database as another program would."""
    folder = data / "01_raw" / GAME
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / "game.db")) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def rows(data: Path, table: str) -> int:
    """The number of rows of a raw table."""
    return pl.read_parquet(Catalog(str(data), GAME).raw(table, URI).uri).height


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a database."""
    execute(
        tmp_path,
        "create table subs (sub_id integer)",
        "create table misses (sub_id integer)",
        "insert into subs values (1), (2)",
        "insert into misses values (1)",
    )
    return tmp_path


def test_tables_are_read_by_kind_with_those_that_they_refer_to(data: Path) -> None:
    settings, catalog = settings_of(data), Catalog(str(data), GAME)
    read(settings, "entity", "subscriptions")
    assert rows(data, SUBS) == 2
    assert not snapshots(catalog.raw_folder, MISSES)
    execute(data, "insert into subs values (3)")
    read(settings, "misses")
    assert (rows(data, SUBS), rows(data, MISSES)) == (3, 1)
    assert len(snapshots(catalog.raw_folder, SUBS)) == 2


def test_all_flows_of_a_block_see_what_was_read_first(data: Path) -> None:
    settings = settings_of(data)
    with read_once():
        read(settings, "subscriptions")
        execute(data, "insert into subs values (3)")
        with read_once():
            read(settings, "subscriptions", "misses")
        assert (rows(data, SUBS), rows(data, MISSES)) == (2, 1)
    read(settings, "subscriptions")
    assert rows(data, SUBS) == 3


def test_unchanged_table_says_so_and_keeps_its_file(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "flows")
    settings, catalog = settings_of(data), Catalog(str(data), GAME)
    read(settings, "misses")
    before = catalog.raw(SUBS, URI)
    assert f"{GAME}: {SUBS}: 2 rows read from {URI} -> {before.uri}" in caplog.text
    caplog.clear()
    read(settings, "misses")
    assert catalog.raw(SUBS, URI) == before
    assert f"{GAME}: {SUBS}: 2 rows read from {URI}, unchanged since 20" in caplog.text


def test_database_that_fails_replaces_nothing(data: Path) -> None:
    catalog = Catalog(str(data), GAME)
    read(settings_of(data), "misses")
    kept = {table: snapshots(catalog.raw_folder, table) for table in (SUBS, MISSES)}
    execute(data, "insert into subs values (3)")
    wrong = settings_of(data, **{f"tables.{MISSES}.table": "mises"})
    message = rf"{GAME}: {MISSES}: {URI}: no such table: mises\. Nothing was replaced\. Check the"
    with pytest.raises(DataError, match=message):
        read(wrong, "misses")
    assert {table: snapshots(catalog.raw_folder, table) for table in (SUBS, MISSES)} == kept
    leftovers = (data / "01_raw" / GAME / FOLDER).rglob("*.tmp")
    assert not list(leftovers)


def test_rebuild_takes_the_snapshot_that_a_version_was_made_of(data: Path) -> None:
    settings, catalog = settings_of(data), Catalog(str(data), GAME)
    read(settings, "misses")
    then = catalog.raw(SUBS, URI)
    execute(data, "insert into subs values (3)")
    read(settings, "misses")
    assert catalog.raw(SUBS, URI) != then
    rebuild = RebuildCatalog("elsewhere", GAME, str(data), {SUBS: fingerprint(then.uri)})
    assert rebuild.raw(SUBS, URI).uri == then.uri
    assert rebuild.raw(MISSES, URI) == catalog.raw(MISSES, URI)


def test_flows_read_what_they_and_their_parts_declare() -> None:
    settings = load_settings(GAME)
    assert set(pipeline_of(batch_predict).kinds(settings)) == {
        "entity",
        "subscriptions",
        "history",
        "events",
    }
    assert "misses" in pipeline_of(train_from_raw).kinds(settings)


def test_batch_of_running_subscriptions_reads_the_misses() -> None:
    settings = load_settings(GAME, {"cohort.grain": "monthly"})
    assert "misses" in pipeline_of(batch_predict).kinds(settings)


def test_snapshot_of_another_query_is_not_read_as_the_table(data: Path) -> None:
    settings = settings_of(data)
    read(settings, "subscriptions")
    snapshot = Catalog(str(data), GAME).raw(SUBS, URI)
    wanted = settings.tables[SUBS]
    check_snapshot(snapshot, URI, Source(wanted.query))
    with pytest.raises(DataError, match=r"by another query than tables\.sub_data says now"):
        check_snapshot(snapshot, URI, Source("select * from subs where sub_id > 1"))
