"""Prefect's home, database and server, as commands find them."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from churnlib.errors import ServerError
from flows.engine import prefect_home
from flows.engine.prefect_home import check_answers, check_database, check_home
from tests.flows.engine.answers import answering


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the database of an empty home."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    for name in prefect_home.CONNECTION_URLS:
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "prefect.db"


def with_revision(database: Path, revision: str) -> None:
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute("CREATE TABLE alembic_version (version_num TEXT)")
        opened.execute("INSERT INTO alembic_version VALUES (?)", (revision,))


def cut_short(database: Path) -> None:
    with_revision(database, "?")
    database.write_bytes(database.read_bytes()[:5000])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "other bytes": lambda database: database.write_bytes(b"no database" * 1000),
    "cut short": cut_short,
    "a folder": lambda database: database.mkdir(),
}


def test_home_that_is_missing_is_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "a" / "home"
    monkeypatch.setenv("PREFECT_HOME", str(home))
    check_home()
    assert list(home.iterdir()) == []


def test_home_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(ServerError, match="home cannot be written to: Not a directory"):
        check_home()


def test_database_that_is_missing_empty_or_of_this_version_is_accepted(
    database: Path, prefect_server: Path
) -> None:
    check_database()
    database.touch()
    check_database()
    database.write_bytes(prefect_server.read_bytes())
    check_database()


def test_database_of_a_newer_version_is_refused(database: Path) -> None:
    with_revision(database, "0123456789ab")
    with pytest.raises(ServerError, match=r"another version of Prefect .* revision 0123456789ab"):
        check_database()


def test_database_that_is_locked_is_refused(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefect_home, "BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ServerError, match=r"prefect\.db is locked by another process"):
            check_database()
    check_database()


@pytest.mark.parametrize("damage", DAMAGES)
def test_database_that_is_damaged_is_refused(damage: str, database: Path) -> None:
    DAMAGES[damage](database)
    with pytest.raises(ServerError, match=r"prefect\.db cannot be read: .* Move the file away"):
        check_database()


def test_database_elsewhere_is_not_checked(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database.write_bytes(b"not used")
    monkeypatch.setenv(prefect_home.CONNECTION_URLS[0], "postgresql+asyncpg://server/prefect")
    check_database()


@pytest.mark.parametrize(
    ("body", "status"), [(b"true", 200), (b"", 401), (b"", 503), (b'"ok"', 200)]
)
def test_server_that_answers_is_accepted(body: bytes, status: int) -> None:
    with answering(body, status) as url:
        check_answers(url)


def test_server_that_is_slow_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prefect_home, "ANSWER_SECONDS", 0.2)
    with answering(b"true", seconds=0.5) as url:
        check_answers(url)
        assert f"the Prefect server at {url} has not answered for" in capsys.readouterr().err
        monkeypatch.setattr(prefect_home, "BUSY_ANSWER_SECONDS", 0.2)
        with pytest.raises(ServerError, match=r"no Prefect server answers .*: timed out"):
            check_answers(url)


@pytest.mark.parametrize(("body", "status"), [(b"", 404), (b"<!doctype html>", 200)])
def test_other_server_is_refused(body: bytes, status: int) -> None:
    with answering(body, status) as url, pytest.raises(ServerError, match="URL ends in /api"):
        check_answers(url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:1/api", "no Prefect server answers .*: Connection refused"),
        ("127.0.0.1/api", "is no URL"),
    ],
)
def test_server_that_does_not_answer_is_refused(url: str, message: str) -> None:
    with pytest.raises(ServerError, match=message):
        check_answers(url)
