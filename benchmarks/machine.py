"""The machine and library versions of a measurement."""

import os
import platform
from importlib.metadata import version

LIBRARIES = ("polars", "duckdb", "pandas", "numpy", "pyarrow", "prefect")


def machine() -> dict[str, str | int | float]:
    """Returns cores, memory in GiB, system, and the versions of Python and the libraries."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
    }
