"""The state of a Prefect server: what is switched on, and what is left of removed games."""

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
    """The schedules and automations that are switched on.

    Attributes:
        schedules: For each schedule, its deployment's id and its slug.
        automations: The names of the automations.
    """

    schedules: frozenset[tuple[UUID, str | None]]
    automations: frozenset[str]


def switched_on(client: SyncPrefectClient) -> SwitchedOn:
    """Finds the schedules and automations that are switched on."""
    schedules = (
        (one.id, schedule.slug)
        for one in _deployments(client)
        for schedule in one.schedules
        if schedule.active
    )
    names = (automation.name for automation in _automations(client) if automation.enabled)
    return SwitchedOn(frozenset(schedules), frozenset(names))


def restore_switched_on(client: SyncPrefectClient, before: SwitchedOn) -> None:
    """Switches on again what was on before and is off now.

    `schedules.active = false` in a game's file is the initial state of its schedules. Deploying
    again must not switch off what someone has switched on since.

    Args:
        client: The server.
        before: What was on.
    """
    for one in _deployments(client):
        for schedule in one.schedules:
            if not schedule.active and (one.id, schedule.slug) in before.schedules:
                client.update_deployment_schedule(one.id, schedule.id, active=True)
                _report_on(f"schedule {schedule.slug}/{one.name}")
    for automation in _automations(client):
        if not automation.enabled and automation.name in before.automations:
            client.resume_automation(automation.id)
            _report_on(f"automation {automation.name}")


def _report_on(what: str) -> None:
    print(f"{what} stays on, because it was switched on manually")


def report_removed_games(client: SyncPrefectClient, games: Collection[str], *, prune: bool) -> None:
    """Prints which deployed games no longer exist.

    Args:
        client: The server.
        games: The games that exist.
        prune: Remove their deployments, automations and queues.
    """
    old: dict[str, list[DeploymentResponse]] = {}
    for one in _deployments(client):
        # The pool may also hold deployments of others, which are not named after their game.
        if one.name not in games and one.parameters.get("game") == one.name:
            old.setdefault(one.name, []).append(one)
    for game, left in old.items():
        if prune:
            _remove(client, game, left)
            print(f"{game} no longer exists: {len(left)} deployments removed")
        else:
            print(f"{game} no longer exists: {len(left)} deployments remain; --prune removes them")


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
    """Reads all pages of a list."""
    items: list[T] = []
    while page := read(len(items)):
        items += page
    return items
