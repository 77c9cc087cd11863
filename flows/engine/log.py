"""Filters the log of runs: one message for a user's mistake, and no noise."""

import logging
import os
from contextlib import suppress

from churnlib import shown
from churnlib.errors import ChurnlibError
from flows.engine.run_program import RUN

RUN_LOGGERS = ("prefect.flow_runs", "prefect.task_runs")
HOOKS = ("Running hook 'record_cached'", "Hook 'record_cached' finished")
STOPPED = ("Crash detected! Execution was aborted by ",
           "Finished in state Crashed('Execution was aborted by ")  # fmt: skip
"""The messages of a run that is stopped by a signal; a command says that in a line of its own."""


_FORMATTER = logging.Formatter()


class RunFilter(logging.Filter):
    """Rewrites the log records of Prefect's runs for their readers.

    - A `ChurnlibError` is logged once, as its message without a traceback. The enclosing runs keep
      it in the message of their state.
    - A task that completed logs nothing about its state; one that was cached logs that.
    - The hooks of this project do not appear.
    - Control characters are escaped, and the passwords of URIs masked.
    - A command that is stopped by a signal logs nothing about it, other than a worker's run.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Changes a record in place; returns whether to keep it."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, ChurnlibError):
            return _log_error(record, error)
        if error is not None and record.exc_info:
            _mark_logged(error)
            record.exc_text = shown.message(_FORMATTER.formatException(record.exc_info))
        message = shown.message(record.getMessage())
        record.msg, record.args = message, None
        if message.startswith(HOOKS):
            return False
        if message.startswith(STOPPED):
            return RUN in os.environ
        if message.startswith("Finished in state "):
            return _log_end(record, message)
        return True


def was_logged(error: BaseException) -> bool:
    """Returns whether the message of an error was logged already."""
    return hasattr(error, "_logged")


def install() -> None:
    """Adds the filter to the loggers of Prefect's runs, unless it was added already."""
    for name in RUN_LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(known, RunFilter) for known in logger.filters):
            logger.addFilter(RunFilter())


def _log_error(record: logging.LogRecord, error: ChurnlibError) -> bool:
    if was_logged(error):
        return False
    _mark_logged(error)
    record.msg, record.args = str(error), None
    record.exc_info = record.exc_text = None
    return True


def _mark_logged(error: BaseException) -> None:
    with suppress(AttributeError):  # Some exceptions take no attributes; they are logged again.
        error._logged = True  # type: ignore[attr-defined]


def _log_end(record: logging.LogRecord, message: str) -> bool:
    state = message.removeprefix("Finished in state ").split("(")[0]
    failed = "run encountered an exception" in message
    if record.name == "prefect.task_runs":
        if state == "Cached":
            record.msg, record.args = "unchanged, taken from the cache", None
        return state != "Completed" and not failed
    if failed:  # The error has a record of its own, just before.
        record.msg, record.args = f"Finished in state {state}", None
    return True
