"""The datasets of a flow run: recorded whenever a task ends, written or taken from the cache."""

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
class Entry:
    """A dataset that a task returned.

    Attributes:
        dataset: The dataset.
        seconds: How long the task took; None if its result came from the cache.
    """

    dataset: DatasetRef
    seconds: float | None


_ENTRIES: ContextVar[list[Entry] | None] = ContextVar("entries", default=None)


@contextmanager
def ledger() -> Iterator[list[Entry]]:
    """Collects the datasets that the tasks of the block return; a nested block has its own."""
    entries: list[Entry] = []
    token = _ENTRIES.set(entries)
    try:
        yield entries
    finally:
        _ENTRIES.reset(token)


def record(result: Any, seconds: float | None) -> None:
    """Records every dataset of a result; does nothing outside a `ledger` block.

    Args:
        result: What the task returned.
        seconds: See `Entry`.
    """
    entries = _ENTRIES.get()
    if entries is not None:
        entries += [Entry(dataset, seconds) for dataset in datasets_in(result)]


def record_cached(_task: Task[..., Any], _run: TaskRun, state: State) -> None:
    """Records a result that came from the cache: a hook that Prefect calls when a task ends."""
    if state.name == "Cached":
        # Prefect's result record; `state.result()` would read the result once more.
        record(getattr(state.data, "result", state.data), None)
