"""Files on this machine."""

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from churnlib.errors import DataError, reason
from churnlib.io.locks import LockWait

PAUSE = 0.02
"""In seconds: how long to wait before asking again to be alone with a file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a folder.

    Attributes:
        uri: Where it lies.
        name: Its path from the folder, with slashes.
        size: In bytes.
        written: When, in nanoseconds since 1970; a store tells whole seconds.
    """

    uri: str
    name: str
    size: int
    written: int


def fingerprint(uri: str) -> str:
    """See `churnlib.io.storage.fingerprint`."""
    path = Path(uri)
    if path.is_dir():
        return of_folder({entry.name: fingerprint(entry.uri) for entry in list_files(uri)})
    try:
        stat = path.stat()
        # The time of change, unlike that of modification, cannot be set back by whoever copies.
        return _digest(uri, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error


def of_folder(files: Mapping[str, str]) -> str:
    """The fingerprint of a folder, of those of its files, by name and in their order."""
    parts = (f"{name} {known}\n" for name, known in files.items())
    return hashlib.sha256("".join(parts).encode()).hexdigest()


@lru_cache(maxsize=4096)
def _digest(uri: str, *_stat: int) -> str:
    with Path(uri).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_file(uri: str) -> bool:
    """Tells whether a file lies at a place."""
    return Path(uri).exists() and not Path(uri).is_dir()


def is_folder(uri: str) -> bool:
    """Tells whether a folder lies at a place."""
    return Path(uri).is_dir()


def read_bytes(uri: str) -> bytes:
    """Reads a file whole."""
    return Path(uri).read_bytes()


def open_bytes(uri: str) -> BinaryIO:
    """Opens a file to be read."""
    return Path(uri).open("rb")


def list_files(folder: str) -> list[Entry]:
    """Lists the files in a folder and below."""
    root = Path(folder)
    entries = []
    for path in root.rglob("*"):
        with suppress(FileNotFoundError):  # Another run may just be done with a temporary file.
            if path.is_file():
                name, stat = path.relative_to(root).as_posix(), path.stat()
                entries.append(Entry(str(path), name, stat.st_size, stat.st_mtime_ns))
    return sorted(entries, key=lambda entry: entry.name)


def size(uri: str) -> int:
    """How many bytes a file has."""
    return Path(uri).stat().st_size if Path(uri).exists() else 0


def written_at(uri: str) -> int | None:
    """When a file was written."""
    return Path(uri).stat().st_mtime_ns if Path(uri).exists() else None


def remove(uri: str) -> None:
    """Removes a file, if there is one."""
    Path(uri).unlink(missing_ok=True)


def remove_folder(uri: str) -> None:
    """Removes a folder with all that is in it."""
    if Path(uri).is_dir():
        shutil.rmtree(uri)


@contextmanager
def local_copy(uri: str) -> Iterator[Path]:
    """Gives the file itself."""
    yield Path(uri)


def reader_options(_uri: str) -> Mapping[str, Any]:
    """Polars' readers need no more than the path."""
    return {}


@contextmanager
def exclusive_lock(uri: str) -> Iterator[None]:
    """Locks a file beside, which the system unlocks when the process ends, however it does."""
    beside = Path(uri).with_name(f".{Path(uri).name}.lock")
    with _lock(beside):
        try:
            yield
        finally:
            beside.unlink(missing_ok=True)


def _lock(path: Path) -> BinaryIO:
    try:
        import fcntl
    except ImportError:
        raise DataError(
            f"{path}: this system has no locks of files (fcntl), without which two runs at once "
            "might lose what one has written. Run this on Linux or macOS, or in a container."
        ) from None
    turn = LockWait(str(path), DataError)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            file = path.open("wb")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                turn.wait(PAUSE)
                continue
            with suppress(FileNotFoundError):  # Whoever was alone before has removed it.
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    return file
            file.close()
    except OSError as error:
        raise DataError(
            f"{path} cannot be locked ({reason(error)}). Give the right to write there, on a file "
            "system that knows locks, or name another data folder with --data-dir."
        ) from error


@contextmanager
def replacing(targets: Sequence[str], _last: str) -> Iterator[Iterable[Path]]:
    """Makes files beside the targets, and moves them when all are made; a move cannot be half."""
    with ExitStack() as replaced:
        yield (replaced.enter_context(_beside(Path(target))) for target in targets)


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    beside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield beside
            beside.replace(target)
        finally:
            if beside.is_dir():
                shutil.rmtree(beside)
            else:
                beside.unlink(missing_ok=True)
    except Exception as error:
        if not _is_of_machine(error):
            raise
        raise DataError(
            f"{target} cannot be written ({reason(error)}). Make room or give the right to write "
            "there, or name another data folder with --data-dir."
        ) from error


def _is_of_machine(error: Exception) -> bool:
    # Polars words a fault of the system as one of its own; and one of a store as a system's.
    return "://" not in str(error) and (isinstance(error, OSError) or "(os error " in str(error))


@contextmanager
def scratch(target: str) -> Iterator[Path]:
    """Yields a folder for the making of what then goes elsewhere.

    Args:
        target: What is made there, for messages.

    Raises:
        DataError: There is no room, or no right to write.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="churn-") as folder:
            yield Path(folder)
    except Exception as error:
        if not _is_of_machine(error):
            raise
        raise DataError(
            f"{target} cannot be made ready on this machine ({reason(error)}). Make room in "
            f"{tempfile.gettempdir()}, or name another folder in the variable TMPDIR."
        ) from error
