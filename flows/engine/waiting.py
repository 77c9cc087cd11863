"""Whether a deployment has another run that waits, beside those of its schedule."""

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.context import FlowRunContext

from flows.engine.tolerance import tolerant

MOST_RUNS = 200
"""The most runs that the server lists at once; a schedule has at most half of them waiting."""


def is_another_run_waiting() -> bool:
    """Whether a run of the same deployment waits that its schedule has not made.

    Such a run was asked for by an automation or a user. False outside of deployments, and if the
    server does not say.
    """
    context = FlowRunContext.get()
    deployment = context and context.flow_run and context.flow_run.deployment_id
    if not deployment:
        return False
    waiting = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
    )
    with tolerant("a question"), get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=waiting, limit=MOST_RUNS)
        return any(not run.auto_scheduled for run in runs)
    return False
