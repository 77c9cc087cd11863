"""What a task declares beside its function: the datasets and settings that it works with."""

from dataclasses import dataclass
from typing import Any

from prefect.tasks import Task


@dataclass(frozen=True)
class Node:
    """A task's place in the pipelines, which `flows.map` draws.

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


def node_of(task: Task[..., Any]) -> Node:
    """Returns what a task of this project declares."""
    node: Node = vars(task.fn)["node"]
    return node
