"""Waiting for a Prefect server that restarts."""

import pytest

from churnlib.errors import ServerError
from flows.engine import server_outage
from flows.engine.server_outage import wait_for_server
from flows.steps.flow import ChurnFlow


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A server that answers after as many attempts as the list's only element says."""
    left = [3]

    def check(url: str) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise ServerError("no answer")

    monkeypatch.setattr(server_outage, "check_answers", check)
    monkeypatch.setattr(server_outage, "PAUSE_SECONDS", 0)
    return left


def test_server_is_waited_for_until_it_answers(prefect_server: object, outage: list[int]) -> None:
    wait_for_server()
    assert outage == [-1]


def test_server_that_stays_away_is_not_waited_for_forever(
    prefect_server: object, outage: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    outage[0] = 10**9
    monkeypatch.setattr(server_outage, "OUTAGE_SECONDS", 0.05)
    with pytest.raises(ServerError, match="no answer"):
        wait_for_server()


def test_flows_and_sub_flows_wait_for_the_server(
    prefect_server: object, outage: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> str:
        outage[0] = 2
        return "done"

    part = ChurnFlow(away, name="part")

    def call() -> str:
        part()
        return str(part())

    assert ChurnFlow(call, name="whole")() == "done"
    assert outage == [2]
    told = [text for text in caplog.messages if "does not answer; waiting for it" in text]
    assert len(told) == 2  # At the start, and between the two parts.
