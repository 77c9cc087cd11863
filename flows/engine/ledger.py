"""The ledger of a flow run: which tasks it called, with the datasets that they read and wrote."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from churnlib.io.datasets import DatasetRef
from flows.engine.results import datasets_in


@dataclass(frozen=True)
class Call:
    """A call of a task.

    Attributes:
        task: The task's name.
        inputs: The datasets that it was given; empty where its result came from the cache.
        outputs: The datasets in its result.
        seconds: How long it worked; None where its result came from the cache.
    """

    task: str
    inputs: tuple[DatasetRef, ...]
    outputs: tuple[DatasetRef, ...]
    seconds: float | None


_CALLS: ContextVar[list[Call] | None] = ContextVar("calls", default=None)


@contextmanager
def ledger() -> Iterator[list[Call]]:
    """Gathers the calls of tasks in the block, as they end; a ledger within has its own."""
    calls: list[Call] = []
    token = _CALLS.set(calls)
    try:
        yield calls
    finally:
        _CALLS.reset(token)


def enter(call: Call) -> None:
    """Enters a call; does nothing outside of a ledger."""
    calls = _CALLS.get()
    if calls is not None:
        calls.append(call)


def enter_cached(task: Task[..., Any], _run: TaskRun, state: State) -> None:
    """Enters a call whose result came from the cache: a hook for Prefect to call at its end."""
    if state.name == "Cached":
        # A record of Prefect's, which holds the result; `state.result()` would read it once more.
        result = getattr(state.data, "result", state.data)
        enter(Call(task.fn.__name__, (), tuple(datasets_in(result)), None))
