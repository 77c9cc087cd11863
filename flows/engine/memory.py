"""How this process gets its memory from the system."""

import ctypes
from contextlib import suppress

ARENA_MAX = -8
"""The number of `M_ARENA_MAX` among the options of glibc's `mallopt`."""


def use_one_arena() -> None:
    """Makes glibc keep what NumPy frees in one place, where it finds it again.

    Else every thread has a place of its own, and a bucket's arrays, which one thread makes and
    another drops, leave holes in all of them: at 73 million rows a run took 1,000 MiB, not 660.
    It must be said before there are threads; a worker, which has some, wants `MALLOC_ARENA_MAX=1`
    in its environment. Other systems' allocators are left as they are.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(ARENA_MAX, 1)
