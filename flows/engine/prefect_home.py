"""Prefect's home and server: whether a command can use them, checked before anything starts.

Only the standard library and `churnlib.errors` are imported here, so that this takes no time.
"""

import os
import sqlite3
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile

from churnlib.errors import ServerError, reason
from churnlib.shown import has_credentials

BUSY_SECONDS = 4
"""How long to wait for another process that writes to the database."""
ANSWER_SECONDS, BUSY_ANSWER_SECONDS = 6, 30
"""How long to wait for the answer of a configured server, before and after this is announced."""
QUICK_TO_CHECK = 2**24
"""The largest database in bytes whose pages are all checked, which takes a tenth of a second."""
CONNECTION_URLS = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")
"""Variables that state another database than that of Prefect's home."""
ELSEWHERE = "or use another home: set PREFECT_HOME to a folder that you may write to"


def prefect_home() -> Path:
    """The folder in which Prefect keeps its database, results and profiles."""
    return Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()


def check_home() -> None:
    """Checks that files can be written to Prefect's home, which is created if it is missing.

    Raises:
        ServerError: They cannot.
    """
    home = prefect_home()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise ServerError(
            f"Prefect's home {home} cannot be written to: {reason(error)}. Make it writable, "
            f"{ELSEWHERE}."
        ) from None


def check_database() -> None:
    """Checks that a local server can open the database of Prefect's home, if there is one.

    Raises:
        ServerError: It is locked, damaged, or of a newer version of Prefect.
    """
    database = prefect_home() / "prefect.db"
    if any(os.environ.get(name) for name in CONNECTION_URLS) or not database.exists():
        return
    try:
        revision = _read_revision(database)
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise _damaged(database, error) from None
        raise ServerError(
            f"Prefect's database {database} is locked by another process. Wait until that has "
            f"finished, or stop it, {ELSEWHERE}."
        ) from None
    except sqlite3.DatabaseError as error:
        raise _damaged(database, error) from None
    if revision and revision not in _known_revisions():
        raise ServerError(
            f"Prefect's database {database} is of another version of Prefect than the one "
            f"installed here, which does not know its revision {revision}. Install the newer "
            f"version, {ELSEWHERE}."
        )


def _read_revision(database: Path) -> str | None:
    """Reads the revision of a database's tables, and checks that it is whole and can be written."""
    with closing(sqlite3.connect(database, timeout=BUSY_SECONDS, isolation_level=None)) as opened:
        tables = opened.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'")
        row = None
        if tables.fetchone():
            row = opened.execute("SELECT version_num FROM alembic_version").fetchone()
        opened.execute("BEGIN IMMEDIATE")
        opened.execute("ROLLBACK")
        if database.stat().st_size <= QUICK_TO_CHECK:
            (found,) = opened.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found.replace("\n", " "))
    return row[0] if row else None


def _known_revisions() -> set[str]:
    """The revisions of the database that the installed Prefect can read, by their file names."""
    spec = find_spec("prefect")
    assert spec is not None
    assert spec.origin is not None
    migrations = Path(spec.origin).with_name("server").joinpath("database", "_migrations")
    return {
        part
        for file in migrations.joinpath("versions", "sqlite").glob("*.py")
        for part in file.stem.split("_")
    }


def _damaged(database: Path, error: Exception) -> ServerError:
    return ServerError(
        f"Prefect's database {database} cannot be read: {reason(error)}. Move the file away, "
        f"so that an empty one is created, {ELSEWHERE}."
    )


def check_answers(url: str, password: str | None = None) -> None:
    """Checks that the configured Prefect server answers.

    Args:
        url: The URL of its API.
        password: The user and password for it, as `user:password`, or an empty text; None if they
            are not to be checked.

    Raises:
        ServerError: It does not, something else does, or it asks for another password.
    """
    advice = (
        "Start it, or set PREFECT_API_URL to the one that runs; without PREFECT_API_URL, each "
        "command starts a server of its own."
    )
    if has_credentials(url):
        raise ServerError(
            "PREFECT_API_URL must not contain a user or password, which would be shown in logs. "
            "Set PREFECT_API_AUTH_STRING=user:password."
        )
    try:
        is_prefect = not _read_health(url).lstrip().startswith(b"<")
    except urllib.error.HTTPError as error:
        is_prefect = error.code != 404  # It may ask for a user, or be too busy.
    except ValueError:
        raise ServerError(f"PREFECT_API_URL = {url!r} is no URL of a server. {advice}") from None
    except OSError as error:
        why = reason(getattr(error, "reason", error))
        if "CERTIFICATE" in why:  # Prefect's client has certificate settings of its own.
            return
        raise ServerError(f"no Prefect server answers at {url}: {why}. {advice}") from None
    if not is_prefect:
        raise ServerError(
            f"{url} answers, but not as the API of a Prefect server, whose URL ends in /api. "
            f"{advice}"
        )
    if password is not None:
        check_password(url, password)


def _read_health(url: str) -> bytes:
    """Reads what a server says of its health; waits longer for one on a loaded machine.

    Raises:
        OSError: It does not answer.
        ValueError: The URL is none.
    """
    health = f"{url.rstrip('/')}/health"
    try:
        with urllib.request.urlopen(health, timeout=ANSWER_SECONDS) as answer:
            content: bytes = answer.read(100)
    except OSError as error:
        if not isinstance(getattr(error, "reason", error), TimeoutError):
            raise
        print(
            f"the Prefect server at {url} has not answered for {ANSWER_SECONDS} seconds; waiting "
            f"for {BUSY_ANSWER_SECONDS} more",
            file=sys.stderr,
        )
        with urllib.request.urlopen(health, timeout=BUSY_ANSWER_SECONDS) as answer:
            content = answer.read(100)
    return content


def check_password(url: str, password: str) -> None:
    """Checks that a server does not refuse a password; see `check_answers`.

    Raises:
        ServerError: It does, or asks for one if the text is empty.
    """
    request = urllib.request.Request(f"{url.rstrip('/')}/version")
    if password:
        request.add_header("Authorization", f"Basic {b64encode(password.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS):
            pass
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.UNAUTHORIZED:
            raise ServerError(
                f"the Prefect server at {url} asks for a password, and PREFECT_API_AUTH_STRING is "
                "not set or is another. For the server of `churn server` on this machine, set "
                "PREFECT_PROFILE=churn in place of PREFECT_API_URL; for any other, set "
                "PREFECT_API_AUTH_STRING=user:password."
            ) from None
    except (OSError, ValueError, HTTPException):
        pass  # It answered a moment ago; Prefect's client tries again.
