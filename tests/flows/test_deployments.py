"""The deployments: what `prefect.yaml` says."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from churnlib.settings import Schedules, list_games
from deployments.generate import deployment, prefect_yaml
from flows import COMPOSITES, FLOWS
from tests.flows.studio import ROOT

GAME = "game2"


def test_prefect_yaml_is_the_one_checked_in() -> None:
    assert (ROOT / "prefect.yaml").read_text() == prefect_yaml(), "run `make deployments`"


def test_prefect_yaml_leaves_out_what_is_only_local(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = prefect_yaml()
    shutil.copytree(ROOT / "games", tmp_path / "games")
    (tmp_path / "games" / "local.toml").write_text("[schedules]\nactive = true\n")
    monkeypatch.chdir(tmp_path)
    assert prefect_yaml() == shared


def test_prefect_yaml_has_each_flow_for_each_game() -> None:
    deployments: list[dict[str, Any]] = yaml.safe_load(prefect_yaml())["deployments"]
    named = {(d["entrypoint"].partition(":")[2].replace("_", "-"), d["name"]) for d in deployments}
    base = (flow.replace("_", "-") for flow in FLOWS)
    composites = (f"{flow.replace('_', '-')}-from-raw" for flow in COMPOSITES)
    flows = (*base, *composites, "backfill")
    assert named == {(flow, game) for flow in flows for game in list_games()}
    assert len(deployments) == len(named)
    for one in deployments:
        game = one["name"]
        assert one["parameters"] == {"game": game}
        assert one["work_pool"] == {"name": "churn", "work_queue_name": game}
        assert one["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
        assert one["description"].endswith(".")
        assert one["tags"][0] == game


def test_prefect_yaml_schedules_wait_in_the_repository() -> None:
    deployments: list[dict[str, Any]] = yaml.safe_load(prefect_yaml())["deployments"]
    schedules = {d["tags"][1]: s for d in deployments for s in d.get("schedules", ())}
    assert {flow: s["cron"] for flow, s in schedules.items()} == {
        "batch-predict": "0 6 2 * *",
        "batch-score-from-raw": "0 7 2 * *",
        "score-from-raw": "0 3 3 * *",
        "train-from-raw": "0 2 3 1,4,7,10 *",
    }
    assert {(s["timezone"], s["active"]) for s in schedules.values()} == {("UTC", False)}
    triggers = {
        d["tags"][1]: t for d in deployments for t in d.get("triggers", ()) if d["name"] == GAME
    }
    deployed = {"churn.as_deployed": "yes"}
    assert {flow: (t["expect"], t["match"], t["enabled"]) for flow, t in triggers.items()} == {
        flow: (
            [f"churn.{event}"],
            {"prefect.resource.id": f"churn.{what}.{GAME}", **deployed},
            False,
        )
        for flow, event, what in (
            ("score", "model.registered", "model"),
            ("batch-score", "batch.due", "batch"),
        )
    }


def test_prefect_yaml_takes_schedules_from_the_settings() -> None:
    schedules = Schedules(active=True, timezone="Europe/Berlin", train="0 1 * * 1")
    entry = deployment(GAME, "flows.train", "train_from_raw", schedules)
    assert entry["schedules"] == [
        {"slug": "train-from-raw", "cron": "0 1 * * 1", "timezone": "Europe/Berlin", "active": True}
    ]
    assert deployment(GAME, "flows.score", "score", schedules)["triggers"][0]["enabled"] is True
