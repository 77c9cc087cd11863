"""The graph of the flows, by calling them: with recorders for tasks, and no data.

A flow's body runs as it is, in an empty data folder; each task that it calls notes its datasets and
settings, does nothing, and gives back references to what it would have written. What else the
body calls is called, too. Where that fails, because only data could tell its result, a stand-in
takes the result's place: the dataset that it was to find, or a value that says nothing. Each flow
is called twice, because it may go on otherwise where a task returns null.
"""

import functools
import inspect
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any
from unittest.mock import patch

from prefect import Flow
from prefect.tasks import Task

from churnlib.io import datasets
from churnlib.io.catalog import RAW_TABLES, Catalog
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.settings import Settings, load_settings
from flows import COMPOSITES, FLOWS
from flows.engine.results import datasets_in
from flows.map.graph import DatasetNode, FlowNode, Graph, TaskNode
from flows.map.source import arguments_of, first_paragraph, source_of
from flows.map.stand_ins import (
    UNKNOWN,
    Unknown,
    UntraceableError,
    dataset_node,
    references,
    result_of,
)
from flows.task import dataset_parameters

AnyTask = Task[..., Any]
AnyFlow = Flow[..., Any]


def trace(game: str, as_of: date, data_dir: str | None = None) -> Graph:
    """Learns the graph of all flows of a game.

    Args:
        game: The game, by whose settings the flows are called.
        as_of: The day of the run.
        data_dir: What the settings are to say of the data folder, which is not read.

    Raises:
        SettingsError: The settings cannot be.
        UntraceableError: A flow passes a task a dataset that cannot be told without data.
    """
    settings = load_settings(game, {} if data_dir is None else {"data_dir": data_dir})
    flows = {flow.name: (flow, command) for flow, command in all_flows()}
    with TemporaryDirectory() as folder:
        for table in RAW_TABLES:
            file = Path(folder, "01_raw", game, f"{table}.csv")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        recorder = _Recorder(Path(folder), settings)
        with recorder.listening():
            for recorder.nothing in (False, True):
                for flow, _ in flows.values():
                    flow(game=game, as_of=as_of, data_dir=folder)
    return recorder.graph(flows)


def all_flows() -> Iterator[tuple[AnyFlow, str]]:
    """Yields every flow and its command line, without the game."""
    for name in FLOWS:
        yield getattr(import_module(f"flows.{name}"), name), f"python -m flows.{name}"
    for name in COMPOSITES:
        module = import_module(f"flows.{name}")
        yield getattr(module, f"{name}_from_raw"), f"python -m flows.{name} --from-raw"


