"""The deployments: what `prefect.yaml` says, and a run that a worker does."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from churnlib.settings import Schedules, list_games
from deployments.generate import deployment, prefect_yaml
from tests.flows.studio import ROOT, Studio, bits, new_studio, python

PREFECT = ("-m", "prefect", "--no-prompt")
GAME = "game2"
DEPLOYMENT = f"train-from-raw/{GAME}"


def test_prefect_yaml_is_the_one_checked_in() -> None:
    assert (ROOT / "prefect.yaml").read_text() == prefect_yaml(), "run `make deployments`"


def test_prefect_yaml_has_each_flow_for_each_game() -> None:
    found: list[dict[str, Any]] = yaml.safe_load(prefect_yaml())["deployments"]
    named = {(d["entrypoint"].partition(":")[2].replace("_", "-"), d["name"]) for d in found}
    base = ("standard-features", "train", "score", "batch-predict", "batch-score")
    composites = ("train-from-raw", "score-from-raw", "batch-score-from-raw")
    flows = (*base, *composites, "backfill")
    assert named == {(flow, game) for flow in flows for game in list_games()}
    assert len(found) == len(named)
    for one in found:
        game = one["name"]
        assert one["parameters"] == {"game": game}
        assert one["work_pool"] == {"name": "churn", "work_queue_name": game}
        assert one["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
        assert one["description"].endswith(".")
        assert one["tags"][0] == game


def test_prefect_yaml_schedules_wait_in_the_repository() -> None:
    found: list[dict[str, Any]] = yaml.safe_load(prefect_yaml())["deployments"]
    schedules = {d["tags"][1]: s for d in found for s in d.get("schedules", ())}
    assert {flow: s["cron"] for flow, s in schedules.items()} == {
        "batch-predict": "0 6 2 * *",
        "batch-score-from-raw": "0 7 2 * *",
        "train-from-raw": "0 2 3 1,4,7,10 *",
    }
    assert {(s["timezone"], s["active"]) for s in schedules.values()} == {("UTC", False)}
    triggers = {d["tags"][1]: t for d in found for t in d.get("triggers", ()) if d["name"] == GAME}
    assert {flow: (t["expect"], t["match"], t["enabled"]) for flow, t in triggers.items()} == {
        "score": (["churn.model.promoted"], {"prefect.resource.id": f"churn.model.{GAME}"}, False),
        "batch-score": (["churn.batch.due"], {"prefect.resource.id": f"churn.batch.{GAME}"}, False),
    }


def test_prefect_yaml_takes_schedules_from_the_settings() -> None:
    schedules = Schedules(active=True, timezone="Europe/Berlin", train="0 1 * * 1")
    made = deployment(GAME, "flows.train", "train_from_raw", schedules)
    assert made["schedules"] == [
        {"slug": "train-from-raw", "cron": "0 1 * * 1", "timezone": "Europe/Berlin", "active": True}
    ]
    assert deployment(GAME, "flows.score", "score", schedules)["triggers"][0]["enabled"] is True


@pytest.fixture
def worker(prefect_server: Path, tmp_path: Path) -> Iterator[None]:
    """All flows deployed, and a worker that was started in another folder."""
    for command in (("work-pool", "create", "churn", "--type", "process"), ("deploy", "--all")):
        done = python(*PREFECT, *command)
        assert done.returncode == 0, done.stdout + done.stderr
    with (tmp_path / "worker.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "worker", "start", "--pool", "churn"],
            cwd=tmp_path,
            env=os.environ | {"PREFECT_WORKER_QUERY_SECONDS": "1"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        yield
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run_deployment(data: Path, **overrides: Any) -> subprocess.CompletedProcess[str]:
    """Runs the deployment as CI would, and waits for its end."""
    parameters = {"data_dir": str(data), "overrides": overrides}
    command = ("deployment", "run", DEPLOYMENT, "--params", json.dumps(parameters), "--watch")
    return python(*PREFECT, *command)


@pytest.mark.slow
def test_worker_trains_the_model_that_the_command_line_trains(
    worker: None, empty_studio: Studio, pristine: Path, tmp_path: Path
) -> None:
    done = run_deployment(empty_studio.data)
    assert done.returncode == 0, done.stdout + done.stderr
    version = empty_studio.json(f"06_models/{GAME}/champion.json")["version"]
    other = new_studio(tmp_path / "other", pristine)
    for studio in (empty_studio, other):
        line = ("--game", GAME, "--from-raw", "--data-dir", str(studio.data))
        assert python("-m", "flows.train", *line).returncode == 0
    # The command line takes what the worker's run has made from the cache.
    assert empty_studio.json(f"06_models/{GAME}/champion.json")["version"] == version
    scored, again = (
        bits(studio.table(f"06_models/{GAME}/*/scored_rows.parquet"))
        for studio in (empty_studio, other)
    )
    assert scored == again
    refused = run_deployment(empty_studio.data, **{"train.seeed": 1})
    assert refused.returncode == 1, refused.stdout + refused.stderr
