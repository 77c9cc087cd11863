"""SQLite, by Python's own module. A column is of the widest type that any of its values has."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, ClassVar
from urllib.parse import quote

import pyarrow as pa

from churnlib.errors import DataError
from churnlib.io.databases.connection import BATCH_ROWS, quoted
from churnlib.io.databases.files import database_path

ERRORS = (sqlite3.Error,)
BUSY_SECONDS = 60
"""How long to wait for another program that writes to the database."""
WIDTHS = (("TEXT", pa.string()), ("INTEGER", pa.int64()), ("REAL", pa.float64()))
"""The type in SQLite and in Arrow of a column of nulls, of whole numbers, and of numbers; a column
with any text is text."""


class SqliteConnection:
    """A transaction; see `churnlib.io.databases.connection.Connection`."""

    has_types = False
    types: ClassVar = {
        "int64": "INTEGER",
        "double": "REAL",
        "bool": "BOOLEAN",
        "date32[day]": "DATE",
        "string": "TEXT",
    }

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def read(self, query: str) -> tuple[Any, Iterator[Any]]:
        """Starts a query, once its types are known by a pass over its values."""
        inner = f"({query}\n)"
        with closing(self._connection.execute(f"SELECT * FROM {inner} LIMIT 0")) as cursor:
            names = [column[0] for column in cursor.description]
        types = self._types(inner, names)
        values = ", ".join(
            f"CAST({quoted(n)} AS {kind})" for n, (kind, _) in zip(names, types, strict=True)
        )
        schema = pa.schema([(n, kind) for n, (_, kind) in zip(names, types, strict=True)])
        return schema, self._batches(f"SELECT {values} FROM {inner}", schema)

    def _types(self, inner: str, names: Sequence[str]) -> list[tuple[str, Any]]:
        widest = ", ".join(
            f"max(CASE typeof({quoted(name)}) WHEN 'null' THEN 0 WHEN 'integer' THEN 1 "
            "WHEN 'real' THEN 2 WHEN 'text' THEN 3 ELSE 4 END)"
            for name in names
        )
        found = self._connection.execute(f"SELECT {widest} FROM {inner}").fetchone()
        if binary := [name for name, width in zip(names, found, strict=True) if width == 4]:
            raise DataError(
                f"the column {binary[0]} holds bytes, which a table cannot have. Leave it out in a "
                "query"
            )
        return [WIDTHS[(width or 0) % 3] for width in found]

    def _batches(self, query: str, schema: Any) -> Iterator[Any]:
        with closing(self._connection.execute(query)) as cursor:
            while rows := cursor.fetchmany(BATCH_ROWS):
                columns = zip(*rows, strict=True)
                arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
                yield pa.record_batch(arrays, schema=schema)

    def exists(self, table: str) -> bool:
        """Whether there is a table."""
        try:
            self._connection.execute(f"SELECT 1 FROM {table} LIMIT 0").close()
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return False
        return True

    def lock(self, table: str) -> None:
        """Waits for other writers of the database."""
        self.execute("BEGIN IMMEDIATE")

    def execute(self, statement: str) -> None:
        """Executes a statement."""
        self._connection.execute(statement).close()

    def insert(self, table: str, batches: Iterable[Any], schema: Any) -> None:
        """Inserts rows; days are text, as SQLite has no such type."""
        names = ", ".join(map(quoted, schema.names))
        places = ", ".join("?" * len(schema.names))
        statement = f"INSERT INTO {table} ({names}) VALUES ({places})"
        for batch in batches:
            columns = [_plain(values).to_pylist() for values in batch]
            self._connection.executemany(statement, zip(*columns, strict=True))


def _plain(values: Any) -> Any:
    return values.cast(pa.string()) if pa.types.is_date(values.type) else values


@contextmanager
def connected(place: tuple[str, str | None], *, writes: bool) -> Iterator[SqliteConnection]:
    """Opens a database, for one transaction; all its queries see the same moment."""
    with database_path(*place, writes=writes) as file:
        uri = f"file:{quote(str(file))}?mode={'rwc' if writes else 'ro'}"
        with closing(
            sqlite3.connect(uri, timeout=BUSY_SECONDS, isolation_level=None, uri=True)
        ) as connection:
            if not writes:
                connection.execute("BEGIN")
            yield SqliteConnection(connection)
            if connection.in_transaction:
                connection.commit()


def what_failed(error: BaseException) -> str:
    """SQLite's words."""
    return str(error)
