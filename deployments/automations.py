"""What else should follow from a run's events, beside the triggers in `prefect.yaml`.

An automation here may name a deployment that is not its own. `deployments.apply` writes them to the
server, where they are found again by name.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

from prefect.automations import AutomationCore, EventTrigger, Posture
from prefect.events.actions import RunDeployment

from churnlib.settings import list_games, load_settings

NO_BETTER = ["unsure", "worse"]
"""The verdicts of `churnlib.report.verdict` on a model that does not rank better than chance."""


def automations(find: Callable[[str], UUID]) -> Iterator[AutomationCore]:
    """Describes the automations of all games.

    Args:
        find: Finds the id of a deployment by its name.
    """
    for game in list_games():
        yield train_anew(game, find(f"train-from-raw/{game}"))


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
