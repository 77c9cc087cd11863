"""Runs whose process has ended without saying so."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.states import (
    AwaitingRetry,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    Paused,
    Pending,
    Running,
    Scheduled,
)

from flows.engine import run_program, run_watcher
from flows.engine.run_watcher import MESSAGE, report
from tests.flows.studio import ROOT


@flow
def some() -> None:
    """A flow that never runs here."""


@pytest.fixture
def dead() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def make_run(client: SyncPrefectClient, state: State, parent: UUID | None = None) -> UUID:
    """A run in a state; the run of a sub-flow if it has a parent."""
    tracking = None
    if parent:
        answer = client.request(
            "POST",
            "/task_runs/",
            json={"flow_run_id": str(parent), "task_key": "some", "dynamic_key": "0"},
        )
        tracking = UUID(answer.json()["id"])
    run = client.create_flow_run(some, parent_task_run_id=tracking)
    client.set_flow_run_state(run.id, state, force=True)
    return run.id


def state_of(client: SyncPrefectClient, run: UUID) -> State:
    state = client.read_flow_run(run).state
    assert state is not None
    return state


@pytest.mark.parametrize("open_state", [Running, Pending])
def test_run_of_a_dead_process_crashes_with_its_parts(
    open_state: Callable[[], State], prefect_server: object, dead: int
) -> None:
    with get_client(sync_client=True) as client:
        run = make_run(client, open_state())
        done = make_run(client, Completed(), parent=run)
        part = make_run(client, Running(), parent=run)
        inner = make_run(client, Running(), parent=part)
        report(run, dead)
        for one in (run, part, inner):
            assert state_of(client, one).is_crashed()
            assert state_of(client, one).message == MESSAGE
        assert state_of(client, done).is_completed()


@pytest.mark.parametrize(
    "settled", [Completed, Failed, Crashed, Cancelling, Scheduled, AwaitingRetry, Paused]
)
def test_run_that_is_taken_care_of_stays(
    settled: Callable[[], State], prefect_server: object, dead: int
) -> None:
    with get_client(sync_client=True) as client:
        run = make_run(client, settled())
        report(run, dead)
        assert state_of(client, run).name == settled().name


def test_worker_that_lives_may_say_how_its_run_ended(
    prefect_server: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with get_client(sync_client=True) as client:
        run = make_run(client, Running())
        message = "The worker knows more."

        def worker_speaks(seconds: float) -> None:
            client.set_flow_run_state(run, Crashed(message=message), force=True)

        monkeypatch.setattr(time, "sleep", worker_speaks)
        report(run, os.getpid())
        assert state_of(client, run).message == message


def test_worker_that_lives_and_says_nothing_is_not_waited_for_long(
    prefect_server: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_watcher, "WORKER_SECONDS", 0.1)
    with get_client(sync_client=True) as client:
        run = make_run(client, Running())
        report(run, os.getpid())
        assert state_of(client, run).message == MESSAGE


def test_run_is_marked_as_crashed_when_its_process_is_killed(prefect_server: object) -> None:
    """The real programs, with an engine that only sleeps."""
    program = (
        "import sys; from flows.engine import run_program; "
        "run_program.ENGINE = 'tests.flows.engine.sleeping_engine'; run_program.main()"
    )
    with get_client(sync_client=True) as client:
        run = make_run(client, Running())
        process = subprocess.Popen(
            # Its parent is the worker, which ends before it.
            ["sh", "-c", '"$1" -c "$2" & echo $!; read line', "sh", sys.executable, program],
            cwd=ROOT,
            env=os.environ | {run_program.RUN: str(run), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin
        assert process.stdout
        engine = int(process.stdout.readline())
        # It says so once it has become the engine.
        assert process.stdout.readline() == "sleeping\n"
        process.stdin.close()
        process.wait(30)
        os.kill(engine, 9)
        deadline = time.monotonic() + 60
        while not state_of(client, run).is_crashed():
            assert time.monotonic() < deadline
            time.sleep(0.2)
