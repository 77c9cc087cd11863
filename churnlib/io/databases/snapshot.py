"""Snapshots: tables of a database, as they were at one moment, as Parquet files."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from churnlib.errors import DataError
from churnlib.io.databases.arrow_types import columns_of, converted
from churnlib.io.databases.connection import Connection, connect, quoted_table
from churnlib.io.datasets import ROWS_PER_GROUP, Dataset
from churnlib.io.footer import facts, footer
from churnlib.io.table_writer import FORMAT
from churnlib.settings.databases import shown_database


@dataclass(frozen=True)
class Source:
    """The rows of a database that are a raw table.

    Attributes:
        query: The query that gives them.
        table: The table that has them, in place of a query.
    """

    query: str | None = None
    table: str | None = None

    @property
    def statement(self) -> str:
        """The query, which ends without a semicolon."""
        if self.query is None:
            return f"SELECT * FROM {quoted_table(self.table or '')}"
        return self.query.strip().rstrip(";").rstrip()


def check_snapshot(snapshot: Dataset, uri: str, source: Source) -> None:
    """Checks that a snapshot was read as the settings say now.

    Args:
        snapshot: The snapshot.
        uri: The database.
        source: The rows.

    Raises:
        DataError: It is of another database or query.
    """
    if facts(snapshot, "database", "query") != [shown_database(uri), source.statement]:
        raise DataError(
            f"{snapshot.game}: {snapshot.uri} was read from another database or by another query "
            f"than tables.{snapshot.name} says now. Run a flow, which reads the table again."
        )


def read_database(
    uri: str, sources: Mapping[str, Source], files: Mapping[str, Path], folder: str | None = None
) -> dict[str, int]:
    """Reads tables of a database, all as they are at one moment, each into a Parquet file.

    The same rows in the same order give the same bytes. Rows are read in batches, so that memory
    does not grow with them.

    Args:
        uri: The database; see `churnlib.settings.databases`.
        sources: What to read, by the name of the raw table.
        files: Where to write it, on this machine. What was written of a table that could not be
            read whole is useless.
        folder: What the path of a database that is a file is relative to.

    Returns:
        The number of rows of each table.

    Raises:
        DataError: The database cannot be read; names the table, the database and what failed,
            without credentials.
    """
    rows: dict[str, int] = {}
    reading = ", ".join(sources)
    try:
        with connect(uri, folder) as connection:
            for reading, source in sources.items():
                rows[reading] = _read(connection, source, files[reading], shown_database(uri))
    except DataError as error:
        raise DataError(f"{reading}: {error}") from None
    return rows


def _read(connection: Connection, source: Source, file: Path, origin: str) -> int:
    """Writes the rows of a source to a file; returns their number."""
    schema, batches = connection.read(source.statement)
    columns = columns_of(schema)
    target = pa.schema([(column.name, column.type) for column in columns])
    rows = 0
    with pq.ParquetWriter(file, target, **FORMAT) as writer:
        for group in _in_groups(converted(batches, columns), target):
            writer.write_table(group, len(group))
            rows += len(group)
        writer.add_key_value_metadata(footer(database=origin, query=source.statement))
    return rows


def _in_groups(batches: Iterable[Any], schema: Any) -> Iterator[Any]:
    """Regroups record batches, so that the file does not depend on theirs."""
    waiting: list[Any] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += len(batch)
        while rows >= ROWS_PER_GROUP:
            table = pa.Table.from_batches(waiting, schema)
            yield table[:ROWS_PER_GROUP]
            waiting = table[ROWS_PER_GROUP:].to_batches()
            rows -= ROWS_PER_GROUP
    if rows:
        yield pa.Table.from_batches(waiting, schema)
