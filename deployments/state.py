"""What stands on a Prefect server: what is switched on there, and what is left of removed games."""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import AutomationSort, DeploymentSort
from prefect.events.schemas.automations import Automation
from prefect.exceptions import ObjectNotFound

from deployments.generate import WORK_POOL

T = TypeVar("T")


@dataclass(frozen=True)
class SwitchedOn:
    """What is on.

    Attributes:
        schedules: The ids of deployments, and the slugs of schedules.
        automations: The names of automations.
    """

    schedules: frozenset[tuple[UUID, str | None]]
    automations: frozenset[str]


def switched_on(client: SyncPrefectClient) -> SwitchedOn:
    """Finds the schedules and automations that are on."""
    schedules = (
        (one.id, schedule.slug)
        for one in _deployments(client)
        for schedule in one.schedules
        if schedule.active
    )
    names = (automation.name for automation in _automations(client) if automation.enabled)
    return SwitchedOn(frozenset(schedules), frozenset(names))


def keep_on(client: SyncPrefectClient, before: SwitchedOn) -> None:
    """Switches on again what was on before and is off now.

    Deploying writes what the games say. Where they say that a schedule waits, that is how it
    begins, and not a reason to stop what someone has switched on since.

    Args:
        client: The server.
        before: What was on.
    """
    for one in _deployments(client):
        for schedule in one.schedules:
            if not schedule.active and (one.id, schedule.slug) in before.schedules:
                client.update_deployment_schedule(one.id, schedule.id, active=True)
                _tell_on(f"schedule {schedule.slug}/{one.name}")
    for automation in _automations(client):
        if not automation.enabled and automation.name in before.automations:
            client.resume_automation(automation.id)
            _tell_on(f"automation {automation.name}")


def _tell_on(what: str) -> None:
    print(f"{what} stays on, as it was switched on by hand")


def tell_removed_games(client: SyncPrefectClient, games: Collection[str], *, prune: bool) -> None:
    """Tells which games are deployed that are none any more.

    Args:
        client: The server.
        games: The games that there are.
        prune: Remove what is left of the others.
    """
    old: dict[str, list[DeploymentResponse]] = {}
    for one in _deployments(client):
        # A deployment of someone else's may be in the pool, too; it does not run such a game.
        if one.name not in games and one.parameters.get("game") == one.name:
            old.setdefault(one.name, []).append(one)
    for game, left in old.items():
        if prune:
            _remove(client, game, left)
            print(f"{game} is no game any more: {len(left)} deployments removed")
        else:
            print(f"{game} is no game any more: {len(left)} deployments stay; --prune removes them")


def _remove(client: SyncPrefectClient, game: str, left: list[DeploymentResponse]) -> None:
    for automation in _automations(client):
        if automation.name.startswith(f"{game}: "):
            client.delete_automation(automation.id)
    for one in left:
        client.delete_deployment(one.id)
    with suppress(ObjectNotFound):
        queue = client.read_work_queue_by_name(game, work_pool_name=WORK_POOL)
        client.delete_work_queue_by_id(queue.id)


def _deployments(client: SyncPrefectClient) -> list[DeploymentResponse]:
    pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[WORK_POOL]))
    return _all(
        lambda offset: client.read_deployments(
            work_pool_filter=pool, sort=DeploymentSort.CREATED_DESC, offset=offset
        )
    )


def _automations(client: SyncPrefectClient) -> list[Automation]:
    return _all(
        lambda offset: client.read_automations(sort=AutomationSort.CREATED_DESC, offset=offset)
    )


def _all(read: Callable[[int], list[T]]) -> list[T]:
    """Reads page after page, as a server lists only so many at once."""
    found: list[T] = []
    while page := read(len(found)):
        found += page
    return found
