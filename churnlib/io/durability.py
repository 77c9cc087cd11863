"""Files that survive a power failure: written through to the disk before a run says so.

Those of the layers in `DURABLE` are: what they hold is announced to others, or decided once. A
later run makes again whatever else is lost, because it no longer has its fingerprint.
"""

import errno
import os
from collections.abc import Iterable
from pathlib import Path

DURABLE = frozenset({"06_models", "07_model_output"})
"""The layers of the data folder whose files are durable: all about models, and predictions."""
_NOT_SUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}


def is_durable(target: Path) -> bool:
    """Whether a file is in one of the layers in `DURABLE`."""
    return not DURABLE.isdisjoint(target.parts)


def missing_folders(target: Path) -> list[Path]:
    """Lists the folders that a durable file still needs, for `keep_names`."""
    return (
        [folder for folder in target.parents if not folder.exists()] if is_durable(target) else []
    )


def keep_content(written: Path, target: Path, last: str) -> None:
    """Writes a file or folder through to the disk before it takes its place.

    Args:
        written: The new file or folder.
        target: The place that it is going to take.
        last: The file of a folder that comes after the others; see
            `churnlib.io.storage.replacing`.
    """
    if not is_durable(target):
        return
    within = sorted(written.rglob("*"), key=lambda path: (path.name == last, path))
    for path in (*within, written):
        if path.is_file():
            _sync_file(path)
    for folder in (*within, written):
        if folder.is_dir():
            _sync_folder(folder)


def keep_names(target: Path, new_folders: Iterable[Path]) -> None:
    """Writes the name of a file, and those of its new folders, through to the disk."""
    if is_durable(target):
        for folder in (target.parent, *(new.parent for new in new_folders)):
            _sync_folder(folder)


def keep_removal(removed: Path) -> None:
    """Writes a removal through to the disk, if the folder still exists."""
    if is_durable(removed) and removed.parent.is_dir():
        _sync_folder(removed.parent)


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows opens no folders, and writes names through by itself.
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:  # Some network file systems sync no folders.
            raise
    finally:
        os.close(opened)