class _Recorder:
    """Takes the place of tasks and flows, and notes how they are called."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.datasets: dict[str, DatasetNode] = {}
        self.calls: dict[tuple[str, ...], TaskNode] = {}
        self.flows: dict[str, list[tuple[str, ...]]] = {}
        self.reads: dict[str, dict[str, None]] = {}
        self.parts: dict[str, list[str]] = {}
        self.running: list[str] = []
        self.recorded = 0
        self.nothing = False
        self.asked: list[Dataset] = []

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Puts this recorder into the place of every task and flow."""

        def call_task(task: AnyTask, *args: Any, **kwargs: Any) -> Any:
            return self.task(task, sys._getframe(1), *args, **kwargs)

        def call_flow(flow: AnyFlow, *args: Any, **kwargs: Any) -> Any:
            return self.flow(flow, *args, **kwargs)

        with ExitStack() as stack:
            stack.callback(logging.disable, logging.root.manager.disable)
            logging.disable()  # What is logged of stand-ins tells nobody anything.
            stack.enter_context(patch.object(Task, "__call__", call_task))
            stack.enter_context(patch.object(Flow, "__call__", call_flow))
            for name, method in inspect.getmembers(Catalog, inspect.isfunction):
                if not name.startswith("_"):
                    stack.enter_context(patch.object(Catalog, name, self.told_by(method)))
            stack.enter_context(patch.object(datasets, "ref", self.lenient(datasets.ref)))
            for module in _modules_of_flows():
                for name, function in self.lenient_functions(module).items():
                    stack.enter_context(patch.object(module, name, function))
            yield

    def flow(self, flow: AnyFlow, *args: Any, **kwargs: Any) -> Any:
        """Runs the body of a flow."""
        if self.running:
            self.parts[self.running[-1]].append(flow.name)
        self.flows.setdefault(flow.name, [])
        self.reads.setdefault(flow.name, {})
        self.parts[flow.name] = []
        self.running.append(flow.name)
        try:
            return flow.fn(*args, **kwargs)
        finally:
            self.running.pop()

    def task(self, task: AnyTask, frame: Any, *args: Any, **kwargs: Any) -> Any:
        """Notes the call of a task, and gives back what it would have written."""
        self.recorded += 1
        call = inspect.signature(task.fn).bind(*args, **kwargs)
        call.apply_defaults()
        for name in dataset_parameters(task, DatasetRef):
            if isinstance(call.arguments[name], Unknown):
                raise UntraceableError(
                    f"{task.fn.__name__}: which dataset it gets as '{name}' cannot be told."
                )
        found = {ref.uri: ref for value in call.arguments.values() for ref in datasets_in(value)}
        made = references(call.arguments)
        plain = {
            name: value
            for name, value in call.arguments.items()
            if not [*datasets_in(value), *references({name: value})]
            and name not in dataset_parameters(task, DatasetRef)
        }
        node = TaskNode(
            id=task.fn.__name__,
            name=task.fn.__name__,
            about=inspect.getdoc(task.fn) or "",
            source=source_of(task.fn.__module__, task.fn.__qualname__),
            uses=getattr(task.cache_policy, "uses", ()),
            inputs=tuple(self.note(ref) for ref in found.values()),
            outputs=tuple(self.note(dataset) for dataset in made.values()),
            arguments=arguments_of(task, plain, frame, self.settings),
        )
        key = (node.source.file, node.name, *(node.outputs or node.inputs))
        known = self.calls.get(key, node)
        inputs = tuple(dict.fromkeys((*known.inputs, *node.inputs)))
        self.calls[key] = replace(known, inputs=inputs)
        for flow in self.running:
            self.reads[flow] |= dict.fromkeys(node.inputs)
            if key not in self.flows[flow]:
                self.flows[flow].append(key)
        return result_of(task, made, nothing=self.nothing)

    def note(self, dataset: Dataset | DatasetRef) -> str:
        """Makes a node of a dataset; returns its id."""
        node = dataset_node(dataset, self.folder)
        return self.datasets.setdefault(node.id, node).id

    def told_by(self, method: Callable[..., Dataset]) -> Callable[..., Dataset]:
        """Notes what the catalog says of a dataset that it is asked for."""

        @functools.wraps(method)
        def ask(*args: Any, **kwargs: Any) -> Dataset:
            dataset = method(*args, **kwargs)
            self.asked.append(dataset)
            node = dataset_node(dataset, self.folder)
            self.datasets[node.id] = replace(node, about=first_paragraph(method.__doc__))
            return dataset

        return ask

    def lenient_functions(self, module: ModuleType) -> dict[str, Callable[..., Any]]:
        """Wraps the functions of the project that a module has, so that none needs data."""
        return {
            name: self.lenient(value)
            for name, value in vars(module).items()
            if inspect.isfunction(value) and value.__module__.split(".")[0] in ("churnlib", "flows")
        }

    def lenient(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wraps a function so that it gives a stand-in where it fails for want of data.

        The dataset that it was to find is the one that it was given, or asked the catalog for last.
        """
        returns = inspect.formatannotation(inspect.signature(function).return_annotation)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            asked = len(self.asked)
            before, of_library = self.recorded, function.__module__.startswith("churnlib.")
            try:
                if of_library and any(isinstance(a, Unknown) for a in (*args, *kwargs.values())):
                    raise ValueError("Only data could tell.")
                return function(*args, **kwargs)
            except UntraceableError:
                raise
            except Exception:
                if self.recorded > before:
                    raise  # Tasks would be missing.
                if not returns.endswith("DatasetRef"):
                    return UNKNOWN
                given = [a for a in args if isinstance(a, Dataset)]
                wanted = [*given[:1], *self.asked[asked:]]
                return _found(wanted[-1]) if wanted else UNKNOWN

        return call

    def graph(self, flows: dict[str, tuple[AnyFlow, str]]) -> Graph:
        """Puts together what was noted."""
        names = [node.name for node in self.calls.values()]
        ids = {}
        for key, node in self.calls.items():
            first = self.datasets[key[2]].name if len(key) > 2 else "nothing"
            ids[key] = node.name if names.count(node.name) == 1 else f"{node.name}-{first}"
        tasks = {ids[key]: replace(node, id=ids[key]) for key, node in self.calls.items()}
        touched = {d for task in tasks.values() for d in (*task.inputs, *task.outputs)}
        return Graph(
            flows={
                name: FlowNode(
                    id=name,
                    about=first_paragraph(flow.fn.__doc__),
                    source=source_of(flow.fn.__module__, flow.fn.__name__),
                    command=command,
                    parts=tuple(self.parts[name]),
                    tasks=tuple(ids[key] for key in self.flows[name]),
                    reads=tuple(self.reads[name]),
                )
                for name, (flow, command) in flows.items()
            },
            tasks=tasks,
            datasets={i: self.datasets[i] for i in sorted(touched)},
        )


def _found(dataset: Dataset) -> DatasetRef:
    return DatasetRef(dataset.name, dataset.game, dataset.uri, "")


def _modules_of_flows() -> list[ModuleType]:
    """Lists the modules that the bodies of flows are in, or take their helpers from."""
    machinery = re.compile(r"flows\.(map|engine|task|arguments|command)\b")
    return [
        m
        for n, m in list(sys.modules.items())
        if re.match(r"flows\.", n) and not machinery.match(n)
    ]
