"""Stopping a command by a signal: Ctrl-C, the end of its terminal, or the end of its machine."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from flows.cli.exit_status import STOPPED

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that stop a command."""


class Stopped(KeyboardInterrupt):
    """The command was stopped by a signal; all that handles Ctrl-C handles this."""

    def __init__(self, number: int) -> None:
        """Stopped by the signal of this number."""
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.status = STOPPED + number


@contextmanager
def stoppable() -> Iterator[None]:
    """Turns the first signal of the block into `Stopped`, and ignores others while it cleans up.

    A signal that the process was started to ignore, as by `nohup`, stays ignored.

    Raises:
        Stopped: A signal came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heeded = [number for number in SIGNALS if before[number] not in (signal.SIG_IGN, None)]

    def stop(number: int, _: FrameType | None) -> None:
        for other in heeded:
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(number)

    try:
        for number in heeded:
            signal.signal(number, stop)
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])
