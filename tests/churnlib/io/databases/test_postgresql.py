"""Snapshots of a PostgreSQL database, and deliveries to one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io.databases.connection import connect
from churnlib.io.databases.delivery import deliver, holds
from churnlib.io.databases.snapshot import Source, read_database
from tests.churnlib.io.databases.deliveries import JULY, JUNE, KEY, V1, V2, batch
from tests.churnlib.io.databases.test_delivery import KILLED, expected
from tests.flows.studio import ROOT
from tests.postgresql import CREDENTIALS, postgresql

pytestmark = pytest.mark.slow  # It starts a server.

TABLE = "churn.predictions"
PEAK = """
import resource, sys
from pathlib import Path
from churnlib.io.databases.snapshot import Source, read_database
query = "select i, md5(i::text) as a, md5(i::text) as b, now() as c from generate_series(1, {}) i"
read_database(sys.argv[1], {"x": Source(query.format(sys.argv[3]))}, {"x": Path(sys.argv[2])})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for the tests of this module."""
    with postgresql(tmp_path_factory.mktemp("postgresql") / "log") as uri:
        yield uri


@pytest.fixture
def uri(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database without tables, and the variables that give access to it."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    execute(server, "drop schema if exists churn cascade", "create schema churn")
    execute(server, "drop schema public cascade", "create schema public")
    return server


def execute(uri: str, *statements: str) -> None:
    """Executes statements in a transaction."""
    with connect(uri, writes=True) as connection:
        for statement in statements:
            connection.execute(statement)


def snapshot(uri: str, folder: Path, **source: str) -> pl.DataFrame:
    """Reads a table of the database, by way of its file."""
    file = folder / "out.parquet"
    rows = read_database(uri, {"logins": Source(**source)}, {"logins": file})
    assert rows == {"logins": pl.scan_parquet(file).select(pl.len()).collect().item()}
    return pl.read_parquet(file)


def read(uri: str, folder: Path) -> pl.DataFrame:
    """The delivered rows, in an order of their own."""
    return snapshot(uri, folder, table=TABLE).sort(KEY)


def test_types_become_those_of_raw_tables(uri: str, tmp_path: Path) -> None:
    execute(
        uri,
        "create type platform as enum ('pc', 'mobile')",
        "create table t (char_id uuid, n numeric(10), amount numeric(12, 2), free numeric, "
        "small smallint, big bigint, x real, flag boolean, kind platform, name varchar(9), "
        "day date, moment timestamp, zoned timestamptz, data jsonb)",
        "insert into t values ('00000000-0000-0000-0000-00000000002a', 12, 0.1, 1e3, 7, "
        f"{2**62}, 0.5, true, 'pc', 'it''s', '2024-02-29', '2024-02-29 23:59:59.000001', "
        "'2024-03-01 01:00:00+02', '[1]')",
        "insert into t (n, amount) values (null, 'NaN')",
    )
    found = snapshot(uri, tmp_path, table="public.t")
    assert found.row(0) == (
        "00000000-0000-0000-0000-00000000002a",
        12,
        0.1,
        1000.0,
        7,
        2**62,
        0.5,
        True,
        "pc",
        "it's",
        date(2024, 2, 29),
        datetime(2024, 2, 29, 23, 59, 59, 1),
        datetime(2024, 2, 29, 23, tzinfo=UTC),
        "[1]",
    )
    assert found["amount"].is_nan().to_list() == [False, True]
    others = found.drop("amount").row(1)
    assert others == (None,) * len(others)
    assert found.schema["n"] == pl.Int64
    assert found.schema["free"] == pl.Float64


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select * from nowhere", 'relation "nowhere" does not exist'),
        ("select 1 / (2 - i) from generate_series(1, 2) i", "division by zero"),
        ("select 100 / (90000 - i) from generate_series(1, 90000) i", "division by zero"),
        ("select 1 as a; select 2 as b", "cannot insert multiple commands"),
        ("select '1'::money as price", "column price is of type money"),
        ("select '{1}'::int[] as list", "column list is of type _int4"),
        ("select 1 as a, 2 as a", "two columns are called a"),
        (f"select {2**53 + 1}::numeric as char_id", "float would round"),
        ("select 'infinity'::timestamp as end_date", "such as infinity"),
        ("delete from t returning a", "read-only transaction"),
    ],
)
def test_query_that_fails_is_one_error_with_table_and_host(
    uri: str, query: str, message: str, tmp_path: Path
) -> None:
    execute(uri, "create table t (a integer)")
    with pytest.raises(DataError, match=message) as info:
        snapshot(uri, tmp_path, query=query)
    text = str(info.value)
    assert text.startswith(f"logins: {uri}: ")
    assert text.count("\n") == 0
    assert "COPY" not in text


def test_server_that_refuses_is_one_error_without_credentials(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "wrong-planted-password")
    with pytest.raises(DataError, match="password authentication failed") as info:
        snapshot(uri, tmp_path, table="t")
    monkeypatch.delenv("PGPASSWORD")
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    with pytest.raises(DataError, match="no password supplied") as missing:
        snapshot(uri, tmp_path, table="t")
    monkeypatch.setenv("PGPASSWORD", CREDENTIALS["PGPASSWORD"])
    with pytest.raises(DataError, match='database "none" does not exist') as unknown:
        snapshot(uri.replace("/postgres", "/none"), tmp_path, table="t")
    with pytest.raises(DataError, match="Connection refused") as away:
        snapshot("postgresql://127.0.0.1:1/postgres", tmp_path, table="t")
    for error in (info, missing, unknown, away):
        assert str(error.value).startswith("logins: postgresql://127.0.0.1:")
        assert str(error.value).count("\n") == 0
        assert "planted" not in str(error.value)
        assert CREDENTIALS["PGUSER"] not in str(error.value)


def test_credentials_may_come_from_a_password_file(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"*:*:*:*:{CREDENTIALS['PGPASSWORD']}\n")
    passwords.chmod(0o600)
    monkeypatch.delenv("PGPASSWORD")
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    assert snapshot(uri, tmp_path, query="select 1 as a")["a"].to_list() == [1]


def test_tables_are_read_as_of_one_moment(uri: str, tmp_path: Path) -> None:
    execute(uri, "create table chars (char_id integer)", "create table subs (char_id integer)")
    sources = {"subs": Source("select * from subs"), "chars": Source(table="chars")}
    files = {name: tmp_path / f"{name}.parquet" for name in sources}
    with connect(uri) as reading:
        before = reading.read("select count(*) as n from subs")[1]
        assert [row for each in before for row in each.to_pylist()] == [{"n": 0}]
        execute(uri, "insert into chars values (1)", "insert into subs values (1)")
        after = reading.read("select count(*) as n from chars")[1]
        assert [row for each in after for row in each.to_pylist()] == [{"n": 0}]
    assert read_database(uri, sources, files) == {"subs": 1, "chars": 1}


def test_memory_does_not_grow_with_the_rows(uri: str, tmp_path: Path) -> None:
    peaks = [
        int(
            subprocess.run(
                [sys.executable, "-c", PEAK, uri, str(tmp_path / "x.parquet"), str(rows)],
                cwd=ROOT,
                env=os.environ,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for rows in (200_000, 1_600_000)
    ]
    # The longer one has 160 MiB of rows.
    assert peaks[1] - peaks[0] < 40, peaks


def test_delivery_replaces_its_batch_alone(uri: str, tmp_path: Path) -> None:
    june, july, other = batch("hawk", JUNE, 3), batch("hawk", JULY, 2), batch("dove", JUNE, 2)
    assert not holds(june, uri, TABLE)
    for each in (june, july, other, june):
        deliver(each, uri, TABLE)
        assert holds(each, uri, TABLE)
    assert read(uri, tmp_path).equals(expected(uri, june, july, other))
    with pytest.raises(DataError, match=f"as predicted by model {V1}.*--replace"):
        deliver(batch("hawk", JUNE, 2, V2), uri, TABLE)
    deliver(batch("hawk", JUNE, 2, V2), uri, TABLE, replaces=True)
    assert read(uri, tmp_path).equals(expected(uri, batch("hawk", JUNE, 2, V2), july, other))


def test_killed_delivery_leaves_the_earlier_rows(uri: str, tmp_path: Path) -> None:
    deliver(batch("hawk", JUNE, 3), uri, TABLE)
    script = KILLED.format(module="postgresql", kind="PostgresConnection", uri=uri, folder=None)
    script = script.replace('"predictions"', f'"{TABLE}"')
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (9, "")
    assert read(uri, tmp_path).equals(expected(uri, batch("hawk", JUNE, 3)))
    deliver(batch("hawk", JUNE, 2), uri, TABLE)
    assert read(uri, tmp_path).equals(expected(uri, batch("hawk", JUNE, 2)))


def test_deliveries_at_the_same_time_do_not_double_rows(uri: str, tmp_path: Path) -> None:
    execute(uri, "alter role prefect set default_transaction_isolation = 'repeatable read'")
    one, other = batch("hawk", JUNE, 50), batch("dove", JUNE, 50)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(deliver, each, uri, TABLE) for each in (one, other) * 6]:
            done.result()
    assert read(uri, tmp_path).equals(expected(uri, one, other))


def test_table_of_ones_own_converts_types_and_keeps_its_constraints(
    uri: str, tmp_path: Path
) -> None:
    execute(
        uri,
        f"create table {TABLE} (id serial primary key, game varchar(20), batch_month date, "
        "as_of date, delivery_id varchar(12), "
        "char_id text, sub_id integer, sub_start_date date, churn_probability real, "
        "risk_rank smallint check (risk_rank < 3), model_version text, contact boolean)",
    )
    deliver(batch("hawk", JUNE, 2), uri, TABLE)
    found = read(uri, tmp_path)
    assert found["sub_id"].to_list() == [0, 1]
    assert found["risk_rank"].to_list() == [1, None]
    with pytest.raises(DataError, match="violates check constraint"):
        deliver(batch("hawk", JUNE, 5), uri, TABLE)
    assert read(uri, tmp_path).equals(found)


def test_schema_that_does_not_exist_is_named(uri: str) -> None:
    with pytest.raises(DataError, match='schema "nowhere" does not exist'):
        deliver(batch("hawk", JUNE, 2), uri, "nowhere.predictions")
