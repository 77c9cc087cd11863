"""Snapshots of databases that are files."""

import sqlite3
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io.databases.snapshot import Source, read_database
from churnlib.io.datasets import ROWS_PER_GROUP

URIS = ["sqlite:///game.db", "duckdb:///game.db"]


def write(uri: str, folder: Path, *statements: str) -> None:
    """Executes statements in a database as another program would."""
    if uri.startswith("sqlite"):
        connection: Any = sqlite3.connect(folder / "game.db")
    else:
        connection = duckdb.connect(str(folder / "game.db"))
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def snapshot(uri: str, folder: Path, **source: str) -> pl.DataFrame:
    """Reads a table of a database, by way of its file."""
    file = folder / "out.parquet"
    rows = read_database(uri, {"logins": Source(**source)}, {"logins": file}, str(folder))
    found = pl.read_parquet(file)
    assert rows == {"logins": len(found)}
    return found


def test_sqlite_columns_are_of_the_widest_type_of_their_values(tmp_path: Path) -> None:
    write(
        URIS[0],
        tmp_path,
        "create table t (char_id integer, day date, gems, amount real, name text, never integer)",
        "insert into t values (1, '2024-01-31', 5, 2, 'elf', null)",
        "insert into t values (9007199254740993, null, 2.5, null, 7, null)",
        "insert into t values (3, '2024-02-01', null, 0.1, null, null)",
    )
    assert snapshot(URIS[0], tmp_path, table="t").equals(
        pl.DataFrame(
            {
                "char_id": [1, 9007199254740993, 3],
                "day": ["2024-01-31", None, "2024-02-01"],
                "gems": [5.0, 2.5, None],
                "amount": [2.0, None, 0.1],
                "name": ["elf", "7", None],
                "never": pl.Series([None] * 3, dtype=pl.String),
            }
        )
    )


def test_duckdb_types_become_those_of_raw_tables(tmp_path: Path) -> None:
    write(
        URIS[1],
        tmp_path,
        "create table t (char_id uuid, n decimal(18, 0), amount decimal(12, 2), big hugeint, "
        "flag boolean, kind enum ('pc', 'mobile'), day date, moment timestamp, zoned timestamptz, "
        "fine timestamp_ns)",
        "insert into t values ('00000000-0000-0000-0000-00000000002a', 12, 0.1, 7, true, 'pc', "
        "'2024-02-29', '2024-02-29 23:59:59.5', '2024-03-01 01:00:00+02', "
        "'2024-02-29 00:00:00.123456789')",
        "insert into t (n) values (null)",
    )
    found = snapshot(URIS[1], tmp_path, table="t")
    assert found.row(0) == (
        "00000000-0000-0000-0000-00000000002a",
        12,
        0.1,
        7.0,
        True,
        "pc",
        date(2024, 2, 29),
        datetime(2024, 2, 29, 23, 59, 59, 500_000),
        datetime(2024, 2, 29, 23, tzinfo=UTC),
        datetime(2024, 2, 29, 0, 0, 0, 123456),
    )
    assert found.row(1) == (None,) * 10
    assert found.schema["n"] == pl.Int64


@pytest.mark.parametrize("uri", URIS)
def test_rows_come_in_the_order_and_number_of_the_query(uri: str, tmp_path: Path) -> None:
    count = ROWS_PER_GROUP + 17
    write(uri, tmp_path, "create table t (i integer, k integer)")
    numbers = f"(select 0 as i union all select i + 1 from r where i < {count - 1})"
    if uri.startswith("duckdb"):
        numbers = f"(select unnest(range({count})) as i)"
    write(
        uri, tmp_path, f"insert into t with recursive r(i) as {numbers} select i, i * 7 % 11 from r"
    )
    found = snapshot(uri, tmp_path, query="select i, k from t order by i desc -- newest first")
    assert found["i"].to_list() == list(range(count - 1, -1, -1))
    assert found["k"].to_list() == [i * 7 % 11 for i in range(count - 1, -1, -1)]


@pytest.mark.parametrize("uri", URIS)
def test_same_rows_give_the_same_bytes(uri: str, tmp_path: Path) -> None:
    write(uri, tmp_path, "create table t as select 1 as char_id, 'pc' as platform")
    snapshot(uri, tmp_path, table="t")
    before = (tmp_path / "out.parquet").read_bytes()
    snapshot(uri, tmp_path, table="t")
    assert (tmp_path / "out.parquet").read_bytes() == before
    metadata = pl.read_parquet_metadata(tmp_path / "out.parquet")
    assert metadata["database"] == f'"{uri}"'
    write(uri, tmp_path, "insert into t values (2, 'pc')")
    snapshot(uri, tmp_path, table="t")
    assert (tmp_path / "out.parquet").read_bytes() != before


@pytest.mark.parametrize("uri", URIS)
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select * from nowhere", "nowhere"),
        ("selec 1", "syntax error"),
        ("select cast('ab' as blob) as picture", "column picture"),
    ],
)
def test_query_that_fails_is_one_error_with_table_and_database(
    uri: str, query: str, message: str, tmp_path: Path
) -> None:
    write(uri, tmp_path, "create table t (a integer)")
    with pytest.raises(DataError, match=message) as info:
        snapshot(uri, tmp_path, query=query)
    assert str(info.value).startswith(f"logins: {uri}: ")
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("uri", URIS)
def test_query_cannot_write(uri: str, tmp_path: Path) -> None:
    write(uri, tmp_path, "create table t (a integer)", "insert into t values (1)")
    with pytest.raises(DataError):
        snapshot(uri, tmp_path, query="delete from t returning a")
    assert snapshot(uri, tmp_path, table="t")["a"].to_list() == [1]


@pytest.mark.parametrize("uri", URIS)
def test_missing_or_foreign_file_is_named(uri: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"there is no file {tmp_path}/game.db"):
        snapshot(uri, tmp_path, table="t")
    (tmp_path / "game.db").write_text("char_id,day\n" * 1000)
    with pytest.raises(DataError, match=r"not a (valid DuckDB )?database"):
        snapshot(uri, tmp_path, table="t")


def test_whole_numbers_that_a_float_would_round_are_refused(tmp_path: Path) -> None:
    write(URIS[1], tmp_path, f"create table t as select {2**53 + 1}::decimal(20, 0) as char_id")
    with pytest.raises(DataError, match=f"char_id .* holds {2**53 + 1}, which a float would round"):
        snapshot(URIS[1], tmp_path, table="t")


def test_days_that_are_no_days_are_refused(tmp_path: Path) -> None:
    write(URIS[1], tmp_path, "create table t as select 'infinity'::date as end_date")
    with pytest.raises(DataError, match=r"end_date holds a day outside .* such as infinity"):
        snapshot(URIS[1], tmp_path, table="t")
