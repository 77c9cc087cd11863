"""Flow runs are created once, although the server's answer may get lost."""

from collections import Counter
from importlib import import_module
from pkgutil import iter_modules
from types import SimpleNamespace

import httpx
import pytest
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName

import flows
from flows import COMPOSITES, FLOWS
from flows.engine.created_once import FLOW_RUNS
from flows.steps.flow import ChurnFlow


@pytest.fixture
def lost_answers(monkeypatch: pytest.MonkeyPatch) -> dict[httpx.Request, int]:
    """Loses the first answer to each request for a new flow run; holds its status."""
    lost: dict[httpx.Request, int] = {}
    send = httpx.HTTPTransport.handle_request

    def handle(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        response = send(transport, request)
        if request.url.path.endswith(FLOW_RUNS) and request not in lost:
            response.read()
            lost[request] = response.status_code
            raise httpx.ReadTimeout("no answer", request=request)
        return response

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", handle)
    monkeypatch.setattr("prefect.client.base.time", SimpleNamespace(sleep=lambda _: None))
    return lost


def test_run_and_sub_run_exist_once_after_lost_answers(
    prefect_server: object, lost_answers: dict[httpx.Request, int]
) -> None:
    part = ChurnFlow(one, name="part-of-lost")

    def call() -> None:
        part.with_options(flow_run_name="named")()

    ChurnFlow(call, name="whole-of-lost")()
    assert list(lost_answers.values()) == [201, 201]
    assert states("whole-of-lost") == Counter(Completed=1)
    assert states("part-of-lost") == Counter(Completed=1)


def test_sub_run_of_a_run_by_a_worker_exists_once_after_lost_answers(
    prefect_server: object, lost_answers: dict[httpx.Request, int]
) -> None:
    part = ChurnFlow(one, name="part-of-deployed")

    def call() -> None:
        part()

    Flow(call, name="deployed")()  # The run of a worker does not start by a call of a `ChurnFlow`.
    assert states("part-of-deployed") == Counter(Completed=1)


def test_each_call_of_a_flow_is_a_run(prefect_server: object) -> None:
    again = ChurnFlow(one, name="again")
    assert [again(), again()] == [1, 1]
    assert states("again") == Counter(Completed=2)


def test_all_flows_are_created_once() -> None:
    modules = [import_module(f"flows.{module.name}") for module in iter_modules(flows.__path__)]
    found = [value for module in modules for value in vars(module).values() if is_flow(value)]
    assert len(found) >= len(FLOWS) + len(COMPOSITES) + 2
    assert [flow for flow in found if not isinstance(flow, ChurnFlow)] == []


def one() -> int:
    return 1


def is_flow(value: object) -> bool:
    return isinstance(value, Flow)


def states(name: str) -> Counter[str | None]:
    """Counts the states of a flow's runs that the server knows."""
    with get_client(sync_client=True) as client:
        only = FlowFilter(name=FlowFilterName(any_=[name]))
        return Counter(run.state_name for run in client.read_flow_runs(flow_filter=only))
