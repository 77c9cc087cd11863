"""Exclusive locks: on files of this machine by filelock, on objects by conditional writes."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from churnlib.errors import DataError, StoreError, reason
from churnlib.io import object_store
from churnlib.uris import folder_of, join, name_of

if TYPE_CHECKING:
    from obstore import UpdateVersion

ANNOUNCE_AFTER, GIVE_UP_AFTER = 5.0, 600.0
"""Seconds of waiting for a lock before a warning is logged, and before the wait is given up."""
POLL_FILE, POLL_OBJECT = (0.02, 1.0), (0.2, 5.0)
"""The first and the longest time in seconds between two attempts to lock a file, and an object."""
ABANDONED_AFTER = 60.0
"""Seconds without a renewal after which the holder of an object's lock counts as dead. Holders
renew it four times as often."""


class LockWait:
    """A wait for a lock that another run holds.

    Args:
        lock: What is locked, for messages.
        holder: Describes the run that holds it; None if it is not known.
        announce_after: Seconds before a warning is logged; `ANNOUNCE_AFTER` if None.
        give_up_after: Seconds before the wait is given up; `GIVE_UP_AFTER` if None.

    Attributes:
        give_up_after: Seconds before the wait is given up.
        was_announced: Whether the warning was logged.
    """

    def __init__(
        self,
        lock: str,
        holder: Callable[[], str | None] = lambda: None,
        *,
        announce_after: float | None = None,
        give_up_after: float | None = None,
    ) -> None:
        self._lock, self._holder, self._start = lock, holder, time.monotonic()
        self._announce_after = ANNOUNCE_AFTER if announce_after is None else announce_after
        self.give_up_after = GIVE_UP_AFTER if give_up_after is None else give_up_after
        self.was_announced = False

    def is_over(self) -> bool:
        """Whether to give up; logs a warning once the wait has become a long one."""
        waited = time.monotonic() - self._start
        if waited >= self._announce_after and not self.was_announced:
            self.was_announced = True
            logging.getLogger(__name__).warning(
                "%s: waiting for %s; for %s at most",
                self._lock,
                self._holder() or "another run, which holds it",
                duration_text(self.give_up_after),
            )
        return waited >= self.give_up_after

    @property
    def message(self) -> str:
        """The error message for a wait that is over."""
        return (
            f"{self._lock} has been held by {self._holder() or 'another run'} for more than "
            f"{duration_text(self.give_up_after)}. Check whether that run is still working, end "
            "it if it is not, and run this again."
        )


def duration_text(seconds: float) -> str:
    """Formats a duration.

    >>> duration_text(600), duration_text(7200)
    ('600 seconds', '2 hours')
    """
    return f"{seconds / 3600:.0f} hours" if seconds >= 7200 else f"{seconds:.0f} seconds"


def pauses(first: float, longest: float) -> Iterator[float]:
    """Yields seconds to wait between attempts: the longer, the more of them there were.

    >>> from itertools import islice
    >>> [round(pause, 2) for pause in islice(pauses(0.02, 0.05), 4)]
    [0.02, 0.03, 0.04, 0.05]
    """
    pause = first
    while True:
        yield min(pause, longest)
        pause = min(pause * 1.5, longest)


@contextmanager
def lock_file(uri: str, wait: LockWait | None = None) -> Iterator[None]:
    """Locks a file on this machine, which the system unlocks when the process ends.

    Args:
        uri: The file.
        wait: How to wait; with the limits of this module if None.

    Raises:
        DataError: The lock cannot be created, a symbolic link is in its place, or the wait is over.
    """
    from filelock import FileLock, Timeout

    path = Path(uri).with_name(f".{Path(uri).name}.lock")
    wait = wait or LockWait(str(path))
    # Without the fallback: it locks by a file's existence, which outlives a killed process.
    lock = FileLock(path, fallback_to_soft=False)

    def is_locked() -> bool:
        with suppress(Timeout):
            lock.acquire(blocking=False)
        return lock.is_locked

    try:
        for pause in pauses(*POLL_FILE):
            if is_locked():
                break
            if wait.is_over():
                raise DataError(wait.message)
            time.sleep(pause)
    except OSError as error:
        raise DataError(
            f"{path} cannot be locked ({reason(error)}). It must be a plain file in a writable "
            "folder, on a file system with locks; or name another data folder with --data-dir."
        ) from error
    try:
        yield
    finally:
        # Before the release, so that it is never the lock of the next holder; filelock discards a
        # lock on a file that was removed meanwhile. Windows does not remove an open file.
        with suppress(OSError):
            path.unlink()
        lock.release()


@contextmanager
def lock_object(uri: str, wait: LockWait | None = None) -> Iterator[Callable[[], None]]:
    """Locks an object by another beside it, created under the condition that there is none.

    The holder rewrites that object periodically. When its holder has died, it no longer changes and
    is taken over `ABANDONED_AFTER` seconds after it was first seen in that state: the clocks of
    different machines are never compared.

    Args:
        uri: The object.
        wait: How to wait; with the limits of this module if None.

    Yields:
        A function that raises if the lock was lost, to call before something is written.

    Raises:
        StoreError: The wait is over; or another run took the lock over because this one could not
            renew it: the network was down, or the machine asleep.
    """
    lock = join(folder_of(uri), f".{name_of(uri)}.lock")
    held = _acquire(lock, wait or LockWait(lock))

    def check() -> None:
        if not held.is_ours():
            raise _lost(uri)

    try:
        yield check
    except BaseException:
        with suppress(StoreError):
            held.release()
        raise
    if not held.release():
        raise _lost(uri)


def _lost(uri: str) -> StoreError:
    return StoreError(
        f"{uri}: another run took over the lock, because this run could not renew it for "
        f"{ABANDONED_AFTER:.0f} seconds. The changes of one of them may be lost: check the "
        "result, and run this again."
    )


def _acquire(lock: str, wait: LockWait) -> "_ObjectLock":
    owner = uuid.uuid4().hex.encode()
    seen, unchanged_since, pause = None, time.monotonic(), pauses(*POLL_OBJECT)
    while (version := object_store.put_if(lock, owner, "create")) is None:
        current = object_store.version_of(lock)
        if current != seen:
            seen, unchanged_since = current, time.monotonic()
        if seen and time.monotonic() - unchanged_since >= ABANDONED_AFTER:
            version = object_store.put_if(lock, owner, seen)
            if version is not None:
                break
        if wait.is_over():
            raise StoreError(wait.message)
        time.sleep(next(pause))
    return _ObjectLock(lock, owner, version)


class _ObjectLock:
    """A lock that is held, and renewed by a thread until it is released."""

    def __init__(self, lock: str, owner: bytes, version: "UpdateVersion") -> None:
        self._lock, self._owner, self._version = lock, owner, version
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def _renew(self) -> None:
        for number in count(1):
            if self._released.wait(ABANDONED_AFTER / 4):
                return
            with suppress(StoreError):  # The next renewal may succeed.
                content = self._owner + f" {number}".encode()  # Equal content has an equal ETag.
                version = object_store.put_if(self._lock, content, self._version)
                if (
                    version is None
                ):  # Taken over, unless the write succeeded but its answer got lost.
                    version = object_store.version_of(self._lock)
                    if version is None or not self.is_ours():
                        return
                self._version = version

    def is_ours(self) -> bool:
        """Whether no other run has taken over the lock."""
        try:
            return object_store.read_bytes(self._lock).startswith(self._owner)
        except FileNotFoundError:
            return False

    def release(self) -> bool:
        """Releases the lock, and returns whether it was held until now."""
        self._released.set()
        self._thread.join()
        if not self.is_ours():
            return False
        object_store.remove(self._lock)
        return True
