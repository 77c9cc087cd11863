"""Tolerance of a server that refuses what a run can do without."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.exceptions import PrefectException

from flows.engine.cache import run_logger


@contextmanager
def tolerant(what: str) -> Iterator[None]:
    """Turns refusals of the server into warnings, because the outputs are complete without it.

    Args:
        what: What the server is sent.
    """
    try:
        yield
    except (PrefectException, httpx.HTTPError) as error:
        run_logger().warning("Prefect's server did not accept %s: %s", what, error)
