"""Files, wherever they are: the same functions for paths of this machine and for object stores."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any, BinaryIO

from churnlib.io import local, locks, object_store
from churnlib.io.local import Entry
from churnlib.io.object_store_client import polars_options
from churnlib.uris import is_pattern, is_remote, split_pattern


def check_reachable(uri: str) -> None:
    """Checks that an object store answers; does nothing for a folder.

    Raises:
        StoreError: The client is not installed, there is no such bucket, or the store does not
            answer or denies access.
    """
    if is_remote(uri):
        object_store.check_reachable(uri)


def fingerprint(uri: str) -> str:
    """Digests a file, or all files of a folder or pattern with their names; objects unread.

    Returns:
        SHA-256 in hex, of the content; for an object that another program wrote, of its ETag, size
        and version.

    Raises:
        DataError: There is no such file or folder, or it may not be read.
    """
    where, names = split_pattern(uri) if is_pattern(uri) else (uri, None)
    if is_remote(uri):
        return object_store.fingerprint(where, names)
    return local.fingerprint(where, names)


def find_file(uri: str) -> Entry | None:
    """Returns the entry of a file; None if there is none.

    Raises:
        UnreadableError: It cannot be told: a folder denies access, a symbolic link has no target,
            or an object store does not answer.
    """
    return object_store.find_file(uri) if is_remote(uri) else local.find_file(uri)


def is_file(uri: str) -> bool:
    """Whether there is a file."""
    return find_file(uri) is not None


def is_folder(uri: str) -> bool:
    """Whether there is a folder; in an object store, a prefix with at least one object.

    Raises:
        UnreadableError: It cannot be told; see `find_file`.
    """
    return object_store.is_folder(uri) if is_remote(uri) else local.is_folder(uri)


def exists(uri: str) -> bool:
    """Whether there is a file or a folder, or a file that matches a pattern."""
    if is_pattern(uri):
        return bool(list_files(uri))
    return is_file(uri) or is_folder(uri)


def is_within(uri: str, folder: str) -> bool:
    """Whether a location is a folder or lies in it; on this machine, links are followed.

    >>> is_within("s3://bucket/data/trial", "s3://bucket/data"), is_within("/srv/b", "/srv/a")
    (True, False)
    >>> is_within("s3://bucket/data/../models", "s3://bucket/data")
    False
    """
    if is_remote(uri) != is_remote(folder):
        return False
    if not is_remote(uri):
        return Path(uri).resolve().is_relative_to(Path(folder).resolve())
    parts, root = uri.rstrip("/").split("/"), folder.rstrip("/").split("/")
    return parts[: len(root)] == root and not {".", "..", ""} & {*parts[len(root) :]}


def written_at(uri: str) -> int | None:
    """Returns when a file was written, in nanoseconds since 1970; None if there is none."""
    entry = find_file(uri)
    return entry.written if entry else None


def size(uri: str) -> int:
    """Returns the size of a file in bytes; 0 if there is none."""
    entry = find_file(uri)
    return entry.size if entry else 0


def list_files(folder: str) -> list[Entry]:
    """Lists the files in a folder and its subfolders by name; empty if there is no folder.

    Of a pattern, it lists the files that match it, with their names from the folder before the
    first `*` on.

    Raises:
        UnreadableError: One of them cannot be looked up; see `find_file`.
    """
    if is_pattern(folder):
        where, names = split_pattern(folder)
        return [entry for entry in list_files(where) if names.fullmatch(entry.name)]
    return object_store.list_files(folder) if is_remote(folder) else local.list_files(folder)


def list_names(folder: str) -> list[str]:
    """Lists the names in a folder, of files and of folders; empty if there is no folder.

    Raises:
        UnreadableError: The folder cannot be read; see `find_file`.
    """
    return object_store.list_names(folder) if is_remote(folder) else local.list_names(folder)


def read_bytes(uri: str) -> bytes:
    """Reads a whole file.

    Raises:
        OSError: There is none, or it may not be read.
    """
    return object_store.read_bytes(uri) if is_remote(uri) else Path(uri).read_bytes()


def read_if_exists(uri: str) -> bytes | None:
    """Reads a whole file; None only if nothing is there.

    Raises:
        UnreadableError: Something is there but cannot be read, or this cannot be told: no access, a
            folder, a symbolic link without a target, a fault of the disk; or an object store does
            not answer or denies access.
    """
    return object_store.read_if_exists(uri) if is_remote(uri) else local.read_if_exists(uri)


def open_bytes(uri: str) -> BinaryIO:
    """Opens a file for sequential reading.

    Raises:
        DataError: It is a pipe, a socket or a device.
        OSError: There is none, or it may not be read.
    """
    return object_store.open_bytes(uri) if is_remote(uri) else local.open_bytes(uri)


def local_copy(uri: str) -> AbstractContextManager[Path]:
    """Yields a path on this machine where a file or folder can be read within the block.

    Raises:
        OSError: There is none, or it may not be read.
    """
    return object_store.local_copy(uri) if is_remote(uri) else nullcontext(Path(uri))


def reader_options(uri: str) -> Mapping[str, Any]:
    """Returns the arguments that Polars' readers need in addition to the path or URI."""
    return polars_options(uri) if is_remote(uri) else {}


