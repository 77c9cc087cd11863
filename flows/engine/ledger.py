"""What the tasks of one flow run wrote, or took from the cache: gathered as they end."""

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
    """A dataset that a task gave.

    Attributes:
        dataset: The dataset.
        seconds: How long the task worked; None where the dataset came from the cache.
    """

    dataset: DatasetRef
    seconds: float | None


_ENTRIES: ContextVar[list[Entry] | None] = ContextVar("entries", default=None)


@contextmanager
def ledger() -> Iterator[list[Entry]]:
    """Gathers what the tasks of the block give; a block within has entries of its own."""
    entries: list[Entry] = []
    token = _ENTRIES.set(entries)
    try:
        yield entries
    finally:
        _ENTRIES.reset(token)


def enter(result: Any, seconds: float | None) -> None:
    """Enters every dataset of a task's result; does nothing outside of a ledger.

    Args:
        result: What the task returned.
        seconds: See `Entry`.
    """
    entries = _ENTRIES.get()
    if entries is not None:
        entries += [Entry(dataset, seconds) for dataset in datasets_in(result)]


def enter_cached(_task: Task[..., Any], _run: TaskRun, state: State) -> None:
    """Enters what a task took from the cache: a hook for Prefect to call when a task ends."""
    if state.name == "Cached":
        # A record of Prefect's, which holds the result; `state.result()` would read it once more.
        enter(getattr(state.data, "result", state.data), None)
