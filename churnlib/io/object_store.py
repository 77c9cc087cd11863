"""Objects in a store such as S3; their client is the one in Polars' readers, so both agree."""

import errno
import hashlib
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from churnlib.errors import DataError, StoreError
from churnlib.io.local import Entry, fingerprint_of, scratch
from churnlib.io.object_store_client import key_of, open_store, store_errors
from churnlib.io.temporary import temporary_name
from churnlib.uris import folder_of, join, name_of

if TYPE_CHECKING:
    from obstore import PutMode, UpdateVersion

DIGEST = "sha256"
"""The metadata key under which this package stores the digest of an object's content."""


def check_reachable(uri: str) -> None:
    """Requests the first objects of a folder."""
    with store_errors(uri):
        import obstore

        next(iter(obstore.list(open_store(uri), key_of(uri) or None)), None)


def fingerprint(uri: str, names: re.Pattern[str] | None = None) -> str:
    """See `churnlib.io.storage.fingerprint`; of a folder, those objects whose names match."""
    if names is None and (digest := _digest(uri)):
        return digest
    found = sorted(
        (each for each in _metadata(uri) if names is None or names.fullmatch(each[1])),
        key=lambda each: each[1],
    )
    # A listing has no digests, but shows which objects are as they were.
    digests = (
        (name, _known_digest(each, meta["e_tag"], meta["size"], meta["last_modified"]))
        for each, name, meta in found
    )
    files = {name: digest for name, digest in digests if digest}
    if not files:
        raise DataError(f"{uri}: cannot be read (there is no such object).")
    return fingerprint_of(files)


@lru_cache(maxsize=2**16)  # The parts of a folder are asked for once a process.
def _known_digest(uri: str, *_version: object) -> str | None:
    return _digest(uri)


def _digest(uri: str) -> str | None:
    head = _head(uri)
    if head is None:
        return None
    meta, attributes = head.meta, cast("Mapping[str, str]", head.attributes)
    version = f"{meta['e_tag']} {meta['size']} {meta['version']}"
    return attributes.get(DIGEST) or hashlib.sha256(version.encode()).hexdigest()


def _head(uri: str) -> Any | None:
    """Requests an object's metadata, with the attributes that `obstore.head` leaves out."""
    if not key_of(uri):  # The bucket itself.
        return None
    try:
        with store_errors(uri):
            import obstore

            return obstore.get(open_store(uri), key_of(uri), options={"head": True})
    except FileNotFoundError:
        return None


def find_file(uri: str) -> Entry | None:
    """See `churnlib.io.storage.find_file`."""
    head = _head(uri)
    return None if head is None else _entry(uri, name_of(uri), head.meta)


def _entry(uri: str, name: str, meta: Mapping[str, Any]) -> Entry:
    return Entry(uri, name, meta["size"], int(meta["last_modified"].timestamp()) * 10**9)


def is_folder(uri: str) -> bool:
    """See `churnlib.io.storage.is_folder`."""
    return any(True for _ in _list(uri))


def read_bytes(uri: str) -> bytes:
    """See `churnlib.io.storage.read_bytes`."""
    with store_errors(uri):
        import obstore

        return bytes(obstore.get(open_store(uri), key_of(uri)).bytes())


def read_if_exists(uri: str) -> bytes | None:
    """See `churnlib.io.storage.read_if_exists`."""
    try:
        return read_bytes(uri)
    except FileNotFoundError:
        return None


def open_bytes(uri: str) -> BinaryIO:
    """See `churnlib.io.storage.open_bytes`."""
    with store_errors(uri):
        import obstore

        chunks = obstore.get(open_store(uri), key_of(uri)).stream()
    return io.BufferedReader(_Stream(uri, chunks))


class _Stream(io.RawIOBase):
    """The chunks of an object as a file for sequential reading."""

    def __init__(self, uri: str, chunks: Iterable[Any]) -> None:
        self._uri, self._chunks, self._rest = uri, iter(chunks), memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            with store_errors(self._uri):
                chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def list_files(folder: str) -> list[Entry]:
    """See `churnlib.io.storage.list_files`."""
    return sorted(_list(folder), key=lambda entry: entry.name)


def list_names(folder: str) -> list[str]:
    """See `churnlib.io.storage.list_names`."""
    with store_errors(folder):
        import obstore

        found = obstore.list_with_delimiter(open_store(folder), key_of(folder).rstrip("/") or None)
    paths = (*(meta["path"] for meta in found["objects"]), *found["common_prefixes"])
    return sorted(path.rstrip("/").rpartition("/")[2] for path in paths)


