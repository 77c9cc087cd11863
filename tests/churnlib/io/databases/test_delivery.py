"""Deliveries to databases that are files."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io.batches import Batch
from churnlib.io.databases.delivery import deliver, holds
from churnlib.io.databases.snapshot import Source, read_database
from tests.churnlib.io.databases.deliveries import JULY, JUNE, KEY, V1, V2, batch
from tests.flows.studio import ROOT

URIS = ["sqlite:///exports/out.db", "duckdb:///exports/out.db"]
TABLE = "predictions"
KILLED = """
import os, sys
from churnlib.io.databases import {module}
from churnlib.io.databases.delivery import deliver
from tests.churnlib.io.databases.deliveries import JUNE, batch

def insert(connection, table, batches, schema):
    assert any(True for each in connection.read(f"SELECT count(*) AS n FROM {{table}}")[1])
    os._exit(9)

{module}.{kind}.insert = insert
deliver(batch("hawk", JUNE, 1), {uri!r}, "predictions", {folder!r})
"""


def read(uri: str, folder: Path) -> pl.DataFrame:
    """The rows of the table, in an order of their own."""
    file = folder / "read.parquet"
    read_database(uri, {"x": Source(table=TABLE)}, {"x": file}, str(folder))
    return pl.read_parquet(file).sort(KEY)


def expected(uri: str, *batches: Batch) -> pl.DataFrame:
    """The rows of some batches, as a database gives them."""
    rows = pl.concat(each.rows.collect() for each in batches)
    rows = rows.with_columns(pl.col("risk_rank").cast(pl.Int64))
    if uri.startswith("sqlite"):
        rows = rows.with_columns(
            pl.col("batch_month", "as_of", "sub_start_date").cast(pl.String),
            pl.col("contact").cast(pl.Int64),
        )
    return rows.sort(KEY)


def execute(uri: str, folder: Path, *statements: str) -> None:
    """Executes statements in the database as another program would."""
    (folder / "exports").mkdir(exist_ok=True)
    file = str(folder / "exports" / "out.db")
    connection: Any = sqlite3.connect(file) if uri.startswith("sqlite") else duckdb.connect(file)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.fixture(params=URIS)
def uri(request: pytest.FixtureRequest) -> str:
    """A database that does not exist yet."""
    return str(request.param)


def test_delivery_replaces_its_batch_alone(uri: str, tmp_path: Path) -> None:
    june, july, other = batch("hawk", JUNE, 3), batch("hawk", JULY, 2), batch("dove", JUNE, 2)
    for each in (june, july, other):
        deliver(each, uri, TABLE, str(tmp_path))
    assert read(uri, tmp_path).equals(expected(uri, june, july, other))
    deliver(june, uri, TABLE, str(tmp_path))
    assert read(uri, tmp_path).equals(expected(uri, june, july, other))
    fewer = batch("hawk", JUNE, 2, first=100)
    deliver(fewer, uri, TABLE, str(tmp_path))
    assert read(uri, tmp_path).equals(expected(uri, fewer, july, other))


def test_batch_is_held_once_it_is_delivered_with_these_rows(uri: str, tmp_path: Path) -> None:
    execute(uri, tmp_path, "create table other (a integer)")
    assert not holds(batch("hawk", JUNE, 3), uri, TABLE, str(tmp_path))
    deliver(batch("hawk", JUNE, 3), uri, TABLE, str(tmp_path))
    assert holds(batch("hawk", JUNE, 3), uri, TABLE, str(tmp_path))
    for other in (batch("hawk", JUNE, 2), batch("hawk", JULY, 3), batch("hawk", JUNE, 3, first=1)):
        assert not holds(other, uri, TABLE, str(tmp_path))


def test_predictions_of_another_model_are_replaced_only_if_asked(uri: str, tmp_path: Path) -> None:
    first, second = batch("hawk", JUNE, 3), batch("hawk", JUNE, 2, V2)
    deliver(first, uri, TABLE, str(tmp_path))
    with pytest.raises(DataError, match=f"2024-06 of hawk as predicted by model {V1}.*--replace"):
        deliver(second, uri, TABLE, str(tmp_path))
    assert read(uri, tmp_path).equals(expected(uri, first))
    deliver(second, uri, TABLE, str(tmp_path), replaces=True)
    assert read(uri, tmp_path).equals(expected(uri, second))


def test_killed_delivery_leaves_the_earlier_rows(uri: str, tmp_path: Path) -> None:
    deliver(batch("hawk", JUNE, 3), uri, TABLE, str(tmp_path))
    module = uri.partition(":")[0]
    script = KILLED.format(
        module=module, kind=f"{module.title()}Connection", uri=uri, folder=str(tmp_path)
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (9, "")
    assert read(uri, tmp_path).equals(expected(uri, batch("hawk", JUNE, 3)))
    deliver(batch("hawk", JUNE, 2), uri, TABLE, str(tmp_path))
    assert read(uri, tmp_path).equals(expected(uri, batch("hawk", JUNE, 2)))


def test_deliveries_at_the_same_time_do_not_double_rows(uri: str, tmp_path: Path) -> None:
    one = batch("hawk", JUNE, 50)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(deliver, one, uri, TABLE, str(tmp_path)) for _ in range(8)]:
            done.result()
    assert read(uri, tmp_path).equals(expected(uri, one))


def test_table_of_ones_own_may_have_more_columns(uri: str, tmp_path: Path) -> None:
    execute(
        uri,
        tmp_path,
        f"create table {TABLE} (note text default 'new', sub_id integer, game text, "
        "batch_month date, as_of date, delivery_id text, char_id text, sub_start_date date, "
        "churn_probability double, risk_rank integer, model_version text, contact boolean)",
    )
    deliver(batch("hawk", JUNE, 2), uri, TABLE, str(tmp_path))
    found = read(uri, tmp_path)
    assert found["note"].to_list() == ["new", "new"]
    wanted = expected(uri, batch("hawk", JUNE, 2))
    assert (
        found.select(wanted.columns)
        .with_columns(pl.col("sub_id", "risk_rank").cast(pl.Int64))
        .equals(wanted)
    )


def test_table_without_a_column_is_refused_and_kept(uri: str, tmp_path: Path) -> None:
    execute(
        uri,
        tmp_path,
        f"create table {TABLE} (game text, batch_month date, as_of date, delivery_id text, "
        "model_version text, sub_id integer)",
        f"insert into {TABLE} values ('hawk', '2024-06-01', '2024-08-01', 'x', '{V1}', 7)",
    )
    before = read(uri, tmp_path)
    message = (
        r"lacks the columns char_id \(text\), sub_start_date \(day\), "
        r"churn_probability \(number\), risk_rank \(number\), contact \(flag\). "
        "Add them, or name another table in delivery.table"
    )
    with pytest.raises(DataError, match=message):
        deliver(batch("hawk", JUNE, 2), uri, TABLE, str(tmp_path))
    assert read(uri, tmp_path).equals(before)


def test_column_of_another_kind_is_refused(tmp_path: Path) -> None:
    uri = URIS[1]
    deliver(batch("hawk", JUNE, 2), uri, TABLE, str(tmp_path))
    execute(uri, tmp_path, f"alter table {TABLE} alter char_id type integer using 1")
    with pytest.raises(DataError, match="has char_id as number, and text is delivered"):
        deliver(batch("hawk", JUNE, 2), uri, TABLE, str(tmp_path))


def test_database_in_an_object_store_is_not_written_to() -> None:
    with pytest.raises(DataError, match="a database in an object store cannot be written to: s3:"):
        deliver(batch("hawk", JUNE, 2), URIS[0], TABLE, "s3://bucket/data")
