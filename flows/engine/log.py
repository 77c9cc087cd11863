"""What the log of a run says: one line for a user's fault, and no noise."""

import logging
from contextlib import suppress

from churnlib.errors import ChurnlibError

RUN_LOGGERS = ("prefect.flow_runs", "prefect.task_runs")
HOOKS = ("Running hook 'enter_cached'", "Hook 'enter_cached' finished")


class RunFilter(logging.Filter):
    """Words the records of Prefect's runs for those who read them, on the console and the server.

    - A `ChurnlibError` is told once, in its own words, without a traceback. The runs around the
      one that failed keep it in the message of their state.
    - A task that finished well says nothing; one that was taken from the cache says so.
    - Hooks of this project say nothing of themselves.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Changes a record in place; tells whether to keep it."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, ChurnlibError):
            return _tell_fault(record, error)
        if error is not None:
            _mark_told(error)
        message = record.getMessage()
        if message.startswith(HOOKS):
            return False
        if message.startswith("Finished in state "):
            return _tell_end(record, message)
        return True


def was_told(error: BaseException) -> bool:
    """Tells whether a run's log already holds the message of an error."""
    return hasattr(error, "_told")


def install() -> None:
    """Puts the filter on the loggers of Prefect's runs; once is enough, more does not hurt."""
    for name in RUN_LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(known, RunFilter) for known in logger.filters):
            logger.addFilter(RunFilter())


def _tell_fault(record: logging.LogRecord, error: ChurnlibError) -> bool:
    if was_told(error):
        return False
    _mark_told(error)
    record.msg, record.args = str(error), None
    record.exc_info = record.exc_text = None
    return True


def _mark_told(error: BaseException) -> None:
    with suppress(AttributeError):  # Some exceptions take no attributes; they are told again.
        error._told = True  # type: ignore[attr-defined]


def _tell_end(record: logging.LogRecord, message: str) -> bool:
    state = message.removeprefix("Finished in state ").split("(")[0]
    told = "run encountered an exception" in message
    if record.name == "prefect.task_runs":
        if state == "Cached":
            record.msg, record.args = "unchanged, taken from the cache", None
        return state != "Completed" and not told
    if told:  # The error has a record of its own, just before.
        record.msg, record.args = f"Finished in state {state}", None
    return True
