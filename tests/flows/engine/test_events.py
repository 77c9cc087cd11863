"""The events that runs emit."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from deployments.automations import NO_BETTER
from deployments.generate import TRIGGERS
from flows.engine import events
from flows.engine.events import EVENTS, BatchDue, BatchScored, ModelPromoted, labelled_as_deployed
from tests.flows.models import champion
from tests.flows.studio import BATCH_DAY, Studio

GAME = "game1"
Emitted = list[tuple[str, dict[str, str], dict[str, Any]]]


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emitted]:
    """The emitted events: name, resource and payload."""
    calls: Emitted = []
    monkeypatch.setattr(
        events,
        "emit_event",
        lambda kind, resource, payload: calls.append((kind, resource, payload)),
    )
    yield calls


def kinds(emitted: Emitted) -> list[str]:
    """Returns the names of the emitted events, in order, and clears them."""
    names = [kind for kind, _, _ in emitted]
    emitted.clear()
    return names


@pytest.mark.slow
@pytest.mark.usefixtures("lenient_floor")
def test_event_is_emitted_once_by_the_run_that_writes(
    empty_studio: Studio, emitted: Emitted
) -> None:
    empty_studio.run("train_from_raw", GAME)
    version = champion(empty_studio)
    kind, resource, payload = emitted[0]
    assert emitted[1][2] == {
        "game": GAME,
        "version": version,
        "state": "champion",
        "roc_auc": payload["roc_auc"],
    }
    assert (kind, resource["prefect.resource.id"]) == ("churn.model.promoted", "churn.model.game1")
    assert (resource["churn.game"], resource["churn.version"]) == (GAME, version)
    assert (payload["version"], payload["previous"]) == (version, None)
    manifest = empty_studio.json(f"06_models/{GAME}/*/manifest.json")
    assert payload["roc_auc"] == manifest["metrics"]["validation"]["general"]["roc_auc"]
    assert kinds(emitted) == ["churn.model.promoted", "churn.model.registered"]

    empty_studio.run("batch_predict", GAME, as_of=BATCH_DAY)
    rows = len(empty_studio.table(f"07_model_output/{GAME}/*.parquet"))
    assert (emitted[0][2]["month"], emitted[0][2]["rows"]) == ("2024-06", rows)
    assert kinds(emitted) == ["churn.batch.predicted"]

    # The batch is due until it is scored.
    empty_studio.run("standard_features", GAME)
    empty_studio.run("standard_features", GAME)
    assert kinds(emitted) == ["churn.batch.due"] * 2
    empty_studio.run("batch_score_from_raw", GAME)
    scored, report = emitted[0], empty_studio.json(f"08_reporting/{GAME}/batch_score_report_*.json")
    assert scored[1]["churn.verdict"] == scored[2]["verdict"]
    assert scored[2]["roc_auc"] == report["general"]["roc_auc"]
    assert (scored[2]["version"], scored[2]["month"]) == (version, "2024-06")
    assert scored[1]["churn.by_champion"] == "yes"
    assert kinds(emitted) == ["churn.batch.scored"]

    for flow in ("train_from_raw", "standard_features", "batch_score_from_raw"):
        empty_studio.run(flow, GAME)
    assert kinds(emitted) == []

    empty_studio.run("train", GAME, {"train.seed": 8})
    empty_studio.run("score", GAME, {"champion.max_loss": 0.9, "champion.min_outcomes": 1})
    empty_studio.run("batch_score", GAME, refresh=True)
    assert [kind for kind, _, _ in emitted] == [
        "churn.model.registered",
        "churn.model.promoted",
        "churn.model.compared",
        "churn.batch.scored",
    ]
    assert emitted[0][1]["churn.state"] == "candidate"
    assert emitted[2][1]["churn.decision"] == "accepted"
    assert emitted[3][1]["churn.by_champion"] == "no"
    assert emitted[1][2]["previous"] == version != emitted[1][2]["version"]


@pytest.mark.slow
@pytest.mark.parametrize("flow", ["train_from_raw", "score_from_raw"])
def test_event_of_a_due_batch_is_emitted_by_every_run_that_builds_features(
    flow: str, complete: Studio, emitted: Emitted
) -> None:
    report = complete.file(f"08_reporting/{GAME}/batch_score_report_*.json")
    kept = report.read_bytes()
    report.unlink()
    complete.run(flow, GAME)
    report.write_bytes(kept)
    assert kinds(emitted) == ["churn.batch.due"]


@pytest.mark.parametrize(
    ("deployment", "changed", "answer"),
    [("id", False, "yes"), ("id", True, "no"), (None, False, "no")],
)
def test_event_label_distinguishes_deployments_from_trials(
    deployment: str | None, changed: bool, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = SimpleNamespace(flow_run=SimpleNamespace(deployment_id=deployment))
    monkeypatch.setattr(events, "FlowRunContext", SimpleNamespace(get=lambda: run))
    event = BatchDue(game=GAME, month="2024-06")
    with labelled_as_deployed(changed=changed):
        run.flow_run.deployment_id = None  # A part of the run, which is given the run's day.
        with labelled_as_deployed(changed=True):
            assert event.resource["churn.as_deployed"] == answer
    assert event.resource["churn.as_deployed"] == "no"


def test_event_outside_of_a_run_is_not_emitted(emitted: Emitted) -> None:
    BatchDue(game=GAME, month="2024-06").emit()
    assert emitted == []


def test_event_labels_are_its_texts() -> None:
    promoted = ModelPromoted(game=GAME, version="v2", previous=None, by="training", roc_auc=0.7)
    assert promoted.resource == {
        "prefect.resource.id": "churn.model.game1",
        "prefect.resource.name": "game1: model",
        "churn.game": GAME,
        "churn.version": "v2",
        "churn.by": "training",
        "churn.as_deployed": "no",
    }


@pytest.mark.parametrize("wrong", [{"month": "2024-6"}, {"verdict": "good"}, {"more": 1}])
def test_event_that_does_not_match_its_schema_is_refused(wrong: dict[str, Any]) -> None:
    right = {"game": GAME, "month": "2024-06", "version": "v", "by_champion": "no",
             "verdict": "better", "complete": "yes", "n": 9, "positives": 3, "roc_auc": 0.8,
             "roc_auc_ci": (0.7, 0.9)}  # fmt: skip
    assert BatchScored.model_validate(right)
    with pytest.raises(ValidationError):
        BatchScored.model_validate(right | wrong)


def test_triggers_and_automations_expect_existing_events() -> None:
    known = {event.kind: event.about for event in EVENTS}
    for kind, resource, _ in TRIGGERS.values():
        assert resource == f"churn.{known[kind]}"
    verdicts = BatchScored.model_json_schema()["properties"]["verdict"]["enum"]
    assert set(NO_BETTER) < set(verdicts)
