"""All flows of both games from their command lines: what they leave behind."""

import os
import re
import subprocess
import sys
from datetime import date
from typing import Any

import polars as pl
import pytest

from churnlib.features.cohort import feature_columns
from churnlib.schemas.outputs import CAMPAIGNS
from churnlib.settings import load_settings
from churnlib.synthesis import STANDARD
from flows import FLOWS
from flows.map.build import build_graph
from flows.map.graph import DatasetNode, Graph
from flows.map.stale import stale_reasons
from flows.map.state import read_states
from tests.base import output_tables, raw_tables
from tests.flows.models import champion
from tests.flows.studio import BATCH_DAY, FAST, ROOT, Snapshot, Studio

GAMES = tuple(STANDARD)
DAYS = {"batch_predict": ("--as-of", BATCH_DAY)}
LINES = (
    *((flow, *DAYS.get(flow, ())) for flow in FLOWS),
    *((flow, "--from-raw") for flow in FLOWS if flow != "standard_features"),
)
"""The command lines; each finds what it needs among the outputs of those before it."""
AS_PROCESS = ("game2", ("train", "--from-raw"))
"""The one that runs as a process of its own. The others run in this process, for speed."""


@pytest.fixture(scope="module")
def done(complete: Studio) -> Snapshot:
    """All command lines done; what the folders of the first game held before the second's."""
    before: Snapshot = {}
    for game in GAMES:
        before = complete.snapshot(f"*/{GAMES[0]}")
        for line in LINES:
            assert status(complete, game, line) == 0, (game, line)
    return before


def status(studio: Studio, game: str, line: tuple[str, ...]) -> int:
    """Runs a command line; returns its exit status."""
    flow, *more = line
    if (game, line) != AS_PROCESS:
        return studio.command(flow, game, *more)
    command = [sys.executable, "-m", f"flows.{flow}", *studio.arguments(game, *more)]
    return subprocess.run(command, cwd=ROOT, env=os.environ, check=False).returncode


@pytest.fixture
def studio(complete: Studio, done: Snapshot) -> Studio:
    """The data folder after all command lines."""
    return complete


@pytest.fixture(params=GAMES)
def game(request: pytest.FixtureRequest) -> str:
    """A game that was taken through all flows."""
    name: str = request.param
    return name


def test_flows_write_the_files_of_the_catalog(studio: Studio, game: str) -> None:
    files = {str(file.relative_to(studio.data)) for file in studio.data.rglob("*")}
    version = champion(studio, game)
    assert files >= {
        f"03_primary/{game}/standard_features.parquet",
        f"04_feature/{game}/train_features.parquet",
        f"04_feature/{game}/score_features.parquet",
        f"05_model_input/{game}/predict_2024-06.parquet",
        f"05_model_input/{game}/predict_2024-12.parquet",
        f"06_models/{game}/{version}/manifest.json",
        f"06_models/{game}/{version}/model.skops",
        f"07_model_output/{game}/predictions_2024-06.parquet",
        f"07_model_output/{game}/predictions_2024-12.parquet",
        *(
            f"08_reporting/{game}/{report}.{suffix}"
            for report in ("in_sample_report", "score_report", "batch_score_report_2024-06")
            for suffix in ("txt", "json", "html")
        ),
    }
    assert not [file for file in files if ".tmp" in file]


def test_flows_of_one_game_leave_the_other_alone(studio: Studio, done: Snapshot) -> None:
    assert studio.snapshot(f"*/{GAMES[0]}") == done
    assert len(done) > 20


