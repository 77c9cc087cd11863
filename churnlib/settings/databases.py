"""The URIs of databases: what they name, and that they hold no credentials."""

from urllib.parse import parse_qsl, unquote, urlsplit

from churnlib.errors import closest
from churnlib.shown import has_credentials

DATABASES = {
    "postgresql": "postgresql://host:5432/game",
    "sqlite": "sqlite:///folder/game.db",
    "duckdb": "duckdb:///folder/game.duckdb",
}
"""The supported databases by the scheme of their URIs, with an example."""
SECRETS = ("user", "password", "passfile", "sslpassword")
"""The parameters of a URI that are credentials, or name the file that has them."""
ELSEWHERE = (
    "credentials come from the environment: set PGUSER and PGPASSWORD, or use ~/.pgpass or a "
    "connection service (?service=NAME)"
)


def is_database(place: str) -> bool:
    """Whether a place is a database, not a file, a folder or an object.

    >>> is_database("postgresql://host/game"), is_database("s3://bucket/data")
    (True, False)
    """
    return place.partition("://")[0] in DATABASES and "://" in place


def check_database(uri: str) -> str:
    """Checks the URI of a database; returns it.

    Raises:
        ValueError: It holds credentials, names no database, or cannot be understood.

    >>> check_database("postgresql://host")
    Traceback (most recent call last):
    ValueError: 'postgresql://host' names no database. An example: postgresql://host:5432/game
    """
    scheme, _, rest = uri.partition("://")
    if scheme not in DATABASES:
        raise ValueError(f"'{shown_database(uri)}' is no database. {closest(scheme, DATABASES)}")
    parameters = [name.lower() for name, _ in parse_qsl(rest.partition("?")[2], True)]
    if has_credentials(uri) or "@" in rest.partition("/")[0] or {*SECRETS} & {*parameters}:
        raise ValueError(f"'{scheme}://***' must not contain a user or password; {ELSEWHERE}")
    if scheme == "postgresql":
        is_named = urlsplit(uri).path.strip("/") or "service" in parameters
    else:
        is_named = rest.startswith("/") and rest.strip("/") != "" and "?" not in rest
    if not is_named:
        raise ValueError(f"'{uri}' names no database. An example: {DATABASES[scheme]}")
    return uri


def database_file(uri: str) -> str | None:
    """The path of a database that is a file, as its URI states it; None for a server.

    >>> database_file("sqlite:///game.db"), database_file("duckdb:////srv/game.duckdb")
    ('game.db', '/srv/game.duckdb')
    """
    scheme, _, rest = uri.partition("://")
    return None if scheme == "postgresql" else unquote(rest[1:])


def shown_database(uri: str) -> str:
    """A database for messages and footers: without parameters, and without credentials.

    >>> shown_database("postgresql://me:secret@host:5432/game?sslmode=require")
    'postgresql://host:5432/game'
    """
    scheme, _, rest = uri.partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
