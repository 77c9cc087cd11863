"""Automations that act on the events of runs, in addition to the triggers in `prefect.yaml`.

Unlike a trigger, an automation may run another deployment. `deployments.apply` writes them to the
server, which identifies them by name.
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
"""How long a run may go without a heartbeat; longer than a restart of the server takes."""


def automations(
    find: Callable[[str], UUID], silent_seconds: int = SILENT_SECONDS
) -> Iterator[AutomationCore]:
    """Describes the automations of all games.

    Args:
        find: Finds the id of a deployment by its name.
        silent_seconds: Seconds without a heartbeat after which a run is marked as crashed.
    """
    yield crash_silent_runs(silent_seconds)
    yield crash_stuck_runs(silent_seconds)
    for game in list_games():
        yield retrain(game, find(f"train-from-raw/{game}"))
        yield make_missing_batches(game, find(f"backfill/{game}"))
        yield try_again_when_late(game)


def crash_silent_runs(seconds: int) -> AutomationCore:
    """Marks a run as crashed when its heartbeat stops, because its machine or worker died.

    Otherwise it would block its game's queue forever. The tasks that it finished stay in the cache,
    so the next run continues from there.

    Args:
        seconds: How long without a heartbeat.
    """
    return _crash(
        "a run whose heartbeat has stopped is marked as crashed",
        after={"prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.heartbeat", *_events(ENDS)},
        seconds=seconds,
    )


def crash_stuck_runs(seconds: int) -> AutomationCore:
    """Marks a run as crashed when a worker takes it but does not start it, because it died.

    Such a run has no heartbeat yet that could stop.

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
"""The non-final states that a run can enter after `Pending` or `Submitting`."""


def _events(states: Iterable[str]) -> set[str]:
    return {f"prefect.flow-run.{state}" for state in states}


def _crash(name: str, *, after: set[str], expect: set[str], seconds: int) -> AutomationCore:
    return AutomationCore(
        name=name,
        description=f"No heartbeat for {seconds} seconds.",
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
                message="No heartbeat: the machine or the worker of this run died. Run it "
                "again; finished tasks are taken from the cache.",
            )
        ],
    )


def retrain(game: str, deployment: UUID) -> AutomationCore:
    """Retrains a game's model once it scores a batch no better than chance.

    Only batches that the champion predicted count, and only runs as deployed: scoring old batches
    or trying other settings starts nothing. Neither does a batch of which a part was predicted.

    Args:
        game: The game.
        deployment: The deployment that trains the model.
    """
    return AutomationCore(
        name=f"{game}: a model no better than chance is trained anew",
        description="A batch of the champion: the 95 % interval of its ROC AUC holds 0.5 or less.",
        enabled=_is_active(game),
        tags=[game],
        trigger=EventTrigger(
            expect={"churn.batch.scored"},
            match={
                "prefect.resource.id": f"churn.batch.{game}",
                "churn.verdict": NO_BETTER,
                "churn.by_champion": "yes",
                "churn.complete": "yes",
                "churn.as_deployed": "yes",
            },
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[RunDeployment(source="selected", deployment_id=deployment)],
    )


def make_missing_batches(game: str, deployment: UUID) -> AutomationCore:
    """Predicts the batches that a game lacks, and those made of fewer rows than are known by now.

    Args:
        game: The game.
        deployment: The deployment of the backfill.
    """
    months = {name: _from_event(name) for name in ("first_month", "last_month")}
    return AutomationCore(
        name=f"{game}: batches that are missing or incomplete are predicted",
        description="A prediction has found months without predictions, or with too few.",
        enabled=_is_active(game),
        tags=[game],
        trigger=_on_event(f"churn.batch.{game}", "churn.batch.missing"),
        actions=[
            RunDeployment(
                source="selected",
                deployment_id=deployment,
                parameters={"batch_flow": "batch_predict", **months},
            )
        ],
    )


def try_again_when_late(game: str) -> AutomationCore:
    """Runs a deployment again a day after it was refused because a raw table is late.

    If a further run waits already, that one goes on: while a table is late for months, each
    scheduled run would otherwise begin a daily run of its own.

    Args:
        game: The game.
    """
    return AutomationCore(
        name=f"{game}: a run that lacked late tables is tried again the next day",
        description="The last months of a raw table hold far fewer rows than those before.",
        enabled=_is_active(game),
        tags=[game],
        trigger=_on_event(f"churn.feed.{game}", "churn.feed.late", refused="yes", run_waiting="no"),
        actions=[RunDeployment(source="inferred", schedule_after=timedelta(days=1))],
    )


def _is_active(game: str) -> bool:
    return load_settings(game, environ={}, local=False).schedules.active


def _on_event(resource: str, event: str, **labels: str) -> EventTrigger:
    """Triggers on each event of a run as deployed."""
    more = {f"churn.{name}": value for name, value in labels.items()}
    return EventTrigger(
        expect={event},
        match={"prefect.resource.id": resource, "churn.as_deployed": "yes", **more},
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )


def _from_event(field: str) -> dict[str, str]:
    """A parameter that takes the value of a field of the event."""
    return {"__prefect_kind": "jinja", "template": f"{{{{ event.payload.{field} }}}}"}
