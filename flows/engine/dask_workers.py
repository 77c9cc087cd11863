"""Checks that the workers of a Dask cluster have the same code, libraries and data."""

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
class Equipment:
    """What a process has of what the work needs.

    Attributes:
        versions: The versions of Python, the libraries and the code.
        missing: The first table that it cannot read, or that differs; None if there is none.
        server: Whether it reaches Prefect's server.
    """

    versions: Mapping[str, str]
    missing: str | None
    server: bool


def check_workers(
    client: "Client", function: Callable[..., Any], tables: Sequence[DatasetRef]
) -> None:
    """Refuses workers whose results would differ from this process's, or that cannot work.

    Args:
        client: The cluster.
        function: The function that they will apply.
        tables: The tables that they will apply it to.

    Raises:
        SettingsError: A worker has other versions or other code, or does not reach the server.
        DataError: A worker does not see the tables.
    """
    server = _server()
    here = equipment(function, (), None)
    for worker, there in _ask_all(client, function, tables, server).items():
        _compare(worker, here.versions, there.versions)
        if there.missing:
            raise DataError(
                f"{tables[0].game}: the Dask worker {worker} does not see {there.missing} as this "
                "machine does. The data folder must be one that all machines share, under the same "
                "path, or an object store: name it with --data-dir."
            )
        if not there.server:
            raise SettingsError(
                f"engine.scheduler: the Dask worker {worker} does not reach Prefect's server at "
                f"{server}. Set PREFECT_API_URL to a server that all machines reach."
            )


def equipment(
    function: Callable[..., Any], tables: Sequence[DatasetRef], server: str | None
) -> Equipment:
    """Returns what this process has of what the work needs.

    Args:
        function: The function to apply.
        tables: The tables to apply it to.
        server: The address of Prefect's server; None if it need not be tried.
    """
    base = function.func if isinstance(function, partial) else function
    versions = {name: version(name) for name in LIBRARIES}
    versions["python"] = ".".join(platform.python_version_tuple()[:2])
    versions["code of this project"] = code_digest(base).value[:12]
    missing = next((table.uri for table in tables if not _sees(table)), None)
    return Equipment(versions, missing, server is None or _reaches(server))


def _ask_all(
    client: "Client", function: Callable[..., Any], tables: Sequence[DatasetRef], server: str | None
) -> dict[str, Equipment]:
    futures = {
        worker: client.submit(
            equipment, function, tuple(tables), server, workers=[worker], pure=False
        )
        for worker in client.nthreads()
    }
    try:
        answers: dict[str, Equipment] = client.gather(futures)
    except (ImportError, AttributeError, RuntimeError) as error:
        # A scheduler that lacks the function wraps the error in a RuntimeError.
        raise SettingsError(
            "engine.scheduler: the Dask scheduler or its workers cannot do this work "
            f"({reason(error.__cause__ or error)}). Start them in the environment that runs the "
            "flows, with the same version of churnlib."
        ) from None
    return answers


def _compare(worker: str, here: Mapping[str, str], there: Mapping[str, str]) -> None:
    for name, wanted in here.items():
        if (installed := there.get(name)) != wanted:
            raise SettingsError(
                f"engine.scheduler: the Dask worker {worker} has another version of what makes the "
                f"features: {name} {installed}, here {wanted}. Start workers from the same "
                "environment and code, and restart them after a change."
            )


def _sees(table: DatasetRef) -> bool:
    with suppress(ChurnlibError, OSError):
        return datasets.is_unchanged(table)
    return False


def _server() -> str | None:
    """The address of Prefect's server if other machines may not reach it; else None."""
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
