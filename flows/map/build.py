"""The graph of the pipelines, from what flows and tasks declare; nothing is run."""

import ast
import importlib.util
import inspect
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.tasks import Task
from pydantic_core import to_jsonable_python

from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset
from churnlib.schemas.raw_tables import raw_tables
from churnlib.schemas.spec import Parent
from churnlib.settings import Settings, Window
from flows.engine.node import node_of
from flows.map.graph import DatasetNode, FlowNode, Graph, SettingValue, Source, TaskNode
from flows.map.pipelines import PIPELINES, Pipeline


def build_graph(settings: Settings, as_of: date) -> Graph:
    """Builds the graph of all flows of a game.

    Args:
        settings: The game's settings.
        as_of: The day of the run, on which the windows depend.

    Raises:
        LookupError: A task declares a dataset that the catalog has not, or a setting that does not
            exist.
    """
    own = {
        pipeline.flow.name: [
            node for task in pipeline.tasks for node in _task_nodes(task, pipeline, settings, as_of)
        ]
        for pipeline in PIPELINES
    }
    tasks = {node.id: node for nodes in own.values() for node in nodes}
    catalog = {node.id: node for node in catalog_nodes(settings.game)}
    datasets = {name: task for task in tasks.values() for name in (*task.inputs, *task.outputs)}
    for dataset, task in datasets.items():
        if dataset not in catalog:
            raise LookupError(f"{task.name} declares {dataset}, which is not in the catalog.")
    return Graph(
        flows={pipeline.flow.name: _flow_node(pipeline, own) for pipeline in PIPELINES},
        tasks=tasks,
        datasets={dataset: catalog[dataset] for dataset in sorted(datasets)},
    )


def catalog_nodes(game: str) -> Iterator[DatasetNode]:
    """Yields the datasets of a game's catalog, described by the catalog's own docstrings."""
    catalog, month = Catalog("data", game), date(2000, 1, 1)
    for table in raw_tables():
        path = f"01_raw/{game}/{table}.csv"
        yield DatasetNode(
            f"01_raw/{table}", table, "01_raw", path, first_paragraph(Catalog.raw.__doc__)
        )
    methods: tuple[tuple[Callable[..., Dataset], tuple[Any, ...]], ...] = (
        *((catalog.checked, (table,)) for table in raw_tables()),
        *((catalog.rejected, (table,)) for table in raw_tables()),
        (catalog.standard_features, ()),
        (catalog.standard_sources, ()),
        (catalog.features, ("train",)),
        (catalog.features, ("score",)),
        (catalog.predict_features, (month,)),
        (catalog.models, ()),
        (catalog.champion, ()),
        (catalog.registry, ()),
        (catalog.predictions, (month,)),
        (catalog.report, ("in_sample_report",)),
        (catalog.report, ("score_report",)),
        (catalog.report, ("batch_score_report", month)),
    )
    for method, arguments in methods:
        dataset = method(*arguments)
        path = dataset.uri.removeprefix("data/").replace(f"{month:%Y-%m}", "*")
        layer = path.split("/")[0]
        about = first_paragraph(method.__doc__)
        yield DatasetNode(f"{layer}/{dataset.name}", dataset.name, layer, path, about)


def first_paragraph(docstring: str | None) -> str:
    """Returns the first paragraph of a docstring, as one line."""
    return " ".join((docstring or "").strip().split("\n\n")[0].split())


def _flow_node(pipeline: Pipeline, own: dict[str, list[TaskNode]]) -> FlowNode:
    flow, parts = pipeline.flow, tuple(part.name for part in pipeline.parts)
    nodes = [node for name in (flow.name, *parts) for node in own[name]]
    return FlowNode(
        id=flow.name,
        about=first_paragraph(flow.fn.__doc__),
        source=_source_of(flow),
        command=f"churn {flow.name.replace('-from-raw', ' --from-raw')}",
        parts=parts,
        tasks=tuple(dict.fromkeys(node.id for node in nodes)),
    )


def _task_nodes(
    task: Task[..., Any], pipeline: Pipeline, settings: Settings, as_of: date
) -> Iterator[TaskNode]:
    """Yields a node for each raw table that a task runs for, or else one for each flow."""
    declared, name = node_of(task), task.fn.__name__
    stated = "".join((*declared.reads, *declared.writes))
    raw = raw_tables(settings.raw)
    names: dict[str, str | None] = {spec.kind: spec.name for spec in raw.values()}
    names["flow"] = pipeline.flow.fn.__name__
    specs = raw.of_kind(*pipeline.tables)
    for spec in specs if "{table}" in stated else (None,):
        if spec:
            names |= {
                "table": spec.name,
                "parent": _name(spec.required_parent),
                "referenced": _name(spec.parent),
            }
        outputs = _filled(declared.writes, names)
        which = spec.name if spec else outputs[0].split("/")[1] if "{flow}" in stated else ""
        yield TaskNode(
            id=f"{name}-{which}" if which else name,
            name=name,
            about=inspect.getdoc(task.fn) or "",
            source=_source_of(task),
            uses=getattr(task.cache_policy, "uses", ()),
            inputs=_filled(declared.reads, names),
            outputs=outputs,
            settings=tuple(
                SettingValue(path, _value_at(settings, path, as_of))
                for path in _filled(declared.settings, names)
            ),
        )


def _name(parent: Parent | None) -> str | None:
    return parent.table if parent else None


def _filled(patterns: tuple[str, ...], names: dict[str, str | None]) -> tuple[str, ...]:
    """Fills in the names in braces; leaves out what holds one that there is none for."""
    missing = [f"{{{name}}}" for name, value in names.items() if value is None]
    return tuple(
        pattern.format(**names) for pattern in patterns if not any(m in pattern for m in missing)
    )


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
