"""Waiting for one's turn at a file: told of where it takes long, and not for ever."""

import logging
import time

from churnlib.errors import ChurnlibError

TELL, GIVE_UP = 5.0, 600.0
"""In seconds: after how long a wait is told of in the log, and after how long it ends."""


class LockWait:
    """The wait of one who asks to be alone with a file that somebody else is alone with.

    Args:
        lock: What the other holds.
        fault: As what to tell that it took too long.
    """

    def __init__(self, lock: str, fault: type[ChurnlibError]) -> None:
        self._lock, self._fault, self._begun, self._told = lock, fault, time.monotonic(), False

    def wait(self, pause: float) -> None:
        """Waits for some seconds.

        Raises:
            ChurnlibError: It has waited for `GIVE_UP`.
        """
        waited = time.monotonic() - self._begun
        if waited >= GIVE_UP:
            raise self._fault(
                f"{self._lock} has been held by another run for more than {waited:.0f} seconds. "
                "See whether that run goes on, end it if it does not, and run this again."
            )
        if waited >= TELL and not self._told:
            self._told = True
            logging.getLogger(__name__).warning(
                "waiting for another run, which holds %s; for %.0f seconds at most",
                self._lock,
                GIVE_UP,
            )
        time.sleep(pause)
