"""The ledger of a flow run: the tasks that it called, and the datasets they read and wrote."""

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
        inputs: The datasets that it was given; empty if its result came from the cache.
        outputs: The datasets in its result.
        seconds: How long it took; None if its result came from the cache.
    """

    task: str
    inputs: tuple[DatasetRef, ...]
    outputs: tuple[DatasetRef, ...]
    seconds: float | None


_CALLS: ContextVar[list[Call] | None] = ContextVar("calls", default=None)


@contextmanager
def ledger() -> Iterator[list[Call]]:
    """Collects the calls of tasks in the block; a nested block has its own."""
    calls: list[Call] = []
    token = _CALLS.set(calls)
    try:
        yield calls
    finally:
        _CALLS.reset(token)


def record(call: Call) -> None:
    """Records a call; does nothing outside a `ledger` block."""
    calls = _CALLS.get()
    if calls is not None:
        calls.append(call)


def record_cached(task: Task[..., Any], _run: TaskRun, state: State) -> None:
    """Records a call whose result came from the cache: a hook that Prefect calls at its end."""
    if state.name == "Cached":
        # Prefect's result record; `state.result()` would read the result once more.
        result = getattr(state.data, "result", state.data)
        record(Call(task.fn.__name__, (), tuple(datasets_in(result)), None))
