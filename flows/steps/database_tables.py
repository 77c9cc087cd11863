"""Raw tables in databases, which a run reads once, before it begins."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

from churnlib.errors import DataError
from churnlib.io.catalog import Catalog
from churnlib.io.snapshots import keep_snapshot, read_time
from churnlib.schemas.raw_tables import raw_tables
from churnlib.settings import Settings
from churnlib.settings.databases import shown_database
from churnlib.settings.tables import TableKind, TableSettings
from flows.engine.run_logger import run_logger
from flows.engine.scratch import scratch_folder

_READ: ContextVar[set[tuple[str, str]] | None] = ContextVar("tables_read", default=None)


@contextmanager
def read_once() -> Iterator[None]:
    """Lets all flows of the block see each table of a database as it was read first."""
    token = _READ.set(set() if _READ.get() is None else _READ.get())
    try:
        yield
    finally:
        _READ.reset(token)


def read_databases(settings: Settings, catalog: Catalog, kinds: Collection[TableKind]) -> None:
    """Reads raw tables from their databases, all of a database as they are at one moment.

    A table becomes a snapshot in the folder of raw tables, unless it equals the one before. Other
    runs of the game must be kept out.

    Args:
        settings: The game's settings.
        catalog: Where its data are.
        kinds: The kinds of the tables to read.

    Raises:
        DataError: A database cannot be read; all snapshots stay as they were.
    """
    read = _READ.get()
    by_database: dict[str, dict[str, TableSettings]] = {}
    tables = raw_tables(settings)
    for name in (spec.name for spec in tables.with_parents(tables.of_kind(*kinds))):
        table = settings.tables[name]
        if table.in_database and (settings.game, name) not in (read or ()):
            by_database.setdefault(table.path or "", {})[name] = table
    if not by_database:
        return
    with scratch_folder(settings.engine) as folder:
        read_at, rows = datetime.now(UTC), dict[str, int]()
        for uri, group in by_database.items():
            rows |= _read(uri, group, folder, catalog)
        for name, count in rows.items():
            file = folder / f"{name}.parquet"
            snapshot, is_new = keep_snapshot(file, catalog.raw_folder, name, read_at)
            _log(settings.game, name, settings.tables[name], count, snapshot, is_new=is_new)
            if read is not None:
                read.add((settings.game, name))


def _read(
    uri: str, tables: Mapping[str, TableSettings], folder: Path, catalog: Catalog
) -> dict[str, int]:
    """Reads tables of a database into files; returns the number of their rows."""
    from churnlib.io.databases.snapshot import Source, read_database

    sources = {name: Source(table.query, table.table) for name, table in tables.items()}
    files = {name: folder / f"{name}.parquet" for name in tables}
    try:
        return read_database(uri, sources, files, catalog.raw_folder)
    except DataError as error:
        raise DataError(
            f"{catalog.game}: {error} Nothing was replaced. Check the database, its credentials in "
            f"the environment, and path, query and table of [tables.{next(iter(tables))}]."
        ) from None


def _log(
    game: str, name: str, table: TableSettings, rows: int, snapshot: str, *, is_new: bool
) -> None:
    news = "" if is_new else f", unchanged since {read_time(snapshot):%Y-%m-%d %H:%M} UTC"
    run_logger().info(
        "%s: %s: %s rows read from %s%s -> %s",
        *(game, name, f"{rows:,}", shown_database(table.path or ""), news, snapshot),
    )
