"""The graph that calling the flows without data gives."""

from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from prefect.tasks import Task

from churnlib.io.catalog import LAYERS, RAW_TABLES
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.settings import list_games, load_settings
from churnlib.versions.champion import champion
from deployments.generate import deployments
from flows.map import trace as tracing
from flows.map.graph import Graph
from flows.map.stand_ins import UNKNOWN, UntraceableError
from flows.map.trace import trace
from flows.steps.run import Run, churn_flow
from flows.task import dataset_parameters, task


def test_graph_has_every_deployed_flow(graph: Graph) -> None:
    game = list_games()[0]
    deployed = {d["tags"][1] for d in deployments() if d["name"] == game}
    assert {*graph.flows, "backfill"} == deployed  # This one only calls others, month by month.


def test_graph_has_every_task_of_the_flows_modules(graph: Graph) -> None:
    modules = tracing._modules_of_flows()
    tasks = {t.fn.__name__ for m in modules for t in vars(m).values() if isinstance(t, Task)}
    assert {node.name for node in graph.tasks.values()} == tasks


def test_graph_is_the_same_for_every_game(graph: Graph) -> None:
    for game in list_games():
        other = trace(game, date(2025, 1, 1))
        assert list(other.edges()) == list(graph.edges())


def test_graph_of_a_composite_holds_that_of_its_parts(graph: Graph) -> None:
    composites = [flow for flow in graph.flows.values() if flow.parts]
    assert len(composites) == 3
    for flow in composites:
        assert set(flow.tasks) >= {t for part in flow.parts for t in graph.flows[part].tasks}


def test_graph_batches_are_predicted_without_the_misses(graph: Graph) -> None:
    assert "01_raw/sub_miss" not in graph.needs("batch-predict")
    assert "01_raw/sub_miss" in graph.needs("standard-features")


def test_graph_starts_at_the_raw_tables_and_keeps_to_the_layers(graph: Graph) -> None:
    raw = {d for d in graph.datasets if not [*graph.writers(d)]}
    assert raw == {f"01_raw/{table}" for table in RAW_TABLES}
    assert {dataset.layer for dataset in graph.datasets.values()} == set(LAYERS)


def test_graph_task_parameters_are_inputs_outputs_or_arguments(graph: Graph) -> None:
    known = {t.fn.__name__: t for m in tracing._modules_of_flows() for t in vars(m).values()
             if isinstance(t, Task)}  # fmt: skip
    for node in graph.tasks.values():
        fn = known[node.name]
        assert bool(node.inputs) == bool(dataset_parameters(fn, DatasetRef))
        assert bool(node.outputs) == bool(dataset_parameters(fn, Dataset))
        assert "def " + node.name in node.source.text


def test_graph_names_the_settings_that_a_task_reads(graph: Graph) -> None:
    settings = load_settings(list_games()[0])
    (fit,) = (node for node in graph.tasks.values() if node.name == "fit_model")
    arguments = {argument.name: argument for argument in fit.arguments}
    assert arguments["settings"].settings == ("train",)
    assert arguments["seed"].settings == ("train.seed",)
    assert arguments["seed"].value == settings.train.seed
    assert arguments["labels_known_by"].origin.startswith("labels_known_by(")
    assert arguments["labels_known_by"].value == "2024-05-01"
    build = graph.tasks["build_window_features-train_features"]
    (window,) = (argument for argument in build.arguments if argument.name == "window")
    assert window.settings == ("windows.train",)
    assert window.value == ["2022-06-01", "2023-11-30"]


def test_graph_tells_no_value_that_comes_of_stand_ins(graph: Graph) -> None:
    told = {a.name: a.value for a in graph.tasks["score_model"].arguments}
    assert told["horizon_months"] == load_settings(list_games()[0]).horizon_months
    assert told["data"] is told["warnings"] is None


@task
def copy_table(source: DatasetRef, output: Dataset, *, facts: str) -> dict[str, DatasetRef]:
    """Stands for a task of a new flow."""
    raise AssertionError("A task's work must not be done.")


def made_flow(body: Any, monkeypatch: pytest.MonkeyPatch) -> Graph:
    monkeypatch.setattr(tracing, "all_flows", lambda: [(churn_flow("new")(body), "command")])
    return trace(list_games()[0], date(2025, 1, 1))


def test_graph_follows_a_new_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    def body(run: Run) -> DatasetRef:
        """A flow."""
        made = [run.existing(place, "") for place in (run.catalog.champion(), run.catalog.models())]
        facts = Path(run.catalog.report("score_report").uri).name
        for found in made:
            copy_table(found, run.catalog.standard_features(), facts=facts)
        return copy_table(made[1], run.catalog.standard_features(), facts=facts)["copy"]

    monkeypatch.setattr(tracing._Recorder, "graph", lambda self, _: self)
    recorder: Any = made_flow(body, monkeypatch)
    calls = list(recorder.calls.values())
    assert [node.name for node in calls] == ["copy_table"]
    assert calls[-1].inputs == ("06_models/champion", "06_models/models")
    assert calls[-1].outputs == ("03_primary/standard_features",)


def test_graph_that_cannot_be_told_without_data_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def body(run: Run) -> Any:
        """A flow."""
        unknown: Any = UNKNOWN
        return copy_table(unknown.source, run.catalog.champion(), facts="")

    with pytest.raises(UntraceableError, match=r"copy_table: .* 'source'"):
        made_flow(body, monkeypatch)


def test_tracing_leaves_no_recorder_behind(graph: Graph) -> None:
    assert vars(import_module("flows.steps.back_test_plan"))["champion"] is champion
    assert Task.__call__.__module__ == "prefect.tasks"
