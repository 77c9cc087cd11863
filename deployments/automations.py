"""What else should follow from a run's events, beside the triggers in `prefect.yaml`.

An automation here may name a deployment that is not its own. `deployments.apply` writes them to the
server, where they are found again by name.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from uuid import UUID

from prefect.automations import AutomationCore, EventTrigger, Posture
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment

from churnlib.settings import list_games, load_settings

NO_BETTER = ["unsure", "worse"]
"""The verdicts of `churnlib.report.verdicts` on a model that does not rank better than chance."""

SILENT_SECONDS = 600
"""How long a run may show no sign of life; longer than a server's restart takes."""


def automations(
    find: Callable[[str], UUID], silent_seconds: int = SILENT_SECONDS
) -> Iterator[AutomationCore]:
    """Describes the automations of all games.

    Args:
        find: Finds the id of a deployment by its name.
        silent_seconds: How long a run may show no sign of life.
    """
    yield crash_silent_runs(silent_seconds)
    yield crash_stuck_runs(silent_seconds)
    for game in list_games():
        yield train_anew(game, find(f"train-from-raw/{game}"))


def crash_silent_runs(seconds: int) -> AutomationCore:
    """Marks runs as crashed whose heartbeat has stopped, because their machine or worker died.

    Left as running they would hold their game's place in the queue for ever. What such a run had
    finished stays in the cache: the next one takes it up from there.

    Args:
        seconds: For how long there was no heartbeat.
    """
    return _crash(
        "a run whose heartbeat has stopped is marked as crashed",
        after={"prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.heartbeat", *_events(ENDS)},
        seconds=seconds,
    )


def crash_stuck_runs(seconds: int) -> AutomationCore:
    """Marks runs as crashed that a worker has taken and not started, because it died.

    They have no heartbeat yet that could stop.

    Args:
        seconds: How long a start may take.
    """
    return _crash(
        "a run that was taken and not started is marked as crashed",
        after=_events(("Pending", "Submitting")),
        expect=_events((*STARTS, *ENDS)),
        seconds=seconds,
    )


ENDS = ("Completed", "Failed", "Cancelled", "Crashed", "TimedOut")
STARTS = ("Running", "Retrying", "Scheduled", "Late", "AwaitingConcurrencySlot", "AwaitingRetry",
          "Paused", "Suspended", "Cancelling")  # fmt: skip
"""The states that a run comes to from where it waits to be started, ends aside."""


def _events(states: Iterable[str]) -> set[str]:
    return {f"prefect.flow-run.{state}" for state in states}


def _crash(name: str, *, after: set[str], expect: set[str], seconds: int) -> AutomationCore:
    return AutomationCore(
        name=name,
        description=f"No sign of life for {seconds} seconds.",
        trigger=EventTrigger(
            after=after,
            expect=expect,
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=seconds),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message="No sign of life: the machine or the worker of this run died. Run it "
                "again; what it had finished is taken from the cache.",
            )
        ],
    )


def train_anew(game: str, deployment: UUID) -> AutomationCore:
    """Trains a game's model anew once it scores a batch no better than chance.

    Only the champion's own batches count, and only runs as deployed: whoever scores old batches or
    tries something starts nothing.

    Args:
        game: The game.
        deployment: What trains it.
    """
    return AutomationCore(
        name=f"{game}: a model no better than chance is trained anew",
        description="A batch of the champion: the 95 % interval of its ROC AUC holds 0.5 or less.",
        enabled=load_settings(game, environ={}, local=False).schedules.active,
        tags=[game],
        trigger=EventTrigger(
            expect={"churn.batch.scored"},
            match={
                "prefect.resource.id": f"churn.batch.{game}",
                "churn.verdict": NO_BETTER,
                "churn.by_champion": "yes",
                "churn.as_deployed": "yes",
            },
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[RunDeployment(source="selected", deployment_id=deployment)],
    )
