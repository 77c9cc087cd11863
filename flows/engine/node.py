"""The declarations of tasks and flows, from which `flows.map` draws the pipelines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from prefect import Flow
from prefect.tasks import Task

from churnlib.settings import Settings
from churnlib.settings.tables import TableKind

Kinds = tuple[TableKind, ...]


@dataclass(frozen=True)
class Node:
    """The datasets and settings that a task uses.

    A dataset is named by its layer and its name, such as `03_primary/standard_features`. In a name
    `{flow}` is replaced by the flow that runs the task, `{table}` by the raw table that it runs
    for, and `{parent}` by the table that this table's rows must refer to; without such a table the
    name is left out. The kind of a raw table, such as `{history}`, is replaced by its name.

    Attributes:
        reads: The datasets that it reads.
        writes: The datasets that it writes, the main one first.
        settings: The settings that it takes, by dotted path.
        earlier: The datasets that it reads besides and that the map leaves out: those of earlier
            runs, which were made of what it writes, because a map has no circles; and those that do
            not affect the result.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pipeline:
    """The tasks and flows that a flow calls.

    Attributes:
        tasks: The tasks that it calls itself, in order.
        tables: The kinds of the raw tables for which it runs tasks that declare `{table}`; or a
            function that tells them by the settings of a game.
        parts: The flows that it calls, in order.
    """

    tasks: tuple[Task[..., Any], ...] = ()
    tables: Kinds | Callable[[Settings], Kinds] = ()
    parts: tuple[Flow[..., Any], ...] = ()

    def own_kinds(self, settings: Settings) -> Kinds:
        """The kinds of the raw tables that the flow itself reads, for a game."""
        return self.tables(settings) if callable(self.tables) else self.tables

    def kinds(self, settings: Settings) -> Kinds:
        """The kinds of the raw tables that the flow needs, with the flows that it calls."""
        parts = (kind for part in self.parts for kind in pipeline_of(part).kinds(settings))
        return tuple(dict.fromkeys((*self.own_kinds(settings), *parts)))


def node_of(task: Task[..., Any]) -> Node:
    """Returns what a task of this project declares."""
    node: Node = vars(task.fn)["node"]
    return node


def pipeline_of(flow: Flow[..., Any]) -> Pipeline:
    """Returns what a flow of this project declares."""
    pipeline: Pipeline = vars(flow.fn)["pipeline"]
    return pipeline
