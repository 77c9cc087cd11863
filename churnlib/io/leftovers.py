"""What writers leave behind where they are killed: how it is named, found and removed."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from churnlib.io import object_store
from churnlib.io.temporary import is_old, is_temporary
from churnlib.uris import is_remote, join


def find_leftovers(folder: str) -> list[str]:
    """Lists what has a temporary name in a folder and its subfolders, files and whole folders."""
    found = _remote(folder) if is_remote(folder) else _local(folder)
    return sorted(set(found))


def find_old_leftovers(folder: str) -> list[str]:
    """Lists what has a temporary name in a folder of this machine, and has not changed for a day.

    Subfolders are not searched.
    """
    try:
        paths = [entry.path for entry in os.scandir(folder) if is_temporary(entry.name)]
    except OSError:
        return []
    return sorted(filter(is_old, paths))


def _local(folder: str) -> Iterator[str]:
    for where, folders, files in os.walk(folder):
        for name in filter(is_temporary, (*folders, *files)):
            yield str(Path(where, name))
        folders[:] = [name for name in folders if not is_temporary(name)]


def _remote(folder: str) -> Iterator[str]:
    for entry in object_store.list_files(folder):
        parts = entry.name.split("/")
        for end, name in enumerate(parts, start=1):
            if is_temporary(name):
                yield join(folder, "/".join(parts[:end]))
                break


def remove_leftovers(uris: Iterable[str]) -> None:
    """Removes files and folders, as far as that is possible.

    Raises:
        StoreError: An object store does not answer, or denies access.
    """
    for uri in uris:
        if is_remote(uri):
            object_store.remove(uri)
            object_store.remove_folder(uri)
        elif Path(uri).is_dir() and not Path(uri).is_symlink():
            shutil.rmtree(uri, ignore_errors=True)
        else:
            with suppress(OSError):
                Path(uri).unlink()
