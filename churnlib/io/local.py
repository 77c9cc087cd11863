"""Files on this machine: the parts of `churnlib.io.storage` that take more than a line."""

import hashlib
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from churnlib.errors import DataError, reason

REPORTS = "reports/"
"""The folder in a version's folder that has the reports on it."""


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


def fingerprint(uri: str) -> str:
    """See `churnlib.io.storage.fingerprint`."""
    path = Path(uri)
    if path.is_dir():
        return fingerprint_of({entry.name: fingerprint(entry.uri) for entry in list_files(uri)})
    try:
        check_regular(uri)
        now = path.stat()
        # Unlike the time of modification, the time of change cannot be set back by a copy.
        return _digest(uri, now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error


def fingerprint_of(files: Mapping[str, str]) -> str:
    """Computes the fingerprint of a folder from those of its files, by name and in their order.

    Files in its folder of reports are about its content, and no part of it.
    """
    parts = (f"{n} {digest}\n" for n, digest in files.items() if not n.startswith(REPORTS))
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def check_regular(uri: str) -> None:
    """Refuses what is neither a file nor a folder, because reading it may never end.

    Raises:
        DataError: It is a pipe, a socket or a device.
        OSError: There is no such file.
    """
    kind = stat.S_IFMT(Path(uri).stat().st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR):
        name = _SPECIAL.get(kind, "a device")
        raise DataError(f"{uri} is {name}, not a file. Put a file in its place.")


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
    path = Path(folder)
    return sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []


def find_file(uri: str) -> Entry | None:
    """See `churnlib.io.storage.find_file`."""
    path = Path(uri)
    if not path.exists() or path.is_dir():
        return None
    check_regular(uri)
    found = path.stat()
    return Entry(uri, path.name, found.st_size, found.st_mtime_ns)


def list_files(folder: str) -> list[Entry]:
    """See `churnlib.io.storage.list_files`."""
    root = Path(folder)
    entries = []
    for path in root.rglob("*"):
        with suppress(FileNotFoundError):  # Another run may remove its temporary files meanwhile.
            if path.is_file():
                name, found = path.relative_to(root).as_posix(), path.stat()
                entries.append(Entry(str(path), name, found.st_size, found.st_mtime_ns))
    return sorted(entries, key=lambda entry: entry.name)


@contextmanager
def replacing(targets: Sequence[str]) -> Iterator[Iterable[Path]]:
    """Yields temporary paths, and moves the files, atomically, when all are written."""
    with ExitStack() as replaced:
        yield (replaced.enter_context(_temporary(Path(target))) for target in targets)


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    # In a folder of its own: a writer that fails may create its file only after it has raised.
    folder = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        folder.mkdir(parents=True)
        try:
            yield folder / target.name
            (folder / target.name).replace(target)
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
        with tempfile.TemporaryDirectory(prefix="churn-") as folder:
            yield Path(folder)
    except Exception as error:
        if not _is_system_error(error):
            raise
        raise DataError(
            f"{target} cannot be prepared on this machine ({reason(error)}). Free some space in "
            f"{tempfile.gettempdir()}, or name another folder in the variable TMPDIR."
        ) from error
