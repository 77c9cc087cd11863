"""The graph of the pipelines, from what flows and tasks declare; nothing is run."""

import ast
import importlib.util
import inspect
from collections.abc import Iterator
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.tasks import Task
from pydantic_core import to_jsonable_python

from churnlib.features.activity import own_functions
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset
from churnlib.schemas.raw_tables import raw_tables
from churnlib.settings import Settings, Window
from churnlib.settings.tables import ONE_OF_EACH
from churnlib.uris import is_remote, join
from flows import COMPOSITES, FLOWS, find_flow
from flows.engine.node import node_of, pipeline_of
from flows.map.graph import DatasetNode, FlowNode, Graph, SettingValue, Source, TaskNode
from flows.steps.raw_tables import batch_kinds, cohort_kinds

Names = dict[str, tuple[str, ...]]
"""What the names in braces of declarations stand for."""


def build_graph(settings: Settings, as_of: date) -> Graph:
    """Builds the graph of all flows of a game.

    Raises:
        LookupError: A task declares a dataset that the catalog has not, or a setting that does not
            exist.
    """
    flows = all_flows()
    own = {flow.name: [*_task_nodes(flow, settings, as_of)] for flow in flows}
    tasks = {node.id: node for nodes in own.values() for node in nodes}
    catalog = {node.id: node for node in catalog_nodes(settings)}
    datasets = {name: task for task in tasks.values() for name in (*task.inputs, *task.outputs)}
    for dataset, task in datasets.items():
        if dataset not in catalog:
            raise LookupError(f"{task.name} declares {dataset}, which is not in the catalog.")
    return Graph(
        flows={flow.name: _flow_node(flow, own) for flow in flows},
        tasks=tasks,
        datasets={dataset: catalog[dataset] for dataset in sorted(datasets)},
    )


def all_flows() -> list[Flow[..., Any]]:
    """Lists the base flows, then the composites."""
    return [*map(find_flow, FLOWS), *(find_flow(name, from_raw=True) for name in COMPOSITES)]


def catalog_nodes(settings: Settings) -> Iterator[DatasetNode]:
    """Yields the datasets of a game's catalog, described by the catalog's own docstrings."""
    catalog, month = Catalog("data", settings.game), date(2000, 1, 1)
    tables = raw_tables(settings)
    raw = (_raw_table(name, settings) for name in tables)
    described = chain(
        ((dataset, Catalog.raw.__doc__) for dataset in raw), catalog.places(tables, month)
    )
    for dataset, about in described:
        path = dataset.uri.removeprefix("data/").replace(f"{month:%Y-%m}", "*")
        layer = path.split("/")[0]
        yield DatasetNode(
            f"{layer}/{dataset.name}", dataset.name, layer, path, first_paragraph(about)
        )


def _raw_table(name: str, settings: Settings) -> Dataset:
    """The place of a raw table in the data folder; it may have the suffix of another format."""
    path = settings.tables[name].path
    if path is None or is_remote(path) or Path(path).is_absolute():
        path = f"{name}.csv"
    return Dataset(name, settings.game, join("data", "01_raw", settings.game, path))


def first_paragraph(docstring: str | None) -> str:
    """Returns the first paragraph of a docstring, as one line."""
    return " ".join((docstring or "").strip().split("\n\n")[0].split())


def _flow_node(flow: Flow[..., Any], own: dict[str, list[TaskNode]]) -> FlowNode:
    parts = tuple(part.name for part in pipeline_of(flow).parts)
    nodes = [node for name in (flow.name, *parts) for node in own[name]]
    return FlowNode(
        id=flow.name,
        about=first_paragraph(flow.fn.__doc__),
        source=_source_of(flow),
        command=f"churn {flow.name.replace('-from-raw', ' --from-raw')}",
        parts=parts,
        tasks=tuple(dict.fromkeys(node.id for node in nodes)),
    )


def _task_nodes(flow: Flow[..., Any], settings: Settings, as_of: date) -> Iterator[TaskNode]:
    """Yields the nodes of the tasks that a flow calls itself."""
    raw, pipeline = raw_tables(settings), pipeline_of(flow)
    names: Names = {
        "activity": tuple(spec.name for spec in raw.activity),
        "cohort": tuple(spec.name for spec in raw.of_kind(*cohort_kinds(settings))),
        "batch": tuple(spec.name for spec in raw.of_kind(*batch_kinds(settings))),
    }
    for kind in ONE_OF_EACH:
        names[kind] = tuple(spec.name for spec in raw.of_kind(kind))
    names["flow"] = (flow.fn.__name__,)
    for task in pipeline.tasks:
        node = node_of(task)
        if not any("{table}" in pattern for pattern in (*node.reads, *node.writes)):
            yield _task_node(task, names, settings, as_of)
            continue
        for spec in raw.of_kind(*pipeline.own_kinds(settings)):
            parent = spec.required_parent
            of_table = {"table": (spec.name,), "parent": (parent.table,) if parent else ()}
            yield _task_node(task, names | of_table, settings, as_of)


def _task_node(task: Task[..., Any], names: Names, settings: Settings, as_of: date) -> TaskNode:
    node, name = node_of(task), task.fn.__name__
    inputs, outputs = _filled(node.reads, names), _filled(node.writes, names)
    (which,) = names.get("table", (None,))
    if any("{flow}" in pattern for pattern in node.writes):
        which = outputs[0].split("/")[1]
    return TaskNode(
        id=f"{name}-{which}" if which else name,
        name=name,
        about=inspect.getdoc(task.fn) or "",
        source=_source_of(task),
        uses=getattr(task.cache_policy, "uses", ()),
        inputs=inputs,
        outputs=outputs,
        settings=tuple(
            SettingValue(path, _value_at(settings, path, as_of))
            for path in _filled(node.settings, names)
        ),
        functions=tuple(_own_functions(settings)) if "features" in node.settings else (),
    )


def _own_functions(settings: Settings) -> Iterator[Source]:
    """Yields the sources of the project's own functions that compute features."""
    for each in own_functions(settings.features):
        yield Source(each.file, each.line, each.source)


def _filled(patterns: tuple[str, ...], names: Names) -> tuple[str, ...]:
    """Replaces the name in braces by what it stands for; a pattern may give several or none."""
    return tuple(chain.from_iterable(_each(pattern, names) for pattern in patterns))


def _each(pattern: str, names: Names) -> Iterator[str]:
    _, _, rest = pattern.partition("{")
    name, brace, _ = rest.partition("}")
    values = names[name] if brace else ("",)
    yield from (pattern.replace(f"{{{name}}}", value) for value in values)


def _value_at(settings: Settings, path: str, as_of: date) -> Any:
    """Returns a setting's value as plain data; of a window the first and last day."""
    value: Any = settings
    for part in path.split("."):
        if part not in type(value).model_fields:
            raise LookupError(f"there is no setting {path}.")
        value = getattr(value, part)
    if isinstance(value, Window):
        value = value.span(as_of)
    return to_jsonable_python(as_of if path == "as_of" else value)


def _source_of(function: Flow[..., Any] | Task[..., Any]) -> Source:
    """Reads the source of the function behind a flow or task, with its decorators."""
    module, name = function.fn.__module__, function.fn.__name__
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    text = Path(spec.origin).read_text(encoding="utf-8")
    (found,) = (
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name == name
    )
    first = min((found.lineno, *(decorator.lineno for decorator in found.decorator_list)))
    lines = text.splitlines()[first - 1 : found.end_lineno]
    return Source(f"{module.replace('.', '/')}.py", first, "\n".join(lines))
