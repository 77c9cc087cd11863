"""Files on this machine: the parts of `churnlib.io.storage` that take more than a line."""

import errno
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from churnlib.errors import DataError, UnreadableDataError, reason
from churnlib.io import durability
from churnlib.io.temporary import scratch_folder, temporary_name

REPORTS = "reports/"
"""The folder in a version's folder that has the reports on it."""
IN_USE = "in_use"
"""The folder in a version's folder that has its models in use, each in a folder of its own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a folder.

    Attributes:
        uri: Its path or URI.
        name: Its path relative to the folder, with slashes.
        size: In bytes.
        written: When it was written, in nanoseconds since 1970; object stores know whole seconds.
    """

    uri: str
    name: str
    size: int
    written: int


def fingerprint(uri: str, names: re.Pattern[str] | None = None) -> str:
    """See `churnlib.io.storage.fingerprint`; of a folder, those files whose names match."""
    now = _status(uri)
    if now is None:
        raise DataError(f"{uri}: cannot be read ({os.strerror(errno.ENOENT)}).")
    if stat.S_ISDIR(now.st_mode):
        files = [f for f in list_files(uri) if names is None or names.fullmatch(f.name)]
        if names is not None and not files:
            raise DataError(f"{uri}: no file there matches the pattern.")
        return fingerprint_of({file.name: fingerprint(file.uri) for file in files})
    with _readable(uri):
        check_regular(uri)
        # Unlike the time of modification, the time of change cannot be set back by a copy.
        return _digest(uri, now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino)


def fingerprint_of(files: Mapping[str, str]) -> str:
    """Computes the fingerprint of a folder from those of its files, by name and in their order.

    Files in its folder of reports are about its content, and no part of it. Models in use are made
    later, and have fingerprints of their own.
    """
    apart = (REPORTS, f"{IN_USE}/")
    parts = (f"{n} {digest}\n" for n, digest in files.items() if not n.startswith(apart))
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def check_regular(uri: str) -> None:
    """Refuses what is neither a file nor a folder, because reading it may never end.

    Raises:
        UnreadableDataError: It is a pipe, a socket or a device.
        OSError: There is no such file.
    """
    kind = stat.S_IFMT(Path(uri).stat().st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR):
        name = _SPECIAL.get(kind, "a device")
        raise UnreadableDataError(f"{uri} is {name}, not a file. Put a file in its place.")


_SPECIAL = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}


def open_bytes(uri: str) -> BinaryIO:
    """See `churnlib.io.storage.open_bytes`."""
    check_regular(uri)
    return Path(uri).open("rb")


@lru_cache(maxsize=2**16)  # The parts of a folder are digested once a process.
def _digest(uri: str, *_stat: int) -> str:
    with Path(uri).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_names(folder: str) -> list[str]:
    """See `churnlib.io.storage.list_names`."""
    if not is_folder(folder):
        return []
    with _readable(folder):
        return sorted(path.name for path in Path(folder).iterdir())


def find_file(uri: str) -> Entry | None:
    """See `churnlib.io.storage.find_file`."""
    found = _status(uri)
    if found is None or stat.S_ISDIR(found.st_mode):
        return None
    check_regular(uri)
    return Entry(uri, Path(uri).name, found.st_size, found.st_mtime_ns)


def is_folder(uri: str) -> bool:
    """See `churnlib.io.storage.is_folder`."""
    found = _status(uri)
    return found is not None and stat.S_ISDIR(found.st_mode)


def list_files(folder: str) -> list[Entry]:
    """See `churnlib.io.storage.list_files`."""
    if not is_folder(folder):
        return []
    entries = []
    with _readable(folder):
        for path in _walk(folder):
            found = _status(str(path))
            if found and stat.S_ISREG(found.st_mode):
                name = path.relative_to(folder).as_posix()
                entries.append(Entry(str(path), name, found.st_size, found.st_mtime_ns))
    return sorted(entries, key=lambda entry: entry.name)


