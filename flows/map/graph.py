"""What the pipelines are made of: flows, their tasks, and the datasets between them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Edge = tuple[str, str]
"""From the node that comes first to the one that depends on it, by id."""


@dataclass(frozen=True)
class DatasetNode:
    """A dataset of the catalog.

    Attributes:
        id: Its layer and name.
        name: Its name in the catalog.
        layer: Its folder under the data folder, one of `churnlib.io.catalog.LAYERS`.
        path: Where it lies in the data folder; `*` stands for a month.
        about: What the catalog says of it.
    """

    id: str
    name: str
    layer: str
    path: str
    about: str


@dataclass(frozen=True)
class Argument:
    """What a task is called with, besides datasets.

    Attributes:
        name: The parameter.
        value: Its value, as JSON has it; null also where only the data tell.
        origin: The expression in the flow that gives it; empty where it is stated there.
        settings: The paths of the settings in that expression.
    """

    name: str
    value: Any
    origin: str
    settings: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """A function's source.

    Attributes:
        file: The file, from the project's folder.
        line: Where it begins.
        text: All of it.
    """

    file: str
    line: int
    text: str


@dataclass(frozen=True)
class TaskNode:
    """A task, once for each set of datasets that it writes.

    Attributes:
        id: Its name, and what it writes where it writes different things.
        name: The function's name.
        about: Its docstring.
        source: Where it is.
        uses: What counts whole for its cache, besides the code that it names.
        inputs: The datasets that it reads, by id.
        outputs: The datasets that it writes, by id; those after the first may not come to be.
        arguments: What else it is called with.
    """

    id: str
    name: str
    about: str
    source: Source
    uses: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class FlowNode:
    """A flow.

    Attributes:
        id: The flow's name.
        about: Its docstring.
        source: Where it is.
        command: Its command line, without the game.
        parts: The flows that it calls.
        tasks: The tasks that it and its parts call, by id; last those after a task that gave null.
        reads: The datasets that these tasks read here, by id; elsewhere they may read more.
    """

    id: str
    about: str
    source: Source
    command: str
    parts: tuple[str, ...]
    tasks: tuple[str, ...]
    reads: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """All flows, and what they are made of, by id.

    Attributes:
        flows: The base flows, then the composites.
        tasks: Their tasks.
        datasets: What these read and write.
    """

    flows: dict[str, FlowNode]
    tasks: dict[str, TaskNode]
    datasets: dict[str, DatasetNode]

    def edges(self, flow: str | None = None) -> Iterator[Edge]:
        """Yields what tasks read and write, without what is written on the side.

        Args:
            flow: Whose tasks; those of all flows if null.
        """
        reads = self.datasets if flow is None else self.flows[flow].reads
        for name in self.tasks if flow is None else self.flows[flow].tasks:
            task = self.tasks[name]
            yield from ((dataset, name) for dataset in task.inputs if dataset in reads)
            yield from ((name, d) for d in task.outputs if not self.is_aside(task, d))

    def is_aside(self, task: TaskNode, dataset: str) -> bool:
        """Tells whether a dataset is written on the side: not the first, and read by no task."""
        return dataset != task.outputs[0] and not any(self.readers(dataset))

    def readers(self, dataset: str) -> Iterator[TaskNode]:
        """Yields the tasks that read a dataset."""
        return (task for task in self.tasks.values() if dataset in task.inputs)

    def writers(self, dataset: str) -> Iterator[TaskNode]:
        """Yields the tasks that write a dataset."""
        return (task for task in self.tasks.values() if dataset in task.outputs)

    def needs(self, flow: str) -> list[str]:
        """Lists the datasets that a flow reads and does not make."""
        tasks = [self.tasks[task] for task in self.flows[flow].tasks]
        made = {dataset for task in tasks for dataset in task.outputs}
        return [dataset for dataset in self.flows[flow].reads if dataset not in made]

    def gives(self, flow: str) -> list[str]:
        """Lists the datasets that a flow makes for other flows, or for people."""
        tasks = [self.tasks[task] for task in self.flows[flow].tasks]
        read = set(self.flows[flow].reads)
        wanted = {dataset for other in self.flows for dataset in self.needs(other)}
        made = (d for task in tasks for d in task.outputs if not self.is_aside(task, d))
        return list(dict.fromkeys(d for d in made if d in wanted or d not in read))

    def overview(self) -> Iterator[Edge]:
        """Yields what the base flows need and give, as far as it goes down the layers.

        A batch's features, which a flow makes that reads the model, are told by its own picture.
        """
        base = [name for name, flow in self.flows.items() if not flow.parts]
        upwards = {d for name in base for d in self.gives(name) if self._is_upwards(name, d)}
        for name in base:
            yield from ((d, name) for d in self.needs(name) if d not in upwards)
            yield from ((name, d) for d in self.gives(name) if d not in upwards)

    def _is_upwards(self, flow: str, dataset: str) -> bool:
        read = (self.datasets[needed].layer for needed in self.needs(flow))
        return self.datasets[dataset].layer < max(read, default="")
