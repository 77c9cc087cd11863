"""Standard output of the command lines."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def exit_on_broken_pipe() -> Iterator[None]:
    """Exits quietly when the reader of standard output has gone, as after `| head`.

    Raises:
        SystemExit: With status 1, because the output is incomplete.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at exit, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
