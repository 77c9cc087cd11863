"""PostgreSQL, by ADBC: rows come in binary, a few MiB at a time, through libpq.

libpq takes credentials from the environment, as PostgreSQL's own programs do.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import pyarrow as pa
from adbc_driver_postgresql import StatementOptions, dbapi

from churnlib.errors import DataError, reason
from churnlib.io.databases.connection import literal, quoted

ERRORS = (dbapi.Error,)
BATCH_BYTES = 2**21
"""The bytes that are read at a time."""
CONNECT_SECONDS = 30
"""How long to wait for an answer, unless the URI or the environment says otherwise."""
_NOISE = re.compile(
    r"^[A-Z_]+: |\[libpq\] |Failed to \w+(?: query| to database)?: |could not begin COPY: |"
    r"\b(?:ERROR|FATAL): +|\. SQLSTATE: \w+$|\n+(?:LINE \d+:|Query was:|CONTEXT:).*",
    re.DOTALL,
)


class PostgresConnection:
    """A transaction; see `churnlib.io.databases.connection.Connection`."""

    has_types = True
    types: ClassVar = {
        "int64": "BIGINT",
        "double": "DOUBLE PRECISION",
        "bool": "BOOLEAN",
        "date32[day]": "DATE",
        "string": "TEXT",
    }

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def read(self, query: str) -> tuple[Any, Iterator[Any]]:
        """Starts a query, by COPY."""
        cursor = self._connection.cursor()
        option = StatementOptions.BATCH_SIZE_HINT_BYTES.value
        cursor.adbc_statement.set_options(**{option: str(BATCH_BYTES)})
        cursor.execute(f"{query}\n")  # A comment at its end must not hide what follows.
        reader = cursor.fetch_record_batch()
        return reader.schema, _batches(reader, cursor)

    def exists(self, table: str) -> bool:
        """Whether there is a table."""
        _, batches = self.read(f"SELECT to_regclass({literal(table)}) IS NOT NULL AS found")
        return any(batch["found"][0].as_py() for batch in batches)

    def lock(self, table: str) -> None:
        """Waits for other deliveries to a table, which need not exist; others are not affected."""
        # What they have committed must be seen after the wait.
        self.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        key = f"hashtextextended({literal(f'churnlib delivers to {table}')}, 0)"
        self.execute(f"SELECT pg_advisory_xact_lock({key})")

    def execute(self, statement: str) -> None:
        """Executes a statement."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement)

    def insert(self, table: str, batches: Iterable[Any], schema: Any) -> None:
        """Inserts rows by way of a temporary table, so that the server converts their types."""
        names = ", ".join(map(quoted, schema.names))
        rows = pa.RecordBatchReader.from_batches(schema, batches)
        with self._connection.cursor() as cursor:
            cursor.adbc_ingest("churnlib_delivery", rows, mode="create", temporary=True)
            cursor.execute(
                f"INSERT INTO {table} ({names}) SELECT {names} FROM pg_temp.churnlib_delivery"
            )
            cursor.execute("DROP TABLE pg_temp.churnlib_delivery")


def _batches(reader: Any, cursor: Any) -> Iterator[Any]:
    with cursor:
        try:
            yield from reader
        except (OSError, pa.ArrowException) as error:
            raise DataError(_without_secrets(reason(error))) from None


@contextmanager
def connected(uri: str, *, writes: bool) -> Iterator[PostgresConnection]:
    """Connects to a server, for one transaction; all its queries see the same moment."""
    with dbapi.connect(_with_timeout(uri)) as connection:
        transaction = PostgresConnection(connection)
        if not writes:
            transaction.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            # So that the same rows come in the same order.
            transaction.execute("SET LOCAL synchronize_seqscans = off")
            transaction.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        try:
            yield transaction
        except BaseException:
            with suppress(*ERRORS):  # The connection may be what failed.
                connection.rollback()
            raise
        connection.commit()


def _with_timeout(uri: str) -> str:
    address, mark, query = uri.partition("?")
    given = {name for name, _ in parse_qsl(query, True)}
    if "connect_timeout" in given or "PGCONNECT_TIMEOUT" in os.environ:
        return uri
    return f"{address}?{query}{'&' if mark else ''}connect_timeout={CONNECT_SECONDS}"


def what_failed(error: BaseException) -> str:
    """The server's words, without the query and the names of functions."""
    return _without_secrets(_NOISE.sub("", str(error)))


def _without_secrets(text: str) -> str:
    password = os.environ.get("PGPASSWORD")
    text = text.replace(password, "***") if password else text
    return re.sub(r'\b(user|role) "[^"]*"', r"\1 ***", text)
