"""What all databases have in common, and opening one."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any, Protocol

from churnlib.errors import DataError, reason
from churnlib.settings.databases import database_file, shown_database
from churnlib.shown import masked

BATCH_ROWS = 2**15
"""The rows that are read at a time."""
PACKAGES = {"postgresql": "adbc-driver-postgresql", "duckdb": "duckdb"}
"""The packages that databases need, in addition to those of this project."""


class Connection(Protocol):
    """A transaction on a database, which is committed if its block ends without an error."""

    types: Mapping[str, str]
    """The types of created columns, by the name of the type in Arrow."""
    has_types: bool
    """Whether a column holds values of its type only."""

    def read(self, query: str) -> tuple[Any, Iterator[Any]]:
        """Starts a query; returns the schema of its rows in Arrow, and their record batches."""

    def exists(self, table: str) -> bool:
        """Whether there is a table, by its quoted name."""

    def lock(self, table: str) -> None:
        """Lets only one transaction at a time write to a table by this function."""

    def execute(self, statement: str) -> None:
        """Executes a statement without a result."""

    def insert(self, table: str, batches: Iterable[Any], schema: Any) -> None:
        """Inserts the rows of record batches, by the names of their columns."""


def connect(
    uri: str, folder: str | None = None, *, writes: bool = False
) -> AbstractContextManager[Connection]:
    """Opens a database for the transaction of a block.

    Args:
        uri: The database; see `churnlib.settings.databases`.
        folder: What the path of a database that is a file is relative to.
        writes: Whether the block changes the database, which is else opened for reading only.

    Raises:
        DataError: The database cannot be opened, or what the block does fails; names the database
            and what failed, without credentials.
    """
    return _connected(uri, folder, writes)


@contextmanager
def _connected(uri: str, folder: str | None, writes: bool) -> Iterator[Connection]:
    scheme, shown = uri.partition("://")[0], shown_database(uri)
    try:
        module = import_module(f"churnlib.io.databases.{scheme}")
    except ImportError as error:
        raise DataError(
            f"{shown} needs the package {PACKAGES[scheme]} ({reason(error)}). Install it: "
            "python -m pip install 'churnlib[databases]'"
        ) from None
    place = uri if (file := database_file(uri)) is None else (file, folder)
    try:
        with module.connected(place, writes=writes) as connection:
            yield connection
    except DataError as error:
        raise DataError(f"{shown}: {_sentence(str(error))}") from None
    except module.ERRORS as error:
        raise DataError(f"{shown}: {_sentence(masked(module.what_failed(error)))}") from None


def _sentence(text: str) -> str:
    return f"{' '.join(text.split()).rstrip('.')}."


def quoted(name: str) -> str:
    """The name of a column in SQL, in quotation marks.

    >>> quoted("sub id")
    '"sub id"'
    """
    return '"{}"'.format(name.replace('"', '""'))


def quoted_table(name: str) -> str:
    """The name of a table in SQL, perhaps after those of its database and schema.

    >>> quoted_table("churn.predictions")
    '"churn"."predictions"'
    """
    return ".".join(map(quoted, name.split(".")))


def literal(text: str) -> str:
    """A text in SQL.

    >>> literal("it's")
    "'it''s'"
    """
    return "'{}'".format(text.replace("'", "''"))