@pytest.mark.parametrize(
    "report", ["in_sample_report", "score_report", "batch_score_report_2024-06"]
)
def test_flows_reports_have_the_metrics_of_both_groups(
    studio: Studio, game: str, report: str
) -> None:
    content = studio.json(f"08_reporting/{game}/{report}.json")
    assert content["game"] == game
    assert content["as_of"] == "2025-01-01"
    assert content["model_version"] == champion(studio, game)
    for group in ("general", "new_characters"):
        scores = content[group]
        assert scores["n"] > scores["positives"] > 0
        assert scores["immature"] == 0
        low, high = scores["roc_auc_ci"]
        assert 0 <= low <= scores["roc_auc"] <= high <= 1
        assert scores["average_precision"] > 0
        assert 0 < scores["log_loss"] < 1
        assert 0 < scores["brier"] < 0.3
        assert scores["lift_top_decile"] >= 0
        has_interval = scores["intervals"]["log_loss"] is not None
        assert has_interval or "too few churners for intervals" in scores["reason"]
    assert content["general"]["n"] > content["new_characters"]["n"]


def test_flows_in_sample_report_has_validation_too(studio: Studio, game: str) -> None:
    report = studio.json(f"08_reporting/{game}/in_sample_report.json")
    assert set(report["validation"]) == {"general", "new_characters"}
    assert 0 < report["validation"]["general"]["n"] < report["general"]["n"]


def test_flows_batch_is_scored_as_it_was_predicted(studio: Studio, game: str) -> None:
    predictions = studio.table(f"07_model_output/{game}/predictions_2024-06.parquet")
    report = studio.json(f"08_reporting/{game}/batch_score_report_2024-06.json")
    assert report["window"] == {"start": "2024-06-01", "end": "2024-06-30"}
    assert report["general"]["n"] == len(predictions)


@pytest.mark.parametrize("month", [date(2024, 6, 1), date(2024, 12, 1)])
def test_flows_predictions_rank_each_subscription_of_the_month(
    studio: Studio, game: str, month: date
) -> None:
    predictions = studio.table(f"07_model_output/{game}/predictions_{month:%Y-%m}.parquet")
    assert predictions.schema == output_tables()["predictions"].types
    started = studio.raw(game, "sub_data").filter(
        pl.col("sub_start_date").str.starts_with(f"{month:%Y-%m}")
    )
    assert set(predictions["sub_id"]) == set(started["sub_id"].cast(pl.Int64))
    assert len(predictions) == len(started) > 0
    assert predictions["risk_rank"].to_list() == list(range(1, len(predictions) + 1))
    assert predictions["churn_probability"].is_sorted(descending=True)
    assert predictions["churn_probability"].is_between(0, 1).all()
    assert predictions["churn_probability"].n_unique() > 1
    assert predictions["model_version"].unique().to_list() == [champion(studio, game)]


def test_flows_manifest_names_the_inputs_of_the_model(studio: Studio, game: str) -> None:
    version = champion(studio, game)
    manifest: dict[str, Any] = studio.json(f"06_models/{game}/{version}/manifest.json")
    opens, known_by = {
        "game1": (["2022-06-01", "2023-11-30"], "2024-05-01"),
        "game2": (["2022-03-01", "2023-10-31"], "2024-04-01"),
    }[game]
    assert manifest["game"] == game
    assert manifest["window"] == opens
    assert manifest["labels_known_by"] == known_by
    assert manifest["seed"] == 20250101
    features = studio.table(f"04_feature/{game}/train_features.parquet")
    assert manifest["rows"] == len(features)
    assert manifest["positives"] == features["sub_churn"].sum()
    assert set(manifest["inputs"]) == {
        "train_features",
        "character_currency",
        "character_data",
        "sub_data",
        "sub_miss",
    }


