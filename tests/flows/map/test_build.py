"""The graph that follows from what flows and tasks declare."""

import inspect
import pkgutil
import re
from datetime import date
from importlib import import_module
from typing import Any

import pytest
from prefect.tasks import Task

import flows
import flows.steps
from churnlib.io.catalog import LAYERS, Catalog
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.schemas.raw_tables import raw_tables as raw_tables_of
from churnlib.settings import list_games, load_settings
from deployments.generate import deployments
from flows.engine.node import node_of
from flows.map import build
from flows.map.build import build_graph, catalog_nodes, first_paragraph
from flows.map.graph import Graph
from flows.steps.flow import churn_flow
from flows.steps.run import Run
from flows.task import task
from tests.base import raw_tables

GAME = list_games()[0]


def tasks_of_the_project() -> dict[str, Task[..., Any]]:
    tasks = {}
    for package in (flows, flows.steps):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                for value in vars(import_module(module.name)).values():
                    if isinstance(value, Task):
                        tasks[value.fn.__name__] = value
    return tasks


def test_graph_has_every_deployed_flow(graph: Graph) -> None:
    deployed = {d["tags"][1] for d in deployments() if d["name"] == GAME}
    assert {*graph.flows, "backfill"} == deployed  # The backfill only calls others.


def test_graph_has_every_task(graph: Graph) -> None:
    assert {node.name for node in graph.tasks.values()} == set(tasks_of_the_project())


def test_graph_is_the_same_for_every_game_with_the_same_tables(graph: Graph) -> None:
    games = [load_settings(game) for game in list_games()]
    same = [game for game in games if set(raw_tables_of(game)) == set(raw_tables())]
    assert len(same) > 1
    for settings in same:
        other = build_graph(settings, date(2025, 1, 1))
        assert list(other.edges()) == list(graph.edges())


def test_graph_of_every_game_starts_at_its_own_tables() -> None:
    for game in list_games():
        settings = load_settings(game)
        graph = build_graph(settings, date(2025, 1, 1))
        sources = {dataset for dataset in graph.datasets if not [*graph.writers(dataset)]}
        assert sources == {f"01_raw/{table}" for table in raw_tables_of(settings)}


def test_graph_of_a_composite_has_the_tasks_of_its_parts(graph: Graph) -> None:
    composites = [flow for flow in graph.flows.values() if flow.parts]
    assert len(composites) == 3
    for flow in composites:
        assert set(flow.tasks) >= {t for part in flow.parts for t in graph.flows[part].tasks}


def test_graph_batches_are_predicted_without_the_misses(graph: Graph) -> None:
    assert "01_raw/sub_miss" not in graph.needs("batch-predict")
    assert "01_raw/sub_miss" in graph.needs("standard-features")


def test_graph_starts_at_the_raw_tables_and_has_every_layer(graph: Graph) -> None:
    sources = {dataset for dataset in graph.datasets if not [*graph.writers(dataset)]}
    assert sources == {f"01_raw/{table}" for table in raw_tables()}
    assert {dataset.layer for dataset in graph.datasets.values()} == set(LAYERS)


def test_graph_has_every_dataset_of_the_catalog(graph: Graph) -> None:
    methods = {
        first_paragraph(method.__doc__)
        for name, method in inspect.getmembers(Catalog, inspect.isfunction)
        if not name.startswith("_") and inspect.signature(method).return_annotation is Dataset
    }
    # The dataset `models` holds all versions with their reports and models in use.
    parts = (Catalog.model, Catalog.model_in_use, Catalog.version_report)
    versions = {first_paragraph(m.__doc__) for m in parts}
    assert {node.about for node in graph.datasets.values()} == methods - versions
    assert {node.id for node in catalog_nodes(load_settings(GAME))} == set(graph.datasets)


def test_graph_tasks_declare_datasets_exactly_where_they_take_them(graph: Graph) -> None:
    tasks = tasks_of_the_project()
    for node in graph.tasks.values():
        parameters = inspect.signature(tasks[node.name].fn).parameters.values()
        annotations = " ".join(inspect.formatannotation(p.annotation) for p in parameters)
        reads = node.inputs or node_of(tasks[node.name]).earlier
        assert bool(reads) == ("DatasetRef" in annotations)
        assert bool(node.outputs) == bool(re.search(r"\bDataset\b", annotations))
        assert f"def {node.name}(" in node.source.text


def test_graph_gives_settings_with_their_present_values(graph: Graph) -> None:
    settings = load_settings(GAME)
    fit = {setting.path: setting.value for setting in graph.tasks["fit_model"].settings}
    assert fit["train"]["seed"] == settings.train.seed
    assert fit["horizon_months"] == settings.horizon_months
    node = graph.tasks["build_window_features-train_features"]
    window = {setting.path: setting.value for setting in node.settings}
    assert window["windows.train"] == ["2022-06-01", "2023-11-30"]
    assert window["as_of"] == "2025-01-01"


@task(reads=("03_primary/standard_featuers",))
def reads_an_unknown_dataset(source: DatasetRef) -> None:
    """Declares a dataset that the catalog does not have."""


@task(settings=("horizon_month",))
def takes_an_unknown_setting() -> None:
    """Declares a setting that does not exist."""


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            reads_an_unknown_dataset,
            "reads_an_unknown_dataset declares 03_primary/standard_featuers",
        ),
        (takes_an_unknown_setting, "there is no setting horizon_month"),
    ],
)
def test_graph_of_a_wrong_declaration_is_refused(
    declared: Task[..., Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def body(run: Run) -> None:
        """A flow."""

    monkeypatch.setattr(build, "all_flows", lambda: [churn_flow("new", tasks=(declared,))(body)])
    with pytest.raises(LookupError, match=message):
        build_graph(load_settings(GAME), date(2025, 1, 1))
