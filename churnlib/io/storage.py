"""Files, wherever they lie: the same few functions for this machine and for object stores."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from churnlib.io import local, object_store
from churnlib.io.local import Entry
from churnlib.uris import is_remote


class _Store(Protocol):
    """What each kind of store can do; see the functions of the same names."""

    def fingerprint(self, uri: str, /) -> str: ...
    def is_file(self, uri: str, /) -> bool: ...
    def is_folder(self, uri: str, /) -> bool: ...
    def read_bytes(self, uri: str, /) -> bytes: ...
    def open_bytes(self, uri: str, /) -> BinaryIO: ...
    def list_files(self, folder: str, /) -> list[Entry]: ...
    def written_at(self, uri: str, /) -> int | None: ...
    def size(self, uri: str, /) -> int: ...
    def remove(self, uri: str, /) -> None: ...
    def remove_folder(self, uri: str, /) -> None: ...
    def local_copy(self, uri: str, /) -> AbstractContextManager[Path]: ...
    def reader_options(self, uri: str, /) -> Mapping[str, Any]: ...
    def exclusive_lock(self, uri: str, /) -> AbstractContextManager[None]: ...
    def replacing(
        self, targets: Sequence[str], last: str, /
    ) -> AbstractContextManager[Iterable[Path]]: ...


def _store(uri: str) -> _Store:
    return object_store if is_remote(uri) else local


def check_reachable(uri: str) -> None:
    """Asks an object store for a first answer, so that a run fails at its start.

    Raises:
        StoreError: The client is not installed, there is no such bucket, the store does not answer,
            or does not let in.
    """
    if is_remote(uri):
        object_store.check_reachable(uri)


def fingerprint(uri: str) -> str:
    """Digests what lies at a place; in an object store, without reading it.

    Args:
        uri: A file, or a folder, of which every file counts with its name.

    Returns:
        SHA-256 in hex: of the content. Of an object that something else wrote, of what the store
        says of it: its ETag, size and version.

    Raises:
        DataError: Nothing lies there, or it may not be read.
    """
    return _store(uri).fingerprint(uri)


def exists(uri: str) -> bool:
    """Tells whether a file, or a folder, lies at a place."""
    return _store(uri).is_file(uri) or _store(uri).is_folder(uri)


def is_file(uri: str) -> bool:
    """Tells whether a file lies at a place."""
    return _store(uri).is_file(uri)


def is_folder(uri: str) -> bool:
    """Tells whether a folder lies at a place; in an object store it is one if it holds a file."""
    return _store(uri).is_folder(uri)


def read_bytes(uri: str) -> bytes:
    """Reads a file whole.

    Raises:
        OSError: There is none, or it may not be read.
    """
    return _store(uri).read_bytes(uri)


def open_bytes(uri: str) -> BinaryIO:
    """Opens a file to be read from its start on, a part at a time.

    Raises:
        OSError: There is none, or it may not be read.
    """
    return _store(uri).open_bytes(uri)


def list_files(folder: str) -> list[Entry]:
    """Lists the files in a folder and below, in the order of their names; none where it is not."""
    return _store(folder).list_files(folder)


def written_at(uri: str) -> int | None:
    """When a file was written, in nanoseconds since 1970; null where there is none."""
    return _store(uri).written_at(uri)


def size(uri: str) -> int:
    """How many bytes a file has; 0 where there is none."""
    return _store(uri).size(uri)


def remove(uri: str) -> None:
    """Removes a file, if there is one."""
    _store(uri).remove(uri)


def remove_folder(uri: str) -> None:
    """Removes a folder with all that is in it, if there is one."""
    _store(uri).remove_folder(uri)


def local_copy(uri: str) -> AbstractContextManager[Path]:
    """Gives a path at which a file or folder can be read on this machine, for the block's time.

    Raises:
        OSError: There is none, or it may not be read.
    """
    return _store(uri).local_copy(uri)


def reader_options(uri: str) -> Mapping[str, Any]:
    """What Polars' readers of files must be given besides the place."""
    return _store(uri).reader_options(uri)


def exclusive_lock(uri: str) -> AbstractContextManager[None]:
    """Lets in one block at a time of all that ask to be alone with a file; the others wait.

    For whoever reads a file and writes what follows from it. Those that only read need not ask:
    they see the file of before or of after. What dies within its block keeps nobody out: on this
    machine the next goes on at once, in an object store after `churnlib.io.object_store.ABANDONED`.
    What lives is waited for, for `churnlib.io.locks.GIVE_UP` at most.

    Args:
        uri: The file, which need not be there.

    Raises:
        DataError: The system does not let a file be made beside it, or locked; or another block
            took too long.
        StoreError: The object store does not; or so did another block, or it took over.
    """
    return _store(uri).exclusive_lock(uri)


@contextmanager
def replacing(target: str | Path, *, last: str = "") -> Iterator[Path]:
    """Yields a local path; what is made there takes the target's place at the end.

    Where the block raises, what it made is removed and the target stays as it was.

    Args:
        target: The file, or a folder that does not exist yet.
        last: The file in a folder that vouches for the others: it does not come before them.

    Raises:
        DataError: The system does not let it be written: no right, no room, no folder.
        StoreError: The object store does not.
    """
    with replacing_all([target], last=last) as made:
        yield next(iter(made))


def replacing_all(
    targets: Sequence[str | Path], *, last: str = ""
) -> AbstractContextManager[Iterable[Path]]:
    """Does as `replacing` for targets that belong together: none is replaced before all are made.

    Args:
        targets: Files of one store.
        last: See `replacing`.

    Returns:
        A context that yields their local paths, to be made in their order.
    """
    places = [str(target) for target in targets]
    return _store(places[0]).replacing(places, last)


def write_text(text: str, target: str | Path) -> None:
    """Replaces a text file as a whole."""
    write_texts({str(target): text})


def write_texts(texts: Mapping[str, str]) -> None:
    """Replaces text files that belong together: none before all are written.

    Args:
        texts: What to write, by place.
    """
    with replacing_all(list(texts)) as made:
        for file, text in zip(made, texts.values(), strict=True):
            file.write_text(text, encoding="utf-8")