def test_flows_contact_from_break_even_on_after_a_good_back_test(studio: Studio, game: str) -> None:
    version = champion(studio, game)
    manifest: dict[str, Any] = studio.json(f"06_models/{game}/{version}/manifest.json")
    campaign, reports = manifest["campaign"], f"08_reporting/{game}"
    threshold = campaign["threshold"]
    assert campaign["terms"] == load_settings(game).campaign.offer.model_dump()
    assert (
        campaign["at_threshold"]
        == studio.json(f"{reports}/in_sample_report.json")["campaign"]["at_threshold"]
    )
    validation = studio.table(f"06_models/{game}/{version}/scored_rows.parquet").filter(
        slice="validation"
    )
    assert campaign["n"] == len(validation.drop_nulls("sub_churn"))
    assert threshold == pytest.approx(11 / 67)
    assert gain(validation, threshold) == campaign["at_threshold"]["expected_gain"]
    for report in ("score_report", "batch_score_report_2024-06"):
        plan = studio.json(f"{reports}/{report}.json")["campaign"]
        assert (plan["threshold"], plan["rule"]) == (threshold, "break_even")
    batches = [
        studio.table(f"07_model_output/{game}/predictions_{month}.parquet")
        for month in ("2024-06", "2024-12")
    ]
    # Too few subscriptions churned in the back-test of so small a game.
    reason = studio.json(f"{reports}/score_report.json")["no_contact"]
    assert "30 of each are required (the larger of champion.min_outcomes and" in reason
    assert studio.json(f"{reports}/batch_score_report_2024-06.json")["no_contact"] == reason
    assert all(batch["contact"].null_count() == len(batch) for batch in batches)
    flags = pl.concat(batches).group_by("char_id").agg(pl.col("held_out").n_unique())
    assert flags["held_out"].max() == 1


def gain(rows: pl.DataFrame, threshold: float) -> float:
    """By hand, of contacting from a probability on at the default terms."""
    contacted = rows.filter(pl.col("churn_probability") >= threshold)["sub_churn"]
    churners = int(contacted.sum())
    return 56.0 * churners - 11.0 * (len(contacted) - churners)


def test_flows_feature_tables_have_the_configured_columns(studio: Studio, game: str) -> None:
    settings = load_settings(game)
    for table in ("train_features", "score_features"):
        schema = studio.table(f"04_feature/{game}/{table}.parquet").schema
        known = {name: kind for name, kind in schema.items() if name not in CAMPAIGNS}
        assert pl.Schema(known) == feature_columns(settings)
        assert {*CAMPAIGNS} <= {*schema}


def test_flows_composites_use_the_cached_results_of_the_base_flows(studio: Studio) -> None:
    """`train --from-raw` came after `train`: it must not have fitted a second model."""
    for game in GAMES:
        versions = [f for f in (studio.data / "06_models" / game).iterdir() if f.is_dir()]
        assert len(versions) == 1


def test_flows_write_the_datasets_of_their_map(studio: Studio, game: str) -> None:
    """The outputs and inputs of a real run are those declared for the map."""
    graph = build_graph(load_settings(game), date(2025, 1, 1))
    states = read_states(graph, game, str(studio.data))
    asides = {
        dataset
        for task in graph.tasks.values()
        for dataset in task.outputs
        if graph.is_side_output(task, dataset)
    }
    assert {dataset for dataset, state in states.items() if not state.files} == asides
    known = {p for s in states.values() for p in (*(f.path for f in s.files), *s.other_formats)}
    lists = {path for path in known if "/batch_list_" in path and path.endswith(".json")}
    known |= {path.replace(".json", suffix) for path in lists for suffix in (".txt", ".html")}
    files, known = (
        {re.sub("^(06_models/.*?Z)/.*", r"\1", path) for path in paths}
        for paths in (studio.snapshot(f"*/{game}"), known)
    )
    assert {file for file in files if "/truth/" not in file} == known
    for dataset, state in states.items():
        above = upstream(graph, dataset)
        if state.inputs and above:
            tables = {source.name for source in above if source.layer == "02_intermediate"}
            assert tables == set(state.inputs) & {*raw_tables()}, dataset
    settings = load_settings(game, {**FAST[game], "data_dir": str(studio.data)})
    assert stale_reasons(graph, states, settings) == {}


def upstream(graph: Graph, dataset: str) -> list[DatasetNode]:
    """The inputs of a dataset; those of a model are only in its manifest."""
    read = [source for task in graph.writers(dataset) for source in task.inputs]
    sources = [
        source for source in read if source not in ("06_models/champion", "06_models/models")
    ]
    above = [node for source in sources for node in upstream(graph, source)]
    return [graph.datasets[source] for source in sources] + above
