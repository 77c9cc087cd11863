"""What tasks and flows declare of themselves, from which `flows.map` draws the pipelines."""

from dataclasses import dataclass
from typing import Any

from prefect import Flow
from prefect.tasks import Task

from churnlib.schemas.spec import TableKind


@dataclass(frozen=True)
class Node:
    """The datasets and settings that a task uses.

    A dataset is named by its layer and its name, such as `03_primary/standard_features`. In a name
    `{flow}` stands for the flow that runs the task, and `{table}` for the raw table that it runs
    for; `{parent}` is the table that this one's rows must refer to, `{referenced}` the one that
    they should refer to. A name that holds either is left out where there is no such table. The
    kind of a raw table, such as `{history}`, stands for its name.

    Attributes:
        reads: The datasets that it reads.
        writes: The datasets that it writes, the main one first.
        settings: The settings that it takes, by dotted path.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pipeline:
    """The tasks and flows that a flow calls.

    Attributes:
        tasks: The tasks that it calls itself, in order.
        tables: The kinds of the raw tables for which it runs tasks that declare `{table}`.
        parts: The flows that it calls, in order.
    """

    tasks: tuple[Task[..., Any], ...] = ()
    tables: tuple[TableKind, ...] = ()
    parts: tuple[Flow[..., Any], ...] = ()


def node_of(task: Task[..., Any]) -> Node:
    """Returns what a task of this project declares."""
    node: Node = vars(task.fn)["node"]
    return node


def pipeline_of(flow: Flow[..., Any]) -> Pipeline:
    """Returns what a flow of this project declares."""
    pipeline: Pipeline = vars(flow.fn)["pipeline"]
    return pipeline
