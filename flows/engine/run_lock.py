"""One run at a time writes to the data of a game: others wait until it has ended."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime

from prefect.context import FlowRunContext

from churnlib.errors import ChurnlibError
from churnlib.io import storage
from churnlib.io.catalog import Catalog
from churnlib.io.locks import LockWait
from flows.engine.cache import run_logger

ANNOUNCE_AFTER, GIVE_UP_AFTER = 1.0, 12 * 3600.0
"""Seconds of waiting before the run that is waited for is named, and before the wait is given
up."""

_HELD: ContextVar[frozenset[str]] = ContextVar("held", default=frozenset())


@contextmanager
def exclusive_run(catalog: Catalog, at_start: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Lets no other run write to a game's data folder before the end of the block.

    Runs share files, such as the training features, that depend on their settings. A run that is
    killed holds nothing; see `churnlib.io.storage.exclusive_lock`. A nested block is part of the
    outer one.

    Args:
        catalog: The game's data.
        at_start: Is called when the lock is held, once in nested blocks.

    Raises:
        DataError: The folder cannot be locked, or another run still works after the longest wait.
        StoreError: The same, of an object store.
    """
    uri = catalog.current_run
    if uri in _HELD.get():
        yield
        return
    wait = LockWait(
        f"{catalog.game} in {catalog.data_dir}",
        lambda: _holder(uri),
        announce_after=ANNOUNCE_AFTER,
        give_up_after=GIVE_UP_AFTER,
    )
    with storage.exclusive_lock(uri, wait):
        if wait.was_announced:
            run_logger().info("%s: the other run has ended", catalog.game)
        token = _HELD.set(_HELD.get() | {uri})
        try:
            storage.write_text(json.dumps(_about_this_run()) + "\n", uri)
            at_start()
            yield
        finally:
            _HELD.reset(token)
            with suppress(ChurnlibError, OSError):  # It only tells others who holds the lock.
                storage.remove(uri)


def _about_this_run() -> dict[str, str | int]:
    context = FlowRunContext.get()
    return {
        "run": context.flow.name if context and context.flow else "a script",
        "process": os.getpid(),
        "machine": socket.gethostname(),
        "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
    }


def _holder(uri: str) -> str | None:
    """Describes the run that holds the lock; None if it has not said so yet."""
    try:
        about = json.loads(storage.read_bytes(uri))
        return "{run}, process {process} on {machine} since {since}".format_map(about)
    except (ChurnlibError, OSError, ValueError, LookupError, TypeError):
        return None
