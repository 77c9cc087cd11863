"""What flows and tasks declare, compared with what they use when they run."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from functools import reduce
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from prefect.context import FlowRunContext
from pydantic import BaseModel

from churnlib.io.catalog import data_dir_of
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.settings import load_settings
from churnlib.settings.tables import DeclaredTables
from churnlib.versions import decision
from flows.engine.cache import check_arguments
from flows.engine.ledger import Call
from flows.engine.node import node_of, pipeline_of
from flows.map.build import all_flows, build_graph
from flows.map.graph import Graph
from flows.steps import batches
from flows.steps import flow as running
from tests.base import raw_tables
from tests.flows.studio import BATCH_DAY, LAST_DAY, Studio

pytestmark = pytest.mark.slow  # Thirteen runs of flows.

GAME = "game1"
MODELS, CHAMPION = "06_models/models", "06_models/champion"
"""The folder of all model versions."""
VERSIONS = {MODELS, "06_models/model", "06_models/model_in_use", "06_models/champion"}
"""What a version that a task reads is called: in a run by itself, on the map by its role."""

PARAMETERS = {
    "train.model_format": "allow_joblib",
    "champion.promote": "may_promote",
    "champion.min_outcomes": "no_contact",
    "evaluation.min_outcomes": "no_contact",
    **dict.fromkeys(("standard", "tables", "features"), "columns"),
}
"""Parameters with names other than their settings', except windows."""

TASKS = list(dict.fromkeys(t.fn.__name__ for f in all_flows() for t in pipeline_of(f).tasks))
"""The names of all tasks."""

EARLIER = {
    task.fn.__name__: {*node_of(task).earlier}
    for flow in all_flows()
    for task in pipeline_of(flow).tasks
}
"""The datasets of earlier runs that tasks read besides, by task."""

Used = tuple[set[str], set[str]]
"""The datasets that a task reads and writes."""


@dataclass(frozen=True)
class Observed:
    """What all runs did, on sound and on faulty data.

    Attributes:
        calls: The calls of tasks, by flow.
        arguments: The arguments of all calls, by task.
    """

    calls: dict[str, list[Call]]
    arguments: dict[str, list[Mapping[str, Any]]]


@pytest.fixture(scope="module")
def observed(studio: Studio) -> Observed:
    """Runs all flows and watches them."""
    calls = defaultdict[str, list[Call]](list)
    arguments = defaultdict[str, list[Mapping[str, Any]]](list)

    def keep_arguments(function: Any, given: Mapping[str, Any]) -> None:
        arguments[function.__name__].append(dict(given))
        check_arguments(function, given)

    def keep(game: str, new_calls: Sequence[Call]) -> None:
        context = FlowRunContext.get()
        assert context is not None and context.flow is not None
        calls[context.flow.name] += new_calls

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "show_datasets", keep)
        patch.setattr(batches, "is_past", lambda _: False)  # So that contacts are known of.
        patch.setattr(decision, "FLOOR_ERROR", 0.5)  # On few subscriptions.
        patch.setattr("flows.task.check_arguments", keep_arguments)
        exports = {"delivery.to": str(studio.data / "exports")}
        take_through(studio, exports)
        spoil(studio)
        faulty = {"raw.on_bad_rows": "quarantine", "raw.max_bad_share": 0.5}
        # The second model differs and is accepted, so that it is compared and promoted.
        gate = {"champion.max_loss": 1, "champion.min_outcomes": 1}
        take_through(studio, faulty | gate | {"train.seed": 2})
        for composite in ("train_from_raw", "score_from_raw", "batch_score_from_raw"):
            run(studio, composite, LAST_DAY, faulty)
    return Observed(calls, arguments)


def take_through(studio: Studio, settings: Mapping[str, Any]) -> None:
    """Runs the base flows; nothing comes from the cache, so that the ledgers are complete."""
    for flow in ("standard_features", "train", "score"):
        run(studio, flow, LAST_DAY, settings)
    run(studio, "batch_predict", BATCH_DAY, settings, replace=True)
    run(studio, "batch_score", LAST_DAY, settings)


def run(studio: Studio, flow: str, day: str, settings: Mapping[str, Any], **more: Any) -> None:
    studio.run(flow, GAME, settings, as_of=date.fromisoformat(day), refresh=True, **more)


def spoil(studio: Studio) -> None:
    """Puts a row that breaks a rule into every raw table: one without its key."""
    for table in raw_tables():
        rows = studio.raw(GAME, table)
        faulty = rows.head(1).with_columns(pl.lit(None, pl.String).alias(rows.columns[0]))
        studio.write_raw(GAME, table, pl.concat([rows, faulty]))


