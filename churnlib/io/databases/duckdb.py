"""DuckDB files, by the package `duckdb`."""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any, ClassVar

import duckdb
import pyarrow as pa

from churnlib.errors import DataError, reason
from churnlib.io.databases.connection import BATCH_ROWS, quoted
from churnlib.io.databases.files import database_path
from churnlib.io.storage import exclusive_lock

ERRORS = (duckdb.Error,)
MEMORY = "256MB"
"""The memory for the pages of the database."""


class DuckdbConnection:
    """A transaction; see `churnlib.io.databases.connection.Connection`."""

    has_types = True
    types: ClassVar = {
        "int64": "BIGINT",
        "double": "DOUBLE",
        "bool": "BOOLEAN",
        "date32[day]": "DATE",
        "string": "VARCHAR",
    }

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def read(self, query: str) -> tuple[Any, Iterator[Any]]:
        """Starts a query, the rows of which are not kept in memory."""
        reader = self._connection.sql(query).to_arrow_reader(BATCH_ROWS)
        return reader.schema, _batches(reader)

    def exists(self, table: str) -> bool:
        """Whether there is a table."""
        try:  # Outside of the transaction, which an error would end.
            self._connection.cursor().execute(f"SELECT 1 FROM {table} LIMIT 0")
        except duckdb.CatalogException:
            return False
        return True

    def lock(self, table: str) -> None:
        """Does nothing: only one process at a time can write to the file."""

    def execute(self, statement: str) -> None:
        """Executes a statement."""
        self._connection.execute(statement)

    def insert(self, table: str, batches: Iterable[Any], schema: Any) -> None:
        """Inserts rows."""
        names = ", ".join(map(quoted, schema.names))
        rows = pa.RecordBatchReader.from_batches(schema, batches)
        self._connection.register("churnlib_delivery", rows)
        self._connection.execute(
            f"INSERT INTO {table} ({names}) SELECT {names} FROM churnlib_delivery"
        )
        self._connection.unregister("churnlib_delivery")


def _batches(reader: Any) -> Iterator[Any]:
    try:
        yield from reader
    except (OSError, pa.ArrowException) as error:
        raise DataError(reason(error)) from None


@contextmanager
def connected(place: tuple[str, str | None], *, writes: bool) -> Iterator[DuckdbConnection]:
    """Opens a database, for one transaction; all its queries see the same moment."""
    with database_path(*place, writes=writes) as file:
        if writes:
            with exclusive_lock(str(file)):  # DuckDB itself refuses a second writer.
                yield from _transaction(str(file), read_only=False)
        else:
            yield from _transaction(str(file), read_only=True)


def _transaction(file: str, *, read_only: bool) -> Iterator[DuckdbConnection]:
    with closing(duckdb.connect(file, read_only=read_only)) as connection:
        connection.execute(f"SET memory_limit = '{MEMORY}'")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET python_enable_replacements = false")  # No variables as tables.
        connection.execute("BEGIN")
        yield DuckdbConnection(connection)
        connection.execute("COMMIT")


def what_failed(error: BaseException) -> str:
    """DuckDB's words, without the query."""
    return str(error).partition("\n")[0]
