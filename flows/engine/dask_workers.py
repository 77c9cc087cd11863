"""Checks that the workers of a Dask cluster have the code, libraries and data of the run."""

import platform
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from churnlib.errors import ChurnlibError, DataError, SettingsError, reason
from churnlib.io import datasets
from churnlib.io.datasets import DatasetRef
from flows.engine.code_digest import code_digest

if TYPE_CHECKING:
    from distributed import Client

LIBRARIES = ("churnlib", "polars", "numpy", "prefect")


@dataclass(frozen=True)
class WorkerState:
    """The versions of a process, and what it can access.

    Attributes:
        versions: The versions of Python, the libraries and the code.
        missing: The first table that is missing or different for it, if any.
        server: Whether it can reach Prefect's server.
    """

    versions: Mapping[str, str]
    missing: str | None
    server: bool


def check_workers(
    client: "Client", function: Callable[..., Any], tables: Sequence[DatasetRef]
) -> None:
    """Checks that all workers can apply a function to tables exactly as this process would.

    Args:
        client: The cluster.
        function: The function.
        tables: The tables.

    Raises:
        SettingsError: A worker has other versions or other code, or cannot reach the server.
        DataError: A worker cannot access the tables.
    """
    server = _server()
    own = worker_state(function, (), None)
    for worker, state in _worker_states(client, function, tables, server).items():
        _check_versions(worker, own.versions, state.versions)
        if state.missing:
            raise DataError(
                f"{tables[0].game}: the Dask worker {worker} does not see {state.missing} as this "
                "machine does. The data folder must be one that all machines share, under the same "
                "path, or an object store: name it with --data-dir."
            )
        if not state.server:
            raise SettingsError(
                f"engine.scheduler: the Dask worker {worker} does not reach Prefect's server at "
                f"{server}. Set PREFECT_API_URL to a server that all machines reach."
            )


def worker_state(
    function: Callable[..., Any], tables: Sequence[DatasetRef], server: str | None
) -> WorkerState:
    """Determines the state of this process.

    Args:
        function: The function to apply.
        tables: The tables to apply it to.
        server: The address of Prefect's server, if it is to be checked.
    """
    base = function.func if isinstance(function, partial) else function
    versions = {name: version(name) for name in LIBRARIES}
    versions["python"] = ".".join(platform.python_version_tuple()[:2])
    versions["code of this project"] = code_digest(base).value[:12]
    missing = next((table.uri for table in tables if not _sees(table)), None)
    return WorkerState(versions, missing, server is None or _reaches(server))


def _worker_states(
    client: "Client", function: Callable[..., Any], tables: Sequence[DatasetRef], server: str | None
) -> dict[str, WorkerState]:
    futures = {
        worker: client.submit(
            worker_state, function, tuple(tables), server, workers=[worker], pure=False
        )
        for worker in client.nthreads()
    }
    try:
        states: dict[str, WorkerState] = client.gather(futures)
    except (ImportError, AttributeError, RuntimeError) as error:
        # A scheduler that lacks the function wraps the error in a RuntimeError.
        raise SettingsError(
            "engine.scheduler: the Dask scheduler or its workers cannot do this work "
            f"({reason(error.__cause__ or error)}). Start them in the environment that runs the "
            "flows, with the same version of churnlib."
        ) from None
    return states


def _check_versions(worker: str, own: Mapping[str, str], others: Mapping[str, str]) -> None:
    for name, wanted in own.items():
        if (found := others.get(name)) != wanted:
            raise SettingsError(
                f"engine.scheduler: the Dask worker {worker} has another version: "
                f"{name} {found}, here {wanted}. Start workers from the same "
                "environment and code, and restart them after a change."
            )


def _sees(table: DatasetRef) -> bool:
    with suppress(ChurnlibError, OSError):
        return datasets.is_unchanged(table)
    return False


def _server() -> str | None:
    """The address of Prefect's server if it is a local one, which workers may not reach."""
    from prefect.settings import PREFECT_API_URL

    url: str | None = PREFECT_API_URL.value()
    return url if url and urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"} else None


def _reaches(server: str) -> bool:
    place = urlsplit(server)
    try:
        with socket.create_connection((place.hostname or "", place.port or 80), timeout=5):
            return True
    except OSError:
        return False
