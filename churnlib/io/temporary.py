"""Temporary files and folders: their names, and a lock that protects some while in use."""

import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

ABANDONED_AFTER = 24 * 3600
"""Seconds after which a writer that nothing else tells about counts as dead."""
_NAME = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")
PREFIX, LOCK = "churn-scratch-", ".lock"
"""How the names of temporary folders start, and the file in each that its process locks."""


def temporary_name(name: str) -> str:
    """Names a temporary file or folder, beside what it is going to become.

    Args:
        name: The name of that.
    """
    return f".{name}.{uuid.uuid4().hex[:12]}.tmp"


def is_temporary(name: str) -> bool:
    """Whether `temporary_name` made a name.

    >>> is_temporary(temporary_name("registry.json")), is_temporary(".registry.json.lock")
    (True, False)
    """
    return _NAME.fullmatch(name) is not None


def is_old(path: str) -> bool:
    """Whether a file or folder of this machine has not changed for `ABANDONED_AFTER` seconds."""
    with suppress(OSError):
        return time.time() - os.lstat(path).st_mtime > ABANDONED_AFTER
    return False


@contextmanager
def scratch_folder(where: str | None = None) -> Iterator[Path]:
    """Yields a temporary folder with nothing but a hidden lock, and removes it at the end.

    Args:
        where: The folder to create it in; the system's temporary folder if None.

    Raises:
        OSError: That folder is missing, full or not writable.
    """
    new, lock = _locked_folder(where)
    with new as folder:
        try:
            yield Path(folder)
        finally:
            lock.release()


def _locked_folder(where: str | None) -> "tuple[tempfile.TemporaryDirectory[str], BaseFileLock]":
    from filelock import FileLock

    while True:
        new = tempfile.TemporaryDirectory(prefix=PREFIX, dir=where, ignore_cleanup_errors=True)
        # The system releases the lock when the process ends, however it does.
        lock = FileLock(Path(new.name, LOCK), fallback_to_soft=False)
        try:
            lock.acquire()
        except FileNotFoundError:
            if Path(new.name).exists():
                raise
            new.cleanup()  # Another process took the folder for abandoned before it was locked.
        else:
            return new, lock


def remove_abandoned(where: str | None = None) -> list[str]:
    """Removes the temporary folders of this user's dead processes.

    Those are folders that no process locks any more, and folders without a lock that have not
    changed for a day, since their process was killed before it locked them.

    Args:
        where: The folder that they are in; the system's temporary folder if None.

    Returns:
        What was removed.
    """
    found = sorted(Path(where or tempfile.gettempdir()).glob(f"{PREFIX}*"))
    return [str(folder) for folder in found if _is_own(folder) and _remove(folder)]


def _is_own(folder: Path) -> bool:
    # Anyone can create files and links in the system's temporary folder.
    with suppress(OSError):
        found = folder.lstat()
        is_users = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
        return folder.is_dir() and not folder.is_symlink() and is_users
    return False


def _remove(folder: Path) -> bool:
    from filelock import FileLock, Timeout

    if not (folder / LOCK).exists():
        if not is_old(str(folder)):
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return True
    try:
        with FileLock(folder / LOCK, timeout=0, fallback_to_soft=False):
            shutil.rmtree(folder, ignore_errors=True)
    except (Timeout, OSError):
        return False
    return True
