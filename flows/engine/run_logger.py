"""The logger of the current run, and warnings that a run logs once."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

Logger = logging.Logger | logging.LoggerAdapter[Any]

_TOLD: ContextVar[set[str] | None] = ContextVar("told", default=None)


def run_logger() -> Logger:
    """Returns the logger of the current run; outside of one, that of this package."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger("flows")


@contextmanager
def told_once() -> Iterator[None]:
    """Logs each warning of `warn_once` once in the block, those of sub-flows included."""
    token = _TOLD.set(set()) if _TOLD.get() is None else None
    try:
        yield
    finally:
        if token:
            _TOLD.reset(token)


def warn_once(message: str, kind: str | None = None) -> None:
    """Logs a warning, unless the run has logged one of its kind.

    Args:
        message: The warning.
        kind: What distinguishes it from others, if messages of one kind differ between tasks.
    """
    told, key = _TOLD.get(), kind or message
    if told is None or key not in told:
        run_logger().warning("%s", message)
    if told is not None:
        told.add(key)
