"""Raw tables in databases, which a run reads once, before it begins."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

from churnlib.errors import DataError
from churnlib.io.catalog import Catalog
from churnlib.io.snapshots import keep_snapshot, read_time
from churnlib.settings import Settings
from churnlib.settings.databases import is_database, shown_database
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
    read = _READ.get() or set()
    by_database: dict[str, dict[str, TableSettings]] = {}
    for name, table in settings.tables.items():
        is_wanted = table.kind in kinds and not table.absent and (settings.game, name) not in read
        if is_wanted and table.path and is_database(table.path):
            by_database.setdefault(table.path, {})[name] = table
    if not by_database:
        return
    with scratch_folder(settings.engine) as folder:
        files = {n: folder / f"{n}.parquet" for group in by_database.values() for n in group}
        read_at = datetime.now(UTC)
        rows = {
            n: r
            for uri, group in by_database.items()
            for n, r in _read(uri, group, files, catalog).items()
        }
        for name, file in files.items():
            _keep(name, file, rows[name], settings, catalog, read_at)
            read.add((settings.game, name))


def _read(
    uri: str, tables: Mapping[str, TableSettings], files: Mapping[str, Path], catalog: Catalog
) -> dict[str, int]:
    from churnlib.io.databases.snapshot import Source, read_database

    sources = {name: Source(table.query, table.table) for name, table in tables.items()}
    try:
        return read_database(uri, sources, files, catalog.raw_folder)
    except DataError as error:
        raise DataError(
            f"{catalog.game}: {error} Nothing was read; correct the database or the settings "
            "tables.<table>.path, query and table."
        ) from None


def _keep(
    name: str, file: Path, rows: int, settings: Settings, catalog: Catalog, read_at: datetime
) -> None:
    snapshot, is_new = keep_snapshot(file, catalog.raw_folder, name, read_at)
    news = "" if is_new else f", unchanged since {read_time(snapshot):%Y-%m-%d %H:%M} UTC"
    origin = shown_database(settings.tables[name].path or "")
    run_logger().info(
        "%s: %s: %s rows read from %s%s -> %s",
        *(settings.game, name, f"{rows:,}", origin, news, snapshot),
    )
