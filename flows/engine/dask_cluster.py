"""A Dask cluster: an existing one, or a temporary one on this machine."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from churnlib.errors import SettingsError
from churnlib.settings import EngineSettings

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

CONNECT_SECONDS = 5
"""Time limit for a scheduler to answer."""
WORKER_SECONDS = 30
"""Time limit for the first worker to connect."""


@contextmanager
def cluster(engine: EngineSettings) -> Iterator["Client"]:
    """Connects to the cluster of the settings; one on this machine lasts as long as the block.

    Raises:
        SettingsError: Dask is not installed, the scheduler does not answer, or has no workers.
    """
    try:
        import prefect_dask  # noqa: F401
        from distributed import Client
    except ImportError:
        raise SettingsError(
            'engine.runner is "dask", but Dask is not installed. Install it: '
            "pip install 'churnlib[dask]'"
        ) from None
    logging.getLogger("distributed").setLevel(logging.ERROR)  # It logs every connection.
    if engine.scheduler is None:
        with _local_cluster(engine.workers) as local, Client(local, set_as_default=False) as client:
            yield client
        return
    try:
        client = Client(engine.scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"engine.scheduler: no Dask scheduler answers at {engine.scheduler} "
            f"({_first_line(error)}). Start it there (dask scheduler), name its address, or set "
            "engine.scheduler to null for a cluster on this machine."
        ) from None
    with client:
        _wait_for_a_worker(client, engine.scheduler)
        yield client


def threads_of(client: "Client") -> int:
    """Number of threads of all workers of a cluster."""
    return sum(client.nthreads().values())


def _wait_for_a_worker(client: "Client", scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKER_SECONDS)
    except TimeoutError:
        raise SettingsError(
            f"engine.scheduler: the Dask scheduler at {scheduler} has no workers. Start some: "
            f"POLARS_MAX_THREADS=1 dask worker {scheduler} --nworkers 4 --nthreads 1"
        ) from None


def _local_cluster(workers: int | None) -> "LocalCluster":
    import dask
    from dask.system import CPU_COUNT
    from distributed import LocalCluster, Security

    count = workers or CPU_COUNT
    # Before the processes start: Polars reads it once.
    environment = {
        **dask.config.get("distributed.nanny.pre-spawn-environ"),
        "DASK_LOGGING__DISTRIBUTED": "error",
        "POLARS_MAX_THREADS": max(1, CPU_COUNT // count),
    }
    # A scheduler runs the code of whoever connects: only this process and its workers have the key.
    # Its pages ask for none, and would answer other users and the pages in a browser.
    no_pages: dict[str, list[str]] = {
        f"distributed.{node}.http.routes": [] for node in ("scheduler", "worker")
    }
    with dask.config.set({"distributed.nanny.pre-spawn-environ": environment, **no_pages}):
        return LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            memory_limit=0,  # Buckets limit memory; Dask would kill workers by an estimate.
            security=Security.temporary(),
            scheduler_kwargs={"dashboard": False},
            dashboard_address="127.0.0.1:0",  # The usual port may be taken.
            silence_logs=logging.ERROR,
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else "no answer"
