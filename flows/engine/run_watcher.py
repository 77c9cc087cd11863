"""The program that marks a run as crashed when its process has ended without doing so.

Its arguments are the id of the run and the process id of its worker. Prefect is imported only then,
so that watching takes no memory.
"""

import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

WORKER_SECONDS = 10
"""How long a worker that lives may take to say itself how a run ended."""
SERVER_SECONDS = 240
"""How long the server may be down."""
MESSAGE = (
    "The process of this run was killed, probably because its worker was stopped. Run it again; "
    "finished tasks are taken from the cache."
)


def main() -> None:
    """Waits until the process of the run has ended."""
    run, worker = UUID(sys.argv[1]), int(sys.argv[2])
    os.read(0, 1)
    deadline = time.monotonic() + SERVER_SECONDS
    while True:
        try:
            report(run, worker)
        except Exception:  # No server, or one that starts.
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
        else:
            return


def report(run_id: UUID, worker: int) -> None:
    """Marks a run and the runs of its sub-flows as crashed, if they have not ended.

    Args:
        run_id: The run.
        worker: The process id of its worker.
    """
    from prefect.client.orchestration import get_client
    from prefect.states import Crashed

    with get_client(sync_client=True) as client:
        deadline = time.monotonic() + WORKER_SECONDS
        while is_open(run := client.read_flow_run(run_id)) and _lives(worker):
            if time.monotonic() > deadline:
                break
            time.sleep(0.5)
        if not is_open(run):
            return
        for one in [*_parts(client, run), run]:
            if is_open(one):
                client.set_flow_run_state(one.id, Crashed(message=MESSAGE), force=True)


def is_open(run: "FlowRun") -> bool:
    """Returns whether a run still counts as running.

    A run that is cancelled, paused or scheduled again has been taken care of.
    """
    return run.state is not None and (run.state.is_running() or run.state.is_pending())


def _parts(client: "SyncPrefectClient", run: "FlowRun") -> "Iterator[FlowRun]":
    """The runs of the sub-flows, the innermost first."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId

    parent = FlowRunFilterParentFlowRunId(any_=[run.id])
    for part in client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id=parent)):
        yield from _parts(client, part)
        yield part


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


if __name__ == "__main__":
    main()
