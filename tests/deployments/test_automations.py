"""The automations other than triggers of deployments."""

from datetime import timedelta
from uuid import UUID, uuid4

from churnlib.settings import list_games
from deployments.automations import SILENT_SECONDS, automations
from deployments.work_pools import ENVIRONMENT, HEARTBEAT_SECONDS, WORKERS, template
from flows.engine.events import BatchScored


def test_there_are_two_common_automations_and_one_for_each_game() -> None:
    ids: dict[str, UUID] = {}
    created = list(automations(lambda name: ids.setdefault(name, uuid4())))
    assert [a.enabled for a in created] == [True, True, *(False for _ in list_games())]
    assert set(ids) == {f"train-from-raw/{game}" for game in list_games()}
    assert len({a.name for a in created}) == len(created)


def test_several_heartbeats_fit_into_the_shortest_silence() -> None:
    assert 3 * HEARTBEAT_SECONDS <= 90 <= SILENT_SECONDS  # The command takes no less than 60.
    for pool_type in WORKERS:
        environment = template(pool_type)["variables"]["properties"]["env"]["default"]
        assert environment.items() >= ENVIRONMENT.items()
    assert ENVIRONMENT["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == str(HEARTBEAT_SECONDS)


def test_automations_wait_for_the_configured_silence() -> None:
    created = list(automations(lambda _: uuid4(), silent_seconds=120))
    assert [a.trigger.model_dump()["within"] for a in created[:2]] == [timedelta(seconds=120)] * 2


def test_only_a_deployed_score_of_the_champion_retrains_the_model() -> None:
    *_, last = automations(lambda _: uuid4())
    match = last.trigger.model_dump()["match"]
    score = BatchScored(
        game=list_games()[-1], month="2024-06", version="v", by_champion="yes", verdict="unsure",
        n=9, positives=3, roc_auc=0.5, roc_auc_ci=(0.4, 0.6),
    )  # fmt: skip
    labels = score.resource | {"churn.as_deployed": "yes"}
    assert {name: labels[name] for name in match if name != "churn.verdict"} == {
        name: value for name, value in match.items() if name != "churn.verdict"
    }
    assert labels["churn.verdict"] in match["churn.verdict"]
    assert match["churn.by_champion"] == "yes"
