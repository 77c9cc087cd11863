"""What flows and tasks declare, held against what they read and write when they run."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from prefect.context import FlowRunContext

from churnlib.io.catalog import data_dir_of
from churnlib.io.datasets import DatasetRef
from churnlib.schemas.raw_tables import raw_tables
from churnlib.settings import load_settings
from flows.engine.ledger import Call
from flows.map.build import build_graph
from flows.map.graph import Graph
from flows.map.pipelines import PIPELINES
from flows.steps import flow as running
from tests.flows.studio import BATCH_DAY, LAST_DAY, Studio

GAME = "game1"
MODELS = "06_models/models"
"""The folder of all model versions."""
VERSIONS = {MODELS, "06_models/model", "06_models/champion"}
"""What a version that a task reads is called: in a run by itself, on the map by its role."""

Used = tuple[set[str], set[str]]
"""The datasets that a task reads and writes."""


@pytest.fixture(scope="module")
def ledgers(studio: Studio) -> dict[str, list[Call]]:
    """Of each flow the calls of its tasks in all its runs, on sound and on faulty data."""
    calls = defaultdict[str, list[Call]](list)

    def keep(game: str, made: Sequence[Call]) -> None:
        context = FlowRunContext.get()
        assert context is not None and context.flow is not None
        calls[context.flow.name] += made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "show_datasets", keep)
        take_through(studio, {})
        spoil(studio)
        faulty = {"raw.on_bad_rows": "quarantine", "raw.max_bad_share": 0.5}
        # The second model differs and is accepted, so that it is compared and promoted.
        gate = {"champion.max_loss": 1, "champion.min_outcomes": 1}
        take_through(studio, faulty | gate | {"train.seed": 2})
        for composite in ("train_from_raw", "score_from_raw", "batch_score_from_raw"):
            run(studio, composite, LAST_DAY, faulty)
    return calls


def take_through(studio: Studio, settings: Mapping[str, Any]) -> None:
    """Runs the base flows; nothing comes from the cache, so that the ledgers are complete."""
    for flow in ("standard_features", "train", "score"):
        run(studio, flow, LAST_DAY, settings)
    run(studio, "batch_predict", BATCH_DAY, settings)
    run(studio, "batch_score", LAST_DAY, settings)


def run(studio: Studio, flow: str, day: str, settings: Mapping[str, Any]) -> None:
    studio.run(flow, GAME, settings, as_of=date.fromisoformat(day), refresh=True)


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
    found = dict[str, Used]()
    for task, inputs, outputs in calls:
        reads, writes = found.setdefault(task, (set(), set()))
        reads |= {MODELS if dataset in VERSIONS else dataset for dataset in inputs}
        writes |= {MODELS if dataset == "06_models/model" else dataset for dataset in outputs}
    return found


def place_of(ref: DatasetRef) -> str:
    """Names a dataset by its layer and name, as declarations do."""
    folder = data_dir_of(ref.uri, ref.game)
    assert folder is not None
    return f"{Path(ref.uri).relative_to(folder).parts[0]}/{ref.name}"


@pytest.mark.parametrize("flow", [pipeline.flow.name for pipeline in PIPELINES])
def test_declarations_are_what_the_runs_of_a_flow_did(
    flow: str, ledgers: dict[str, list[Call]]
) -> None:
    graph = build_graph(load_settings(GAME), date.fromisoformat(LAST_DAY))
    calls = [call for name in (flow, *graph.flows[flow].parts) for call in ledgers[name]]
    assert used(calls) == declared(graph, flow)
