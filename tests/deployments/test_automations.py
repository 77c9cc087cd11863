"""The automations other than triggers of deployments."""

import inspect
import re
from datetime import timedelta
from uuid import UUID, uuid4

from prefect.automations import AutomationCore
from prefect.events.actions import RunDeployment

from churnlib.settings import list_games
from deployments.automations import (
    SILENT_SECONDS,
    automations,
    make_missing_batches,
    retrain,
    try_again_when_late,
)
from deployments.work_pools import ENVIRONMENT, HEARTBEAT_SECONDS, WORKERS, template
from flows import find_flow
from flows.engine.events import BatchMissing, BatchScored, ChurnEvent, FeedLate

GAME = list_games()[-1]


def test_there_are_two_common_automations_and_three_for_each_game() -> None:
    ids: dict[str, UUID] = {}
    created = list(automations(lambda name: ids.setdefault(name, uuid4())))
    assert [a.enabled for a in created] == [True, True, *(False for _ in list_games() * 3)]
    flows = ("train-from-raw", "backfill")
    assert set(ids) == {f"{flow}/{game}" for flow in flows for game in list_games()}
    assert len({a.name for a in created}) == len(created)


def test_several_heartbeats_fit_into_the_shortest_silence() -> None:
    assert 3 * HEARTBEAT_SECONDS <= 90 <= SILENT_SECONDS  # The command takes no less than 60.
    for pool_type in WORKERS:
        environment = template(pool_type)["job_configuration"]["env"]
        assert environment.items() >= ENVIRONMENT.items()
    assert ENVIRONMENT["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == str(HEARTBEAT_SECONDS)


def test_automations_wait_for_the_configured_silence() -> None:
    created = list(automations(lambda _: uuid4(), silent_seconds=120))
    assert [a.trigger.model_dump()["within"] for a in created[:2]] == [timedelta(seconds=120)] * 2


def test_only_a_deployed_score_of_the_champion_retrains_the_model() -> None:
    match = retrain(GAME, uuid4()).trigger.model_dump()["match"]
    score = BatchScored(
        game=GAME, month="2024-06", version="v", by_champion="yes", verdict="unsure",
        complete="yes", n=9, positives=3, roc_auc=0.5, roc_auc_ci=(0.4, 0.6),
    )  # fmt: skip
    labels = score.resource | {"churn.as_deployed": "yes"}
    assert {name: labels[name] for name in match if name != "churn.verdict"} == {
        name: value for name, value in match.items() if name != "churn.verdict"
    }
    assert labels["churn.verdict"] in match["churn.verdict"]
    assert match["churn.by_champion"] == match["churn.complete"] == "yes"


def test_missing_batches_are_predicted_by_the_backfill() -> None:
    backfill = uuid4()
    automation = make_missing_batches(GAME, backfill)
    event = BatchMissing(
        game=GAME, first_month="2024-06", last_month="2024-08", missing=("2024-08",),
        incomplete=("2024-06",), too_small="no",
    )  # fmt: skip
    assert is_triggered(automation, event)
    (action,) = automation.actions
    assert isinstance(action, RunDeployment)
    assert action.deployment_id == backfill
    assert action.parameters is not None
    months = {name: value for name, value in action.parameters.items() if name != "batch_flow"}
    for name, value in months.items():
        field = re.fullmatch(r"\{\{ event\.payload\.(\w+) \}\}", value["template"])
        assert field is not None
        assert field[1] == name
        assert name in event.model_dump()
    parameters = inspect.signature(find_flow("backfill").fn).parameters
    assert {*action.parameters} <= {*parameters}


def test_a_refused_run_is_tried_again_the_next_day() -> None:
    late = FeedLate(
        game=GAME, tables="sub_data", first_month="2024-12", last_month="2024-12", rows=11,
        expected=151, refused="yes", run_waiting="no",
    )  # fmt: skip
    automation = try_again_when_late(GAME)
    assert is_triggered(automation, late)
    assert not is_triggered(automation, late.model_copy(update={"refused": "no"}))
    assert not is_triggered(automation, late.model_copy(update={"run_waiting": "yes"}))
    (action,) = automation.actions
    assert isinstance(action, RunDeployment)
    assert (action.source, action.schedule_after) == ("inferred", timedelta(days=1))


def is_triggered(automation: AutomationCore, event: ChurnEvent) -> bool:
    """Whether an event of a deployed run starts an automation."""
    trigger = automation.trigger.model_dump()
    labels = event.resource | {"churn.as_deployed": "yes"}
    return event.kind in trigger["expect"] and all(
        labels.get(name) == value for name, value in trigger["match"].items()
    )
