"""The files of raw tables: their names, and where a table is.

A table is a CSV or Parquet file, a folder of such parts, or all files that match a pattern.
"""

import re

from churnlib.errors import DataError
from churnlib.io.snapshots import find_snapshot
from churnlib.io.storage import exists, list_names
from churnlib.settings.databases import DATABASES, is_database
from churnlib.uris import SCHEMES, is_remote, join

PARQUET = ".parquet"
COMPRESSED = {".gz": "gzip", ".zst": "zstd"}
"""The ends of the names of compressed CSV files, and what compressed them."""
_CSV = re.compile(r"\.(csv|tsv|txt)(\.gz|\.zst)?$", re.IGNORECASE)

RAW_SUFFIXES = (PARQUET, ".csv", *(f".csv{end}" for end in COMPRESSED), "")
"""The ends of the names of raw tables; a folder of parts has the name of the table."""
OTHER_SUFFIXES = (
    *(*COMPRESSED, ".zip", ".bz2", ".xz"),
    *(".xlsx", ".xls", ".tsv", ".txt", ".json", ".csv", ".parquet"),
)
"""The ends of the names of files that may be another copy of a raw table."""


def is_csv_name(name: str) -> bool:
    """Whether a name is that of a CSV file, which may be compressed.

    >>> is_csv_name("logins.csv.gz"), is_csv_name("logins.tsv"), is_csv_name("logins.parquet")
    (True, True, False)
    """
    return _CSV.search(name) is not None


def format_of(name: str) -> str | None:
    """The format of a part of a table by its name, with its compression; None if it is no part.

    >>> format_of("a.csv.gz"), format_of("a.snappy.parquet"), format_of("_SUCCESS")
    ('.csv.gz', '.parquet', None)
    """
    if name.endswith(PARQUET):
        return PARQUET
    found = _CSV.search(name)
    return found[0].lower() if found else None


def compression_of(name: str) -> str | None:
    """What compressed a CSV file, by its name; None if nothing did."""
    found = _CSV.search(name)
    return COMPRESSED.get((found[2] or "").lower()) if found else None


def find_raw(
    folder: str, game: str, table: str, path: str | None = None, digest: str | None = None
) -> str:
    """Finds a raw table.

    Args:
        folder: The game's folder of raw tables.
        game: The game.
        table: The table's name.
        path: Where the settings say that it is: a file, a folder of parts or a pattern, in that
            folder unless absolute or a URI; or a database, of which there is a snapshot. If None,
            it has the name of the table.
        digest: The fingerprint of the snapshot to prefer over the newest.

    Returns:
        The path or URI of the file, folder or pattern.

    Raises:
        DataError: There is none, or there are two.
    """
    if path is None:
        return _named(folder, game, table)
    if is_database(path):
        return find_snapshot(folder, game, table, digest)
    return _declared(folder, game, table, path)


def _declared(folder: str, game: str, table: str, path: str) -> str:
    scheme = path.partition("://")[0]
    if is_remote(path) and scheme not in SCHEMES:
        raise DataError(
            f"{game}: tables.{table}.path is a URI of '{scheme}', and must be a path or a URI such "
            f"as {' or '.join((*SCHEMES.values(), *DATABASES.values()))}."
        )
    uri = path if is_remote(path) else join(folder, path)
    if not exists(uri):
        found = "no file matches" if "*" in path else "there is no file or folder"
        raise DataError(
            f"{game}: the raw table {table} is missing: {found} {uri}. Put the file there, or "
            f"change tables.{table}.path."
        )
    return uri


def _named(folder: str, game: str, table: str) -> str:
    names = list_names(folder)
    files = [f"{table}{suffix}" for suffix in RAW_SUFFIXES if f"{table}{suffix}" in names]
    others = [name for name in names if name.startswith(f"{table}.") and name not in files]
    copies = [name for name in others if name.lower().endswith(OTHER_SUFFIXES)]
    if not files:
        found = f" There is {others[0]}, which is not read." if others else ""
        raise DataError(
            f"{game}: the raw table {table} is missing: neither {table}.parquet nor {table}.csv "
            f"(nor {table}.csv.gz, {table}.csv.zst) nor a folder {table} of parts is in {folder}."
            f"{found} Put the file there, name another place by tables.{table}.path, or name "
            "another data folder with --data-dir."
        )
    if len(files) + len(copies) > 1:
        first, second = [*files, *copies][:2]
        raise DataError(
            f"{game}: the raw table {table} exists twice, as {first} and {second} in {folder}, and "
            "may differ. Remove one of them."
        )
    return join(folder, files[0])
