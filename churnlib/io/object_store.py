"""Objects in a store such as S3. The client is that under Polars' own reader: both see the same."""

import errno
import hashlib
import io
import os
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

from churnlib.errors import DataError, StoreError
from churnlib.io.local import Entry, of_folder, scratch
from churnlib.io.locks import LockWait
from churnlib.io.object_store_client import key_of, open_store, polars_options, telling
from churnlib.uris import folder_of, join, name_of

if TYPE_CHECKING:
    from obstore import PutMode, UpdateVersion

DIGEST = "sha256"
"""The metadata of an object in which its content's digest is kept by whoever writes here."""


PAUSE, ABANDONED = 0.2, 60.0
"""In seconds: how long to wait before asking again to be alone with an object, and after how long
whoever is there without a sign counts as dead. Whoever lives gives one in a quarter of that."""


class Head(NamedTuple):
    """What a store says of an object without sending it."""

    fingerprint: str
    written: int
    size: int


def check_reachable(uri: str) -> None:
    """Asks the store for the first objects of a folder."""
    with telling(uri):
        import obstore

        next(iter(obstore.list(open_store(uri), key_of(uri) or None)), None)


def fingerprint(uri: str) -> str:
    """See `churnlib.io.storage.fingerprint`."""
    if head := _head(uri):
        return head.fingerprint
    heads = ((entry.name, _head(entry.uri)) for entry in list_files(uri))
    files = {name: head.fingerprint for name, head in heads if head}
    if not files:
        raise DataError(f"{uri}: cannot be read (there is no such object).")
    return of_folder(files)


def _head(uri: str) -> Head | None:
    if not key_of(uri):  # The bucket itself.
        return None
    try:
        with telling(uri):
            import obstore

            found = obstore.get(open_store(uri), key_of(uri), options={"head": True})
    except FileNotFoundError:
        return None
    meta, attributes = found.meta, cast("Mapping[str, str]", found.attributes)
    said = f"{meta['e_tag']} {meta['size']} {meta['version']}"
    known = attributes.get(DIGEST) or hashlib.sha256(said.encode()).hexdigest()
    return Head(known, _nanoseconds(meta), meta["size"])


def _nanoseconds(meta: Any) -> int:
    return int(meta["last_modified"].timestamp()) * 10**9


def is_file(uri: str) -> bool:
    """Tells whether there is an object of a key."""
    return _head(uri) is not None


def is_folder(uri: str) -> bool:
    """Tells whether there are objects under a key."""
    return any(True for _ in _listed(uri))


def read_bytes(uri: str) -> bytes:
    """Reads an object whole."""
    with telling(uri):
        import obstore

        return bytes(obstore.get(open_store(uri), key_of(uri)).bytes())


def open_bytes(uri: str) -> BinaryIO:
    """Opens an object to be read as it comes."""
    with telling(uri):
        import obstore

        parts = obstore.get(open_store(uri), key_of(uri)).stream()
    return io.BufferedReader(_Stream(uri, parts))


class _Stream(io.RawIOBase):
    """The parts of an object as a file that is read from its start on."""

    def __init__(self, uri: str, parts: Iterable[Any]) -> None:
        self._uri, self._parts, self._rest = uri, iter(parts), memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            with telling(self._uri):
                part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = memoryview(part)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def list_files(folder: str) -> list[Entry]:
    """Lists the objects under a key."""
    return sorted(_listed(folder), key=lambda entry: entry.name)


def _listed(folder: str) -> Iterator[Entry]:
    key = key_of(folder).rstrip("/")
    above = len(key) + 1 if key else 0
    bucket = folder.removesuffix("/").removesuffix(key)
    with telling(folder):
        import obstore

        for batch in obstore.list(open_store(folder), key or None):
            for meta in batch:
                name = meta["path"][above:]
                yield Entry(join(bucket, meta["path"]), name, meta["size"], _nanoseconds(meta))


def written_at(uri: str) -> int | None:
    """When an object was written."""
    head = _head(uri)
    return head.written if head else None


def size(uri: str) -> int:
    """How many bytes an object has."""
    head = _head(uri)
    return head.size if head else 0


def remove(uri: str) -> None:
    """Removes an object, if there is one."""
    with suppress(FileNotFoundError), telling(uri):  # Some stores say that there is none.
        import obstore

        obstore.delete(open_store(uri), key_of(uri))


def remove_folder(uri: str) -> None:
    """Removes all objects under a key."""
    for entry in list_files(uri):
        remove(entry.uri)


def _clean_up(uris: Iterable[str]) -> None:
    """Removes what is of no use; where the store does not let it, that is not the fault to tell."""
    with suppress(StoreError):
        for uri in uris:
            remove(uri)


@contextmanager
def local_copy(uri: str) -> Iterator[Path]:
    """Fetches an object, or all under a key."""
    with scratch(uri) as folder:
        copy = folder / name_of(uri)
        if is_file(uri):
            _fetch(uri, copy)
        else:
            for entry in list_files(uri):
                _fetch(entry.uri, copy / entry.name)
        if not copy.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), uri)
        yield copy


