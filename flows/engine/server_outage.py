"""Waiting for a Prefect server that restarts during a run."""

import time

from prefect.settings import PREFECT_API_URL

from churnlib.errors import ServerError
from flows.engine.cache import run_logger
from flows.engine.prefect_home import check_answers

OUTAGE_SECONDS = 120
"""How long a server may be down where a flow or a sub-flow starts."""
PAUSE_SECONDS = 1


def wait_for_server() -> None:
    """Waits until the configured Prefect server answers.

    Raises:
        ServerError: It did not answer in time.
    """
    url = PREFECT_API_URL.value()
    if not url:
        return
    deadline = time.monotonic() + OUTAGE_SECONDS
    told = False
    while True:
        try:
            check_answers(url)
        except ServerError:
            if time.monotonic() > deadline:
                raise
            if not told:
                run_logger().warning("Prefect's server does not answer; waiting for it")
                told = True
            time.sleep(PAUSE_SECONDS)
        else:
            return
