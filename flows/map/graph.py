"""The graph of the pipelines: flows, their tasks, and the datasets between them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Edge = tuple[str, str]
"""Two nodes by id: the second depends on the first."""
CHECKED = "02_intermediate"
"""The layer of the checked raw tables, which every flow that needs them makes itself."""


@dataclass(frozen=True)
class DatasetNode:
    """A dataset of the catalog.

    Attributes:
        id: Its layer and name.
        name: Its name in the catalog.
        layer: Its folder under the data folder, one of `churnlib.io.catalog.LAYERS`.
        path: Its path in the data folder, with `*` for a month.
        about: Its description in the catalog.
    """

    id: str
    name: str
    layer: str
    path: str
    about: str


@dataclass(frozen=True)
class SettingValue:
    """A setting that a task takes.

    Attributes:
        path: Its dotted path.
        value: Its present value as plain data; of a window its first and last day.
    """

    path: str
    value: Any


@dataclass(frozen=True)
class Source:
    """The source of a function: its file in the project's folder, first line and text."""

    file: str
    line: int
    text: str


@dataclass(frozen=True)
class TaskNode:
    """A task; one that runs for several raw tables or flows has a node for each.

    Attributes:
        id: Its name, with the raw table or the output where there are several nodes.
        name: The function's name.
        about: Its docstring.
        source: Its source.
        uses: Modules and files that its cached result depends on, in addition to its code.
        inputs: The datasets that it reads, by id.
        outputs: The datasets that it writes, by id, the main one first.
        settings: The settings that it takes.
        functions: The project's own functions that it calls.
    """

    id: str
    name: str
    about: str
    source: Source
    uses: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: tuple[SettingValue, ...]
    functions: tuple[Source, ...] = ()


@dataclass(frozen=True)
class FlowNode:
    """A flow.

    Attributes:
        id: The flow's name.
        about: The first paragraph of its docstring.
        source: Its source.
        command: Its command line, without the game.
        parts: The flows that it calls.
        tasks: The tasks that it and its parts call, by id.
    """

    id: str
    about: str
    source: Source
    command: str
    parts: tuple[str, ...]
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """All flows, tasks and datasets, by id.

    Attributes:
        flows: The base flows, then the composites.
        tasks: Their tasks.
        datasets: The datasets that the tasks read and write.
    """

    flows: dict[str, FlowNode]
    tasks: dict[str, TaskNode]
    datasets: dict[str, DatasetNode]

    def edges(self, flow: str | None = None) -> Iterator[Edge]:
        """Yields the edges between tasks and datasets, without side outputs.

        Args:
            flow: The flow whose tasks count; those of all flows if None.
        """
        for name in self.tasks if flow is None else self.flows[flow].tasks:
            task = self.tasks[name]
            yield from ((dataset, name) for dataset in task.inputs)
            yield from ((name, d) for d in task.outputs if not self.is_side_output(task, d))

    def is_side_output(self, task: TaskNode, dataset: str) -> bool:
        """Returns whether an output is not the task's main one and no task reads it."""
        return dataset != task.outputs[0] and not any(self.readers(dataset))

    def readers(self, dataset: str) -> Iterator[TaskNode]:
        """Yields the tasks that read a dataset."""
        return (task for task in self.tasks.values() if dataset in task.inputs)

    def writers(self, dataset: str) -> Iterator[TaskNode]:
        """Yields the tasks that write a dataset."""
        return (task for task in self.tasks.values() if dataset in task.outputs)

    def needs(self, flow: str) -> list[str]:
        """Lists the datasets that a flow reads and does not write, without checked tables."""
        written = {dataset for task in self._tasks(flow) for dataset in task.outputs}
        read = dict.fromkeys(dataset for task in self._tasks(flow) for dataset in task.inputs)
        return [d for d in read if d not in written and self.datasets[d].layer != CHECKED]

    def gives(self, flow: str) -> list[str]:
        """Lists the datasets that a flow writes for other flows or for people."""
        read = {dataset for task in self._tasks(flow) for dataset in task.inputs}
        wanted = {dataset for other in self.flows for dataset in self.needs(other)}
        written = dict.fromkeys(
            dataset
            for task in self._tasks(flow)
            for dataset in task.outputs
            if not self.is_side_output(task, dataset)
        )
        return [dataset for dataset in written if dataset in wanted or dataset not in read]

    def _tasks(self, flow: str) -> list[TaskNode]:
        return [self.tasks[task] for task in self.flows[flow].tasks]

    def overview(self) -> Iterator[Edge]:
        """Yields the edges between base flows and the datasets that they pass on.

        Those that lead up the layers are left out: the features of a batch, which are written by
        a flow that reads the model.
        """
        base = [name for name, flow in self.flows.items() if not flow.parts]
        upwards = {d for name in base for d in self.gives(name) if self._is_upwards(name, d)}
        for name in base:
            yield from ((d, name) for d in self.needs(name) if d not in upwards)
            yield from ((name, d) for d in self.gives(name) if d not in upwards)

    def _is_upwards(self, flow: str, dataset: str) -> bool:
        read = (self.datasets[needed].layer for needed in self.needs(flow))
        return self.datasets[dataset].layer < max(read, default="")
