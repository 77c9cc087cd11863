"""What else should follow from a run's events, beside the triggers in `prefect.yaml`.

An automation here may name a deployment that is not its own. `deployments.apply` writes them to the
server, where they are found again by name.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

from prefect.automations import AutomationCore, EventTrigger, Posture
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment

from churnlib.settings import list_games, load_settings

NO_BETTER = ["unsure", "worse"]
"""The verdicts of `churnlib.report.verdict` on a model that does not rank better than chance."""

SILENT_SECONDS = 90
"""How long a run may be silent: three heartbeats."""


def automations(find: Callable[[str], UUID]) -> Iterator[AutomationCore]:
    """Describes the automations of all games.

    Args:
        find: Finds the id of a deployment by its name.
    """
    yield crash_silent_runs()
    for game in list_games():
        yield train_anew(game, find(f"train-from-raw/{game}"))


def crash_silent_runs() -> AutomationCore:
    """Marks runs as crashed whose heartbeat has stopped, because their machine or worker died.

    Left as running they would hold their game's place in the queue for ever. What such a run had
    finished stays in the cache: the next one takes it up from there.
    """
    heartbeat = "prefect.flow-run.heartbeat"
    ends = ("Completed", "Failed", "Cancelled", "Crashed")
    return AutomationCore(
        name="a run whose heartbeat has stopped is marked as crashed",
        description=f"No heartbeat for {SILENT_SECONDS} seconds; a worker's runs beat every 30.",
        trigger=EventTrigger(
            after={heartbeat},
            expect={heartbeat, *(f"prefect.flow-run.{end}" for end in ends)},
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=SILENT_SECONDS),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message="The heartbeat has stopped: the machine or the worker of this run died. "
                "Run it again; what it had finished is taken from the cache.",
            )
        ],
    )


def train_anew(game: str, deployment: UUID) -> AutomationCore:
    """Trains a game's model anew once the score of a batch is no better than chance.

    Args:
        game: The game.
        deployment: What trains it.
    """
    return AutomationCore(
        name=f"{game}: a model no better than chance is trained anew",
        description="A batch was scored, and the 95 % interval of its ROC AUC holds 0.5 or less.",
        enabled=load_settings(game, environ={}).schedules.active,
        tags=[game],
        trigger=EventTrigger(
            expect={"churn.batch.scored"},
            match={
                "prefect.resource.id": f"churn.batch.{game}",
                "churn.verdict": NO_BETTER,
            },
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[RunDeployment(source="selected", deployment_id=deployment)],
    )