def remove(uri: str) -> None:
    """Removes a file, if there is one.

    Raises:
        DataError: It may not be removed.
    """
    if is_remote(uri):
        object_store.remove(uri)
    else:
        local.remove(uri)


def remove_folder(uri: str) -> None:
    """Removes a folder with all its content, if there is one.

    Raises:
        DataError: It may not be removed.
    """
    if is_remote(uri):
        object_store.remove_folder(uri)
    else:
        local.remove_folder(uri)


@contextmanager
def exclusive_lock(uri: str, wait: locks.LockWait | None = None) -> Iterator[None]:
    """Lets only one process at a time read and rewrite a file; the others wait.

    Blocks that only read need no lock: they see the file of before or of after. The lock of a dead
    process is free at once on this machine, and after `churnlib.io.locks.ABANDONED_AFTER` seconds
    in an object store: a holder that was suspended for so long writes nothing once it goes on. A
    wait ends after `churnlib.io.locks.GIVE_UP_AFTER` seconds.

    Args:
        uri: The file, which need not exist.
        wait: Another way to wait, with limits of its own.

    Raises:
        DataError: A file on this machine cannot be locked, or the wait is over.
        StoreError: An object cannot be locked, the wait is over, or the lock was lost.
    """
    if is_remote(uri):
        with locks.lock_object(uri, wait) as check, checked_before_replacing(check):
            yield
    else:
        with locks.lock_file(uri, wait):
            yield


@contextmanager
def replacing(target: str | Path, *, last: str = "") -> Iterator[Path]:
    """Yields a local path; what the block writes there replaces the target at its end.

    Where the block raises, the new file is removed and the target stays as it was. In the layers of
    `churnlib.io.durability.DURABLE`, the new content is on the disk when the block has ended.

    Args:
        target: The file, or a folder that does not exist yet.
        last: The file of a folder that vouches for the others: it never exists without them.

    Raises:
        DataError: The target cannot be written: no write access, no space, not in a folder.
        StoreError: The object store cannot write it.
    """
    with replacing_all([target], last=last) as paths:
        yield next(iter(paths))


@contextmanager
def replacing_all(targets: Sequence[str | Path], *, last: str = "") -> Iterator[Iterable[Path]]:
    """Replaces several targets as `replacing` does, none before all are written.

    Args:
        targets: Files of one store.
        last: See `replacing`.

    Yields:
        Their local paths, to be written in this order.
    """
    uris = [str(target) for target in targets]
    remote = is_remote(uris[0])
    with object_store.replacing(uris, last) if remote else local.replacing(uris, last) as paths:
        yield paths
        for check in _CHECKS.get():
            check()


_CHECKS: ContextVar[tuple[Callable[[], None], ...]] = ContextVar("checks", default=())


@contextmanager
def checked_before_replacing(check: Callable[[], None]) -> Iterator[None]:
    """Calls a function before each file that the block writes replaces its target.

    Args:
        check: Raises if the target must stay as it is.
    """
    token = _CHECKS.set((*_CHECKS.get(), check))
    try:
        yield
    finally:
        _CHECKS.reset(token)


def write_text(text: str, target: str | Path) -> None:
    """Replaces a text file as a whole."""
    write_texts({str(target): text})


def write_texts(texts: Mapping[str, str]) -> None:
    """Replaces several text files, none before all are written.

    Args:
        texts: Their contents, by path or URI.
    """
    with replacing_all(list(texts)) as paths:
        for path, text in zip(paths, texts.values(), strict=True):
            path.write_text(text, encoding="utf-8")