def used(calls: Sequence[Call]) -> dict[str, Used]:
    """Puts together what the tasks of a flow have read and written, by task."""
    return by_task(
        (call.task, [*map(place_of, call.inputs)], [*map(place_of, call.outputs)]) for call in calls
    )


def declared(graph: Graph, flow: str) -> dict[str, Used]:
    """Puts together what the tasks of a flow declare, by task."""
    nodes = [graph.tasks[name] for name in graph.flows[flow].tasks]
    return by_task((node.name, node.inputs, node.outputs) for node in nodes)


def by_task(calls: Iterable[tuple[str, Sequence[str], Sequence[str]]]) -> dict[str, Used]:
    used = dict[str, Used]()
    for task, inputs, outputs in calls:
        reads, writes = used.setdefault(task, (set(), set()))
        reads |= {MODELS if dataset in VERSIONS else dataset for dataset in inputs}
        writes |= {MODELS if dataset in VERSIONS - {CHAMPION} else dataset for dataset in outputs}
    return used


def place_of(ref: DatasetRef) -> str:
    """Names a dataset by its layer and name, as declarations do."""
    folder = data_dir_of(ref.uri, ref.game)
    assert folder is not None
    return f"{Path(ref.uri).relative_to(folder).parts[0]}/{ref.name}"


@pytest.fixture(scope="module")
def graph() -> Graph:
    """The graph, in which windows are as on the day of the runs."""
    return build_graph(load_settings(GAME), date.fromisoformat(LAST_DAY))


@pytest.mark.parametrize("flow", [flow.name for flow in all_flows()])
def test_declared_datasets_are_those_that_the_runs_of_a_flow_used(
    flow: str, graph: Graph, observed: Observed
) -> None:
    calls = [call for name in (flow, *graph.flows[flow].parts) for call in observed.calls[name]]
    expected, found = declared(graph, flow), used(calls)
    for task, (reads, _) in found.items():
        reads -= EARLIER[task] - expected[task][0]
    assert found == expected


def test_contacts_of_earlier_runs_are_read(observed: Observed) -> None:
    calls = [call for each in observed.calls.values() for call in each]
    (reads,) = (reads for task, (reads, _) in used(calls).items() if task == "collect_contacts")
    assert reads == EARLIER["collect_contacts"]


@pytest.mark.parametrize("task", TASKS)
def test_declared_settings_are_those_that_a_task_was_given(
    task: str, graph: Graph, observed: Observed
) -> None:
    nodes = [node for node in graph.tasks.values() if node.name == task]
    paths = {setting.path for node in nodes for setting in node.settings}
    names, sections = set[str](), set[type]()
    for arguments in observed.arguments[task]:
        names |= set(names_in(arguments))
        sections |= {type(value) for value in records_in(arguments) if is_settings(value)}
    at = {path: value_at(load_settings(GAME), path) for path in paths}
    for path, value in at.items():
        leaf = "window" if path.startswith("windows.") else path.split(".")[-1]
        is_given = {leaf, PARAMETERS.get(path, leaf)} & names
        assert is_given or any(isinstance(value, section) for section in sections), path
    for section in sections:
        assert any(isinstance(value, section) for value in at.values()), section
    typed = {name for arguments in observed.arguments[task] for name in fields_of(arguments)}
    assert {"as_of", "horizon_months", "outcome"} & typed <= paths


def value_at(settings: Any, path: str) -> Any:
    return reduce(getattr, path.split("."), settings)


def is_settings(value: Any) -> bool:
    is_section = isinstance(value, BaseModel) and not isinstance(value, DeclaredTables)
    return is_section and type(value).__module__.startswith("churnlib.settings")


def records_in(arguments: Mapping[str, Any]) -> Iterator[Any]:
    """Yields the records among arguments, and those in them, but none in settings."""
    for value in arguments.values():
        if is_dataclass(value) or isinstance(value, BaseModel):
            yield value
            if not is_settings(value):
                yield from records_in(dict(vars_of(value)))


def fields_of(arguments: Mapping[str, Any]) -> set[str]:
    """Names the arguments and the fields of records among them."""
    records = (r for r in records_in(arguments) if not isinstance(r, Dataset | DatasetRef))
    return {*arguments, *(name for r in records if not is_settings(r) for name in vars_of(r))}


def names_in(value: Any) -> Iterator[str]:
    """Yields the names of arguments, and of all fields and keys in them."""
    fields = value if isinstance(value, Mapping) else vars_of(value)
    for name, inner in fields.items():
        yield str(name)
        yield from names_in(inner)


def vars_of(value: Any) -> dict[str, Any]:
    if isinstance(value, BaseModel):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return {}
