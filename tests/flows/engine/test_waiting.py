"""Whether a deployment has another run that waits, beside those of its schedule."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.orchestration import get_client

from flows.engine import waiting
from flows.engine.waiting import is_another_run_waiting


def in_deployment(monkeypatch: pytest.MonkeyPatch, deployment: Any) -> None:
    run = SimpleNamespace(flow_run=SimpleNamespace(deployment_id=deployment))
    monkeypatch.setattr(waiting, "FlowRunContext", SimpleNamespace(get=lambda: run))


def test_no_run_waits_outside_of_deployments(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_another_run_waiting()
    in_deployment(monkeypatch, None)
    assert not is_another_run_waiting()


@pytest.mark.usefixtures("prefect_server")
def test_run_that_was_asked_for_waits_until_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    with get_client(sync_client=True) as client:
        flow = client.create_flow_from_name("waiting")
        ids = [client.create_deployment(flow, name) for name in ("one", "other")]
        in_deployment(monkeypatch, ids[0])
        client.create_flow_run_from_deployment(ids[1])
        assert not is_another_run_waiting()
        asked = client.create_flow_run_from_deployment(ids[0])
        assert is_another_run_waiting()
        client.delete_flow_run(asked.id)
    assert not is_another_run_waiting()


@pytest.mark.parametrize(
    ("scheduled", "answer"), [([], False), ([True, True], False), ([True, False], True)]
)
def test_runs_of_the_schedule_do_not_count(
    scheduled: list[bool], answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [SimpleNamespace(auto_scheduled=each) for each in scheduled]
    client = SimpleNamespace(read_flow_runs=lambda **_: runs)
    monkeypatch.setattr(waiting, "get_client", lambda **_: nullcontext(client))
    in_deployment(monkeypatch, uuid4())
    assert is_another_run_waiting() is answer
