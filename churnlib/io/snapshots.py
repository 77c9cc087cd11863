"""Snapshots of tables in databases: the files that stand for them among the raw tables.

They lie in `_snapshots/<table>/` in the game's folder of raw tables, and have names of the time at
which they were read, and of their content: `20250131T120005250Z-<digits of its digest>.parquet`.
The newest is the raw table. Earlier ones are there for the models that were made of them.
"""

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from churnlib.errors import DataError
from churnlib.io import storage
from churnlib.uris import folder_of, join

FOLDER = "_snapshots"
DIGITS = 16
"""The digits of a digest that identify a content."""
_NAME = re.compile(rf"(\d{{8}}T\d{{9}}Z)-([0-9a-f]{{{DIGITS}}})\.parquet", re.ASCII)
_TIME = "%Y%m%dT%H%M%S%f"
_STEP = timedelta(milliseconds=1)


def snapshots(raw_folder: str, table: str) -> dict[str, str]:
    """The snapshots of a table, the newest last: their paths or URIs, with the digits of each.

    Args:
        raw_folder: The game's folder of raw tables.
        table: The table.
    """
    folder = join(raw_folder, FOLDER, table)
    found = [_NAME.fullmatch(name) for name in sorted(storage.list_names(folder))]
    return {join(folder, name[0]): name[2] for name in found if name}


def find_snapshot(raw_folder: str, game: str, table: str, digest: str | None = None) -> str:
    """Finds the newest snapshot of a table, or if there is one, that of some content.

    Args:
        raw_folder: The game's folder of raw tables.
        game: The game.
        table: The table.
        digest: The fingerprint of the content.

    Raises:
        DataError: There is none.
    """
    found = snapshots(raw_folder, table)
    if not found:
        raise DataError(
            f"{game}: the raw table {table} is in a database and has not been read yet: there is "
            f"no snapshot in {join(raw_folder, FOLDER, table)}. Each flow that needs it reads it."
        )
    wanted = [uri for uri, digits in found.items() if digest and digest.startswith(digits)]
    return [*found, *wanted][-1]


def keep_snapshot(file: Path, raw_folder: str, table: str, read_at: datetime) -> tuple[str, bool]:
    """Keeps a file as the newest snapshot of a table, unless it equals the one before.

    Args:
        file: A file on this machine, which may be moved.
        raw_folder: The game's folder of raw tables.
        table: The table.
        read_at: When it was read.

    Returns:
        The path or URI of the newest snapshot, and whether it is a new one.

    Raises:
        DataError: A symbolic link leads from its folder to elsewhere.
    """
    digits = storage.fingerprint(str(file))[:DIGITS]
    found = snapshots(raw_folder, table)
    newest = list(found)[-1] if found else None
    if newest is not None and found[newest] == digits:
        return newest, False
    if newest is not None:  # It must be the newest, also if the clock was set back.
        read_at = max(read_at, read_time(newest) + _STEP)
    time = f"{read_at:%Y%m%dT%H%M%S}{read_at.microsecond // 1000:03d}Z"
    target = join(raw_folder, FOLDER, table, f"{time}-{digits}.parquet")
    if not storage.is_within(folder_of(target), raw_folder):
        raise DataError(
            f"{table}: {folder_of(target)} is a symbolic link, or lies behind one, that leads out "
            f"of {raw_folder}, so nothing is written there. Replace the link by a folder."
        )
    with storage.replacing(target) as path:
        shutil.move(file, path)
    return target, True


def read_time(snapshot: str) -> datetime:
    """When a snapshot was read, by its name."""
    name = _NAME.search(snapshot)
    assert name is not None
    return datetime.strptime(f"{name[1][:-1]}000", _TIME).replace(tzinfo=UTC)


def old_snapshots(raw_folder: str, keep: int, in_use: str = "") -> list[str]:
    """Lists the snapshots that need not be kept.

    Args:
        raw_folder: The game's folder of raw tables.
        keep: How many of the newest of each table are kept.
        in_use: A text with the fingerprints of those that are kept in any case.
    """
    tables = storage.list_names(join(raw_folder, FOLDER))
    return [
        uri
        for table in tables
        for uri, digits in list(snapshots(raw_folder, table).items())[:-keep]
        if digits not in in_use
    ]