def _fetch(uri: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_bytes(uri) as source, target.open("wb") as copy:
        while part := source.read(1 << 20):
            copy.write(part)


def reader_options(uri: str) -> Mapping[str, Any]:
    """See `churnlib.io.storage.reader_options`."""
    return polars_options(uri)


@contextmanager
def exclusive_lock(uri: str) -> Iterator[None]:
    """Puts an object beside, which a store does for one alone where there is none.

    Whoever is alone puts it anew again and again. Of what died within its block it stays as it was,
    and is taken over after `ABANDONED`, counted from when it is first seen so, so that no two
    clocks are held against each other.

    Raises:
        StoreError: Another came to be alone before the block was done, because this one gave no
            sign for so long: the network was away, or the machine asleep.
    """
    held = _hold(join(folder_of(uri), f".{name_of(uri)}.lock"))
    try:
        yield
    except BaseException:
        with suppress(StoreError):
            held.release()
        raise
    if not held.release():
        raise StoreError(
            f"{uri}: another run took over, because this one gave no sign for {ABANDONED:.0f} "
            "seconds. What one of the two has changed may be lost: see what is there, and run this "
            "again."
        )


def _hold(lock: str) -> "_Held":
    mark, turn = uuid.uuid4().hex.encode(), LockWait(lock, StoreError)
    seen, waited = None, 0.0
    while (mine := _put_where(lock, mark, "create")) is None:
        there = _version_of(lock)
        waited, seen = (waited, seen) if there == seen else (0.0, there)
        if there and waited >= ABANDONED and (mine := _put_where(lock, mark, there)) is not None:
            break
        turn.wait(PAUSE)
        waited += PAUSE
    return _Held(lock, mark, mine)


class _Held:
    """An object that says who is alone, put anew in a thread beside until it is released."""

    def __init__(self, lock: str, mark: bytes, version: "UpdateVersion") -> None:
        self._lock, self._mark, self._version = lock, mark, version
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def _renew(self) -> None:
        for number in count(1):
            if self._released.wait(ABANDONED / 4):
                return
            with suppress(StoreError):  # It may answer the next time.
                content = self._mark + f" {number}".encode()  # Of the same, the ETag is the same.
                made = _put_where(self._lock, content, self._version)
                if made is None:  # Taken over, unless the store did it, and its answer was lost.
                    made = _version_of(self._lock)
                    if made is None or not self._is_there():
                        return
                self._version = made

    def _is_there(self) -> bool:
        try:
            return read_bytes(self._lock).startswith(self._mark)
        except FileNotFoundError:
            return False

    def release(self) -> bool:
        """Lets the next in; tells whether nobody was in meanwhile."""
        self._released.set()
        self._thread.join()
        if not self._is_there():
            return False
        remove(self._lock)
        return True


def _put_where(uri: str, content: bytes, mode: "PutMode") -> "UpdateVersion | None":
    """Puts an object if there is none, or that version of it; null where it did not."""
    with telling(uri):
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            made = obstore.put(open_store(uri), key_of(uri), content, mode=mode)
        except (AlreadyExistsError, PreconditionError, FileNotFoundError):
            return None
    return _as_version(made)


def _version_of(uri: str) -> "UpdateVersion | None":
    try:
        with telling(uri):
            import obstore

            meta = obstore.head(open_store(uri), key_of(uri))
    except FileNotFoundError:
        return None
    return _as_version(meta)


def _as_version(meta: Mapping[str, Any]) -> "UpdateVersion":
    told = {name: meta.get(name) for name in ("e_tag", "version")}
    return cast("UpdateVersion", {name: value for name, value in told.items() if value})


@contextmanager
def replacing(targets: Sequence[str], last: str) -> Iterator[Iterable[Path]]:
    """Makes files on this machine, and puts them into the store when all are made."""
    with scratch(targets[0]) as folder:
        made = [folder / str(number) / name_of(target) for number, target in enumerate(targets)]
        for path in made:
            path.parent.mkdir()
        yield made
        if len(targets) > 1:
            _put_together(dict(zip(targets, made, strict=True)))
        elif made[0].is_dir():
            _put_folder(targets[0], made[0], last)
        else:
            _put(targets[0], made[0])


def _put(uri: str, path: Path) -> None:
    """Puts an object, which others see when it is whole; its digest goes with it."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with telling(uri):
        import obstore

        obstore.put(open_store(uri), key_of(uri), path, attributes={DIGEST: digest})


def _put_folder(uri: str, folder: Path, last: str) -> None:
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    put: list[str] = []
    try:
        for name in sorted(files, key=lambda name: (name == last, name)):
            put.append(join(uri, name))
            _put(put[-1], folder / name)
    except BaseException:
        _clean_up(put)
        raise


def _put_together(files: Mapping[str, Path]) -> None:
    """Puts objects beside their places, and lets the store copy them there once it has them all."""
    mark = uuid.uuid4().hex[:12]
    staged = {uri: join(folder_of(uri), f".{name_of(uri)}.{mark}.tmp") for uri in files}
    try:
        for uri, path in files.items():
            _put(staged[uri], path)
        for uri, beside in staged.items():
            with telling(uri):
                open_store(uri).copy(key_of(beside), key_of(uri))
    finally:
        _clean_up(staged.values())
