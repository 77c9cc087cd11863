"""Heartbeats: they detect crashed runs of workers, and delay the end of each flow."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from tests.flows.studio import ROOT, Studio, python

GAME = "game1"
HEARTBEAT = "Started flow run heartbeat context"
"""What Prefect's engine says in its log, where one asks for all."""


@pytest.mark.slow
def test_heartbeats_are_off_in_a_command_with_a_running_server(
    empty_studio: Studio,
) -> None:
    run = talkative("-m", "flows.standard_features", *empty_studio.arguments(GAME))
    assert "Beginning flow run" in run.stdout + run.stderr
    assert HEARTBEAT not in run.stdout + run.stderr


@pytest.mark.slow
def test_heartbeats_are_on_in_a_run_that_a_worker_starts(
    prefect_server: Path, empty_studio: Studio
) -> None:
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(
            flow_id=client.create_flow_from_name("standard-features"),
            name="heartbeats",
            path=str(ROOT),
            entrypoint="flows.standard_features:standard_features",
        )
        flow_run = client.create_flow_run_from_deployment(deployment, parameters={"game": GAME})
        # This is what a worker's runner starts.
        run = talkative(
            *("-m", "prefect.engine"),
            PREFECT__FLOW_RUN_ID=str(flow_run.id),
            CHURN_DATA_DIR=str(empty_studio.data),
        )
        ended = client.read_flow_run(flow_run.id)
    assert HEARTBEAT in run.stdout + run.stderr
    assert ended.state_name == "Completed"


def talkative(*arguments: str, **environment: Any) -> subprocess.CompletedProcess[str]:
    """Runs Python with all that Prefect has to say."""
    run = python(*arguments, **environment, PREFECT_LOGGING_LEVEL="DEBUG")
    assert run.returncode == 0, run.stdout + run.stderr
    return run
