"""Delivering a batch to a table of a database, in one transaction."""

from typing import Any

import pyarrow as pa

from churnlib.errors import DataError
from churnlib.io.batches import DELIVERY, GAME, MONTH, VERSION, Batch, replaced_message
from churnlib.io.databases.connection import Connection, connect, literal, quoted, quoted_table

ROWS_AT_A_TIME = 2**14
_KINDS = {
    "number": (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal),
    "text": (pa.types.is_string, pa.types.is_large_string),
    "flag": (pa.types.is_boolean,),
    "day": (pa.types.is_date,),
}


def deliver(
    batch: Batch, uri: str, table: str, folder: str | None = None, *, replaces: bool = False
) -> None:
    """Replaces the rows of a batch in a table, in one transaction; those of others stay.

    The table is created if it does not exist. Deliveries at the same time wait for each other. One
    that fails or is killed leaves the table as it was, and one that is repeated changes nothing.

    Args:
        batch: The batch.
        uri: The database; see `churnlib.settings.databases`.
        table: The table, perhaps after the name of its schema and a point.
        folder: What the path of a database that is a file is relative to.
        replaces: Whether rows of the batch that another model version predicted may be replaced.

    Raises:
        DataError: The table lacks a column, has one of another kind, or holds the batch by another
            version; or the database refuses. Names the database, without credentials.
    """
    rows, name = _arrow(batch), quoted_table(table)
    with connect(uri, folder, writes=True) as connection:
        connection.lock(name)
        if connection.exists(name):
            _check_columns(connection, table, rows.schema)
            if not replaces:
                _check_version(connection, table, batch)
            connection.execute(f"DELETE FROM {name} WHERE {_is_of(batch)}")
        else:
            columns = ", ".join(
                f"{quoted(field.name)} {connection.types[str(field.type)]}" for field in rows.schema
            )
            connection.execute(f"CREATE TABLE {name} ({columns})")
        connection.insert(name, rows.to_batches(ROWS_AT_A_TIME), rows.schema)


def holds(batch: Batch, uri: str, table: str, folder: str | None = None) -> bool:
    """Whether a table holds a batch with just these rows.

    Raises:
        DataError: The database cannot be read.
    """
    name = quoted_table(table)
    with connect(uri, folder) as connection:
        found = _counts(connection, name, batch, DELIVERY) if connection.exists(name) else {}
    return found == {batch.delivery: _arrow(batch).num_rows}


def _is_of(batch: Batch) -> str:
    """What holds for the rows of a batch, in SQL."""
    game, month = literal(batch.game), literal(str(batch.month))
    return f"{quoted(GAME)} = {game} AND {quoted(MONTH)} = {month}"


def _counts(connection: Connection, name: str, batch: Batch, column: str) -> dict[str, int]:
    """The rows of a batch in a table, by the values of a column."""
    value = quoted(column)
    _, found = connection.read(
        f"SELECT {value} AS value, count(*) AS number FROM {name} WHERE {_is_of(batch)} "
        f"GROUP BY {value}"
    )
    return {row["value"]: row["number"] for each in found for row in each.to_pylist()}


def _check_version(connection: Connection, table: str, batch: Batch) -> None:
    held = _counts(connection, quoted_table(table), batch, VERSION)
    if others := sorted(str(version) for version in held if version != batch.version):
        raise DataError(replaced_message(f"the table {table}", batch, others))


def _check_columns(connection: Connection, table: str, wanted: Any) -> None:
    """Checks that a table has all columns, each of the kind of what is delivered."""
    schema, batches = connection.read(f"SELECT * FROM {quoted_table(table)} LIMIT 0")
    list(batches)  # To its end, so that the connection is free.
    names = set(schema.names)
    if missing := [field for field in wanted if field.name not in names]:
        described = ", ".join(f"{field.name} ({_kind(field.type)})" for field in missing)
        raise DataError(
            f"the table {table} lacks the columns {described}. Add them, or name another table in "
            "delivery.table"
        )
    for field in wanted:
        found, kind = _kind(schema.field(field.name).type), _kind(field.type)
        if connection.has_types and found != kind:
            raise DataError(
                f"the table {table} has {field.name} as {found}, and {kind} is delivered. Change "
                "the column, or name another table in delivery.table"
            )


def _kind(arrow_type: Any) -> str:
    if isinstance(arrow_type, pa.BaseExtensionType):  # PostgreSQL's numeric, among others.
        return "number" if "numeric" in str(arrow_type) else str(arrow_type.storage_type)
    found = (kind for kind, tests in _KINDS.items() if any(test(arrow_type) for test in tests))
    return next(found, str(arrow_type))


def _arrow(batch: Batch) -> Any:
    """The rows of a batch as an Arrow table of the types that databases have."""
    import polars as pl

    rows = batch.rows.collect()
    whole = [name for name, kind in rows.schema.items() if kind.is_integer()]
    table = rows.with_columns(pl.col(whole).cast(pl.Int64)).to_arrow(
        compat_level=pl.CompatLevel.oldest()
    )
    plain = {pa.large_string(): pa.string()}
    fields = [(field.name, plain.get(field.type, field.type)) for field in table.schema]
    return table.cast(pa.schema(fields))
