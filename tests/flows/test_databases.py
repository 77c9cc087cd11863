"""A game whose tables are in PostgreSQL, where its predictions are delivered, too."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from churnlib.io.databases.connection import connect
from churnlib.io.databases.snapshot import Source, read_database
from flows.replay import replay
from tests.base import raw_tables
from tests.conftest import HOME
from tests.flows.models import GAME
from tests.flows.studio import LAST_DAY, Say, Studio, bits, is_refusal
from tests.postgresql import CREDENTIALS, postgresql

pytestmark = pytest.mark.slow  # Five runs, and a server.

PREDICTIONS = "crm.predictions"


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty database, and the variables that give access to it."""
    with postgresql(tmp_path / "postgresql.log") as address:
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        yield address


def move_tables(uri: str, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the raw tables of a game into the database, and says so in the settings."""
    monkeypatch.setenv("CHURN_DELIVERY__TO", uri)
    monkeypatch.setenv("CHURN_DELIVERY__TABLE", PREDICTIONS)
    with connect(uri, writes=True) as database:
        database.execute("CREATE SCHEMA raw")
        database.execute("CREATE SCHEMA crm")
        for table, spec in raw_tables().items():
            file = studio.data / "01_raw" / GAME / f"{table}.csv"
            dates = dict.fromkeys(spec.of_kind("date", "milestone"), pl.Date)
            rows = pl.read_csv(file, schema_overrides=dates).to_arrow(
                compat_level=pl.CompatLevel.oldest()
            )
            types = {"date32[day]": "DATE", "int64": "BIGINT", "double": "NUMERIC(12, 2)"}
            columns = ", ".join(f"{f.name} {types.get(str(f.type), 'TEXT')}" for f in rows.schema)
            database.execute(f"CREATE TABLE raw.{table} ({columns})")
            database.insert(f"raw.{table}", rows.to_batches(), rows.schema)
            file.unlink()
            monkeypatch.setenv(f"CHURN_TABLES__{table.upper()}__PATH", uri)
            monkeypatch.setenv(f"CHURN_TABLES__{table.upper()}__TABLE", f"raw.{table}")


def rows_of(uri: str, folder: Path, table: str) -> pl.DataFrame:
    """The rows of a table of the database."""
    file = folder / "read.parquet"
    read_database(uri, {"x": Source(table=table)}, {"x": file})
    return pl.read_parquet(file)


def test_game_in_a_database_is_that_in_files(
    empty_studio: Studio, uri: str, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = empty_studio
    assert say(studio, "standard-features", GAME).startswith("exit 0\n")  # All tables.
    names = [f"02_intermediate/{GAME}/{table}.parquet" for table in raw_tables()]
    before = [bits(studio.table(name)) for name in names]
    move_tables(uri, studio, monkeypatch)
    trained = say(studio, "train", GAME, "--from-raw", "--as-of", LAST_DAY)
    assert trained.startswith("exit 0\n"), trained
    assert trained.count(f"rows read from {uri} -> ") == len(raw_tables())
    assert [bits(studio.table(name)) for name in names] == before

    predicted = say(studio, "batch-predict", GAME, "--as-of", LAST_DAY)
    assert predicted.startswith("exit 0\n"), predicted
    assert f"rows delivered to {uri}, table {PREDICTIONS}" in predicted
    assert "sub_miss: " not in predicted
    delivered = rows_of(uri, tmp_path, PREDICTIONS)
    expected = studio.table(f"07_model_output/{GAME}/predictions_2024-12.parquet")
    assert bits(delivered.select("sub_id", "churn_probability", "model_version")) == bits(
        expected.select("sub_id", "churn_probability", "model_version")
    )

    with connect(uri, writes=True) as database:
        database.execute("UPDATE raw.character_data SET total_kills = total_kills + 1")
    again = say(studio, "standard-features", GAME, "--as-of", LAST_DAY)
    assert again.startswith("exit 0\n"), again
    assert again.count(", unchanged since ") == len(raw_tables()) - 2
    (version,) = expected["model_version"].unique()
    replayed = replay(GAME, version, str(studio.data))
    assert (replayed.is_equal, replayed.inputs) == (True, ())

    monkeypatch.setenv("PGPASSWORD", "wrong")
    outputs = studio.outputs()
    refused = say(studio, "batch-predict", GAME, "--as-of", LAST_DAY)
    assert is_refusal(refused, "password authentication failed for user ***")
    assert studio.outputs() == outputs
    secret = CREDENTIALS["PGPASSWORD"].encode()
    files = [file for folder in (studio.data, HOME) for file in folder.rglob("*")]
    assert [f for f in files if f.is_file() and secret in f.read_bytes()] == []
    assert CREDENTIALS["PGPASSWORD"] not in trained + predicted + again + refused