def _list(folder: str) -> Iterator[Entry]:
    return (_entry(uri, name, meta) for uri, name, meta in _metadata(folder))


def _metadata(folder: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yields the URI of each object in a folder, its name there, and its metadata."""
    key = key_of(folder).rstrip("/")
    prefix = len(key) + 1 if key else 0
    bucket = folder.removesuffix("/").removesuffix(key)
    with store_errors(folder):
        import obstore

        for batch in obstore.list(open_store(folder), key or None):
            for meta in batch:
                yield join(bucket, meta["path"]), meta["path"][prefix:], meta


def remove(uri: str) -> None:
    """See `churnlib.io.storage.remove`."""
    with suppress(FileNotFoundError), store_errors(uri):  # Some stores raise where there is none.
        import obstore

        obstore.delete(open_store(uri), key_of(uri))


def remove_folder(uri: str) -> None:
    """See `churnlib.io.storage.remove_folder`."""
    for entry in list_files(uri):
        remove(entry.uri)


@contextmanager
def local_copy(uri: str) -> Iterator[Path]:
    """Downloads an object, or a folder of them, for the duration of the block."""
    with scratch(uri) as folder:
        copy = folder / name_of(uri)
        if find_file(uri):
            _download(uri, copy)
        else:
            for entry in list_files(uri):
                _download(entry.uri, copy / entry.name)
        if not copy.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), uri)
        yield copy


def _download(uri: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_bytes(uri) as source, target.open("wb") as copy:
        while chunk := source.read(1 << 20):
            copy.write(chunk)


@contextmanager
def replacing(targets: Sequence[str], last: str) -> Iterator[Iterable[Path]]:
    """Yields paths on this machine, and uploads the files when all are written."""
    with scratch(targets[0]) as folder:
        paths = [folder / str(number) / name_of(target) for number, target in enumerate(targets)]
        for path in paths:
            path.parent.mkdir()
        yield paths
        if len(targets) > 1:
            _upload_together(dict(zip(targets, paths, strict=True)))
        elif paths[0].is_dir():
            _upload_folder(targets[0], paths[0], last)
        else:
            _upload(targets[0], paths[0])


def _upload(uri: str, path: Path) -> None:
    """Uploads a file with its digest; others see the object once it is complete."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with store_errors(uri):
        import obstore

        obstore.put(open_store(uri), key_of(uri), path, attributes={DIGEST: digest})


def _upload_folder(uri: str, folder: Path, last: str) -> None:
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    uploaded: list[str] = []
    try:
        for name in sorted(files, key=lambda name: (name == last, name)):
            uploaded.append(join(uri, name))
            _upload(uploaded[-1], folder / name)
    except BaseException:
        _clean_up(uploaded)
        raise


def _upload_together(files: Mapping[str, Path]) -> None:
    """Uploads files under temporary names, and has the store copy them once all are there."""
    temporary = {uri: join(folder_of(uri), temporary_name(name_of(uri))) for uri in files}
    try:
        for uri, path in files.items():
            _upload(temporary[uri], path)
        for uri, beside in temporary.items():
            with store_errors(uri):
                open_store(uri).copy(key_of(beside), key_of(uri))
    finally:
        _clean_up(temporary.values())


def _clean_up(uris: Iterable[str]) -> None:
    """Removes leftovers; if that fails too, the first error is the one to report."""
    with suppress(StoreError):
        for uri in uris:
            remove(uri)


def put_if(uri: str, content: bytes, condition: "PutMode") -> "UpdateVersion | None":
    """Writes an object if it does not exist (`"create"`), or only over a known version of it.

    Returns:
        The version written; None where the condition was not met.
    """
    with store_errors(uri):
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            result = obstore.put(open_store(uri), key_of(uri), content, mode=condition)
        except (AlreadyExistsError, PreconditionError):
            return None
        except FileNotFoundError:
            if condition == "create":  # Then the bucket is missing, not the object.
                raise
            return None
    return _version(result)


def version_of(uri: str) -> "UpdateVersion | None":
    """Returns the version of an object, for `put_if`; None where there is none."""
    try:
        with store_errors(uri):
            import obstore

            meta = obstore.head(open_store(uri), key_of(uri))
    except FileNotFoundError:
        return None
    return _version(meta)


def _version(meta: Mapping[str, Any]) -> "UpdateVersion":
    version = {name: meta[name] for name in ("e_tag", "version") if meta.get(name)}
    return cast("UpdateVersion", version)
