"""Since when this process has run the project's code, which may have changed on disk since then."""

import sys
import time
from pathlib import Path

_IMPORTED = time.time_ns()
_TICKS_PER_SECOND = 100
"""The unit of times in `/proc`, which Linux keeps the same on all machines."""


def process_start() -> int:
    """Returns when this process started, in nanoseconds since 1970.

    By `/proc`, accurate to a hundredth of a second; without it, when this module was imported.
    """
    try:
        # The name of the program, in brackets, may hold anything.
        fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        after_boot = int(fields[19]) / _TICKS_PER_SECOND
        seconds_ago = time.clock_gettime(time.CLOCK_BOOTTIME) - after_boot
    except (OSError, LookupError, ValueError, AttributeError):
        return _IMPORTED
    return min(_IMPORTED, time.time_ns() - int(seconds_ago * 1e9))


STARTED = process_start() if "churnlib" in sys.modules else _IMPORTED
"""In nanoseconds since 1970, before the first import of the project's code."""
