"""What earlier applications left on a server: of removed games, and under older names."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import DeploymentSort
from prefect.events.schemas.automations import Automation
from prefect.exceptions import ObjectNotFound

from deployments.declared import APPLIED
from deployments.generate import WORK_POOL
from deployments.pages import read_all
from deployments.write_automations import is_applied, read_automations


@dataclass(frozen=True)
class Applied:
    """What was applied.

    Attributes:
        games: The games that exist.
        deployments: The ids of their deployments.
        automations: The names of all automations.
    """

    games: Collection[str]
    deployments: Collection[UUID]
    automations: Collection[str]


def report_leftovers(client: SyncPrefectClient, applied: Applied, *, prune: bool) -> None:
    """Prints what is left of removed games and of older versions of this project.

    Args:
        client: The server.
        applied: What was applied.
        prune: Remove it: deployments, automations and the queues of removed games. The runs of
            removed deployments stay recorded.
    """
    left = [
        one for one in _deployments(client) if _is_ours(one) and one.id not in applied.deployments
    ]
    removed = sorted({one.name for one in left} - {*applied.games})
    owners = {f"prefect.deployment.{one.id}" for one in left}
    for automation in _left_automations(client, applied, removed, owners):
        _tell(f"automation {automation.name}", prune=prune)
        if prune:
            client.delete_automation(automation.id)
    for one in left:
        _tell(f"deployment {client.read_flow(one.flow_id).name}/{one.name}", prune=prune)
        if prune:
            client.delete_deployment(one.id)
    for game in removed if prune else ():
        with suppress(ObjectNotFound):
            queue = client.read_work_queue_by_name(game, work_pool_name=WORK_POOL)
            client.delete_work_queue_by_id(queue.id)
            _tell(f"work queue {game}", prune=True)


def _tell(what: str, *, prune: bool) -> None:
    end = "removed" if prune else "remains; --prune removes it"
    print(f"{what} is of a removed game or an older version: {end}")


def _is_ours(one: DeploymentResponse) -> bool:
    """Whether this project, or an older version of it, has deployed a deployment of its pool."""
    # Older versions wrote no label. Deployments of others may be in the pool as well.
    return APPLIED in one.labels or (
        one.parameters.get("game") == one.name and one.tags[:1] in ([], [one.name])
    )


def _left_automations(
    client: SyncPrefectClient, applied: Applied, removed: Collection[str], owners: Collection[str]
) -> Iterator[Automation]:
    # Older versions wrote no tag of ours, but began the names in the same way.
    beginnings = tuple(f"{game}: " for game in {*applied.games, *removed})
    for one in read_automations(client):
        is_ours = is_applied(one) or one.owner_resource in owners or one.name.startswith(beginnings)
        if is_ours and one.name not in applied.automations:
            yield one


def _deployments(client: SyncPrefectClient) -> list[DeploymentResponse]:
    pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[WORK_POOL]))
    return read_all(
        lambda offset: client.read_deployments(
            work_pool_filter=pool, sort=DeploymentSort.CREATED_DESC, offset=offset
        )
    )