def _walk(folder: str) -> Iterator[Path]:
    """Yields the files in a folder and its subfolders; other programs leave hidden dead links."""

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # Another run may remove its own meanwhile.
            raise error

    for where, _, names in os.walk(folder, onerror=refuse):
        for path in (Path(where, name) for name in names):
            if not (path.name.startswith(".") and path.is_symlink() and not path.exists()):
                yield path


def read_if_exists(uri: str) -> bytes | None:
    """See `churnlib.io.storage.read_if_exists`."""
    with _readable(uri):
        try:
            check_regular(uri)
            return Path(uri).read_bytes()
        except FileNotFoundError:
            _stat_if_exists(Path(uri))
            return None


def _stat_if_exists(path: Path) -> os.stat_result | None:
    """Looks a path up; None only if nothing is there.

    Raises:
        OSError: Something is there but cannot be reached; for example, a link leads to a disk that
            is not mounted.
    """
    try:
        return path.stat()
    except FileNotFoundError:
        nearest = next(each for each in (path, *path.parents) if os.path.lexists(each))
        if nearest.is_symlink() and not nearest.exists():
            why = "a symbolic link whose target does not exist"
            raise OSError(errno.ENOENT, why, str(nearest)) from None
        return None


def _status(uri: str) -> os.stat_result | None:
    """Looks a file or folder up; None if there is none.

    Raises:
        UnreadableDataError: See `_stat_if_exists`.
    """
    with _readable(uri):
        return _stat_if_exists(Path(uri))


@contextmanager
def _readable(uri: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnreadableDataError(f"{uri}: cannot be read ({error.strerror}).") from error


def remove(uri: str) -> None:
    """See `churnlib.io.storage.remove`."""
    with _removable(uri):
        Path(uri).unlink(missing_ok=True)
        durability.keep_removal(Path(uri))


def remove_folder(uri: str) -> None:
    """See `churnlib.io.storage.remove_folder`."""
    if Path(uri).is_dir():
        with _removable(uri):
            shutil.rmtree(uri)
            durability.keep_removal(Path(uri))


@contextmanager
def _removable(uri: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{uri} cannot be removed ({reason(error)}). Grant write access there, or name another "
            "data folder with --data-dir."
        ) from error


@contextmanager
def replacing(targets: Sequence[str], last: str = "") -> Iterator[Iterable[Path]]:
    """Yields temporary paths, and moves the files, atomically, when all are written."""
    with ExitStack() as replaced:
        yield (replaced.enter_context(_temporary(Path(target), last)) for target in targets)


@contextmanager
def _temporary(target: Path, last: str) -> Iterator[Path]:
    # In a folder of its own: a writer that fails may create its file only after it has raised.
    folder = target.with_name(temporary_name(target.name))
    try:
        new_folders = durability.missing_folders(target)
        folder.mkdir(parents=True)
        try:
            yield folder / target.name
            durability.keep_content(folder / target.name, target, last)
            (folder / target.name).replace(target)
            durability.keep_names(target, new_folders)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except Exception as error:
        if not _is_system_error(error):
            raise
        raise DataError(
            f"{target} cannot be written ({reason(error)}). Free some space or grant write access "
            "there, or name another data folder with --data-dir."
        ) from error


def _is_system_error(error: Exception) -> bool:
    # Polars raises system errors as its own, and errors of an object store as system errors.
    return "://" not in str(error) and (isinstance(error, OSError) or "(os error " in str(error))


@contextmanager
def scratch(target: str) -> Iterator[Path]:
    """Yields a temporary folder.

    Args:
        target: What is prepared there, for messages.

    Raises:
        DataError: The disk is full, or the folder is not writable.
    """
    try:
        with scratch_folder() as folder:
            yield folder
    except Exception as error:
        if not _is_system_error(error):
            raise
        raise DataError(
            f"{target} cannot be prepared on this machine ({reason(error)}). Free some space in "
            f"{tempfile.gettempdir()}, or name another folder in the variable TMPDIR."
        ) from error
