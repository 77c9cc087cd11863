"""Settings of this process that limit its memory."""

import ctypes
import os
from contextlib import suppress

ARENA_MAX = -8
"""The number of `M_ARENA_MAX` among the options of glibc's `mallopt`."""


CSV_CHUNK_SIZE = 1_000_000
"""The bytes of a CSV file that Polars parses at a time. Its own choice keeps several hundred MiB in
memory while a large file is streamed: 377 instead of 121 MiB for one of 700 MB."""


def limit_memory() -> None:
    """Limits the memory of Polars and NumPy. Call it before Polars is imported."""
    os.environ.setdefault("POLARS_CSV_CHUNK_SIZE", str(CSV_CHUNK_SIZE))
    _use_few_arenas()


def _use_few_arenas() -> None:
    """Limits the number of memory arenas, so that freed memory is reused instead of kept.

    NumPy's arrays, allocated by glibc, share one arena: with one per thread, arrays that one thread
    allocates and another frees fragment all of them, and at 73 million rows a run took 1,000 MiB
    instead of 660. Polars' frames, allocated by jemalloc, get one arena per processor instead of
    four, which saves 70 MiB and some time at 22 million rows.

    This must happen before threads start; a worker, which has threads already, needs
    `MALLOC_ARENA_MAX=1` in its environment. Other allocators are not changed.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(ARENA_MAX, 1)
    os.environ.setdefault("_RJEM_MALLOC_CONF", f"narenas:{os.cpu_count()}")
