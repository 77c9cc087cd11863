"""Since when this process has run the project's code, which may have changed on disk since then."""

import sys
import time
from importlib.util import find_spec
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


def replaced_packages() -> list[Path]:
    """Lists the folders of this project's packages that others have taken the place of since then.

    A deployment may unpack its files long before it swaps folders, or a symbolic link to them, so
    that all of them are older than this process.
    """
    return [file.parent for file, before in _AT_START.items() if _identity(file) != before]


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


_SPECS = (find_spec(package) for package in ("churnlib", "flows"))
_AT_START = {file: _identity(file) for file in (Path(s.origin) for s in _SPECS if s and s.origin)}

STARTED = process_start() if "churnlib" in sys.modules else _IMPORTED
"""In nanoseconds since 1970, before the first import of the project's code."""
