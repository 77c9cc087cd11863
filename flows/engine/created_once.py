"""Flow runs that a server has once, however often the request to create them arrives.

Prefect's client repeats a request if the connection breaks or the answer takes too long. Prefect's
engine sends no idempotency key with a new flow run, so that a busy server could create it twice:
the engine would run the second, and the first would stay pending forever.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from httpx import Response
from prefect.client.orchestration import SyncPrefectClient
from prefect.context import SyncClientContext

FLOW_RUNS = "/flow_runs/"
"""Where Prefect's client creates flow runs; it does nothing else there."""


class _Client(SyncPrefectClient):
    """Prefect's client, with an idempotency key for each flow run."""

    def request(self, method: Any, path: Any, *args: Any, **kwargs: Any) -> Response:
        if path == FLOW_RUNS:
            kwargs["json"] = {"idempotency_key": str(uuid.uuid4()), **kwargs["json"]}
        return super().request(method, path, *args, **kwargs)


@contextmanager
def flow_runs_created_once() -> Iterator[None]:
    """Sends an idempotency key with each flow run that Prefect's engine creates in the block."""
    with SyncClientContext.get_or_create() as context:
        context.client.__class__ = _Client
        yield
