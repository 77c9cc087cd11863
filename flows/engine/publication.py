"""Outputs that appear together: kept aside until all of them are complete."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path

from churnlib.io import storage
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.temporary import scratch_folder, temporary_name
from churnlib.uris import folder_of, is_remote, join, name_of


class _Publication:
    """The outputs of a block that are not at their places yet.

    Attributes:
        kept: What was written aside, by its place.
        removed: The places of what is to be removed.
        times: How often it was published.
    """

    def __init__(self, cleanup: ExitStack) -> None:
        self._cleanup = cleanup
        self.kept: dict[str, DatasetRef] = {}
        self.removed: set[str] = set()
        self.times = 0

    def new_folder(self, uri: str) -> str:
        """A temporary folder for what is to be put into another one, on the same disk."""
        if is_remote(uri):
            return str(self._cleanup.enter_context(scratch_folder()))
        folder = join(uri, temporary_name("aside"))
        self._cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def publish(self) -> None:
        """Puts all outputs in place, none before all are complete."""
        self.times += 1
        files, self.kept = self.kept, {}
        if files:
            with storage.replacing_all(list(files)) as paths:
                for path, kept in zip(paths, files.values(), strict=True):
                    shutil.move(kept.uri, path)
        removed, self.removed = self.removed, set()
        for uri in removed:
            storage.remove(uri)


_PENDING: ContextVar[_Publication | None] = ContextVar("pending", default=None)


@contextmanager
def published_together() -> Iterator[None]:
    """Keeps outputs of the block aside, until `publish` or the end of the block.

    Where the block raises, those that are not in place yet are dropped, and earlier ones stay. A
    nested block is part of the outer one, but drops only its own.
    """
    if outer := _PENDING.get():
        before, times = (outer.kept.copy(), outer.removed.copy()), outer.times
        try:
            yield
            outer.publish()
        except BaseException:
            outer.kept, outer.removed = before if outer.times == times else ({}, set())
            raise
        return
    with ExitStack() as cleanup:
        pending = _Publication(cleanup)
        token = _PENDING.set(pending)
        try:
            yield
            pending.publish()
        finally:
            _PENDING.reset(token)


def publish() -> None:
    """Puts the outputs that the enclosing block keeps aside in place; without one, all are."""
    if pending := _PENDING.get():
        pending.publish()


def place_aside(output: Dataset) -> Dataset:
    """Returns where an output is to be written: aside, or outside of a block at its place."""
    pending = _PENDING.get()
    if pending is None:
        return output
    folder = pending.new_folder(folder_of(output.uri))
    return replace(output, uri=str(Path(folder, name_of(output.uri))))


def keep_aside(written: DatasetRef, output: Dataset) -> DatasetRef:
    """Notes what was written aside; refers to it at its place, as tasks return it."""
    pending = _PENDING.get()
    if pending is not None:
        pending.kept[output.uri] = written
        pending.removed.discard(output.uri)
    return replace(written, uri=output.uri)


def remove_together(output: Dataset) -> None:
    """Removes an output together with the publication of the others."""
    pending = _PENDING.get()
    if pending is None:
        storage.remove(output.uri)
        return
    pending.kept.pop(output.uri, None)
    pending.removed.add(output.uri)


def present(dataset: DatasetRef) -> DatasetRef:
    """Refers to a dataset where it can be read: aside, if it is not in place yet."""
    pending = _PENDING.get()
    kept = pending.kept.get(dataset.uri) if pending else None
    return kept if kept and kept.fingerprint == dataset.fingerprint else dataset
