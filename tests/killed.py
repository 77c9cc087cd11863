"""Work that ends at one of its changes of files, as if the process were killed there."""

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import obstore
import pytest

CHANGES = frozenset({"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.truncate"})
"""The audit events of changes; an `open` is one if it is for writing."""
WRITING = 0o3 | 0o100  # O_WRONLY, O_RDWR, O_CREAT.


class Killed(BaseException):
    """The process is dead: nothing that cleans up does so."""


class Operations:
    """Counts the changes that the current thread makes below a folder, or in a store.

    Args:
        place: The folder; empty for a store.
        at: How many changes succeed; all if None.
    """

    def __init__(self, place: str, at: int | None) -> None:
        self.done: list[str] = []
        self._place, self._at, self._thread = place, at, threading.get_ident()

    def step(self, what: str) -> None:
        """Counts a change that is about to be made, or stops it and all later ones."""
        if threading.get_ident() == self._thread:
            if len(self.done) == self._at:
                raise Killed(what)
            self.done.append(what)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Takes what Python says of its operations on files."""
        is_change = event in CHANGES or (event == "open" and arguments[2] & WRITING)
        if self._place and is_change and isinstance(arguments[0], str | Path):
            path = str(arguments[0])
            # `rmtree` gives names relative to an open folder.
            if path.startswith(self._place) or not path.startswith("/"):
                self.step(f"{event} {path}")


_heard: Operations | None = None


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if _heard is not None and (event == "open" or event.startswith("os.")):
        _heard.hear(event, arguments)


_LISTENING = threading.Event()


@contextmanager
def heard(place: str, at: int | None = None) -> Iterator[Operations]:
    """Counts the changes of the block in a folder; see `Operations`. They cannot be nested."""
    global _heard
    if not _LISTENING.is_set():  # A hook cannot be removed.
        _LISTENING.set()
        sys.addaudithook(_listen)
    _heard = Operations(place, at)
    try:
        yield _heard
    finally:
        _heard = None


@contextmanager
def heard_of_store(at: int | None = None) -> Iterator[Operations]:
    """Counts the changes of the block in object stores; see `Operations`."""
    operations = Operations("", at)

    def counted(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def change(*args: Any, **kwargs: Any) -> Any:
            operations.step(f"{name} {args[1]}")
            return function(*args, **kwargs)

        return change

    with pytest.MonkeyPatch.context() as patched:
        for name in ("put", "delete"):
            patched.setattr(obstore, name, counted(getattr(obstore, name), name))
        yield operations


def is_killed(work: Callable[[], object], place: str, at: int) -> bool:
    """Does some work, until it has changed files a number of times.

    Args:
        work: The work.
        place: The folder, or the URI of the store, whose changes count.
        at: How many changes succeed.

    Returns:
        Whether it was killed; if not, it has finished.
    """
    watched = heard_of_store(at) if "://" in place else heard(place, at)
    gc.freeze()  # So that only what the work leaves is looked at afterwards.
    try:
        with watched:
            work()
    except Killed:
        killed = True
    else:
        killed = False
    gc.collect()  # The locks of a dead process are free.
    gc.unfreeze()
    return killed
