"""Writes automations to a server, each in one request; see `deployments.merge`.

A tag of each automation holds what the files said when it was applied: whether it is on, and a
digest of its definition.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.sorting import AutomationSort
from prefect.events import DeploymentTriggerTypes
from prefect.events.schemas.automations import Automation, AutomationCore
from pydantic import TypeAdapter

from deployments.merge import merge
from deployments.pages import read_all
from deployments.write_deployments import switched

TAG = "churn.applied"
"""The first word of the tag; the others are `on` or `off`, and the digest."""
DIGEST_LENGTH = 12

_TRIGGER: TypeAdapter[DeploymentTriggerTypes] = TypeAdapter(DeploymentTriggerTypes)


def triggers(entry: Mapping[str, Any], deployment: UUID) -> Iterator[AutomationCore]:
    """Makes the automations of the triggers in an entry of `prefect.yaml`.

    Args:
        entry: The entry.
        deployment: The id of the deployment that they start.
    """
    for one in entry.get("triggers", ()):
        trigger = _TRIGGER.validate_python(dict(one))
        trigger.set_deployment_id(deployment)
        yield trigger.as_automation().model_copy(update={"tags": [entry["name"]]})


def write_automations(client: SyncPrefectClient, automations: Iterable[AutomationCore]) -> set[str]:
    """Creates or updates automations, which the server identifies by name.

    Args:
        client: The server.
        automations: The automations as the files say.

    Returns:
        Their names.
    """
    standing = {one.name: one for one in read_automations(client)}
    names = set()
    for automation in automations:
        write_automation(client, automation, standing.get(automation.name))
        names.add(automation.name)
    return names


def write_automation(
    client: SyncPrefectClient, said: AutomationCore, standing: Automation | None
) -> None:
    """Creates or updates an automation, and prints what was done and what stays as set manually.

    Args:
        client: The server.
        said: The automation as the files say.
        standing: The one of that name on the server, if there is one.
    """
    new = decide(said, standing)
    if standing is None:
        client.create_automation(new)
        done = "created"
    elif _dump(new) == _dump(standing):
        done = "unchanged"
    else:
        # Its owner cannot be updated.
        dumped = new.model_dump(exclude={"owner_resource"})
        client.update_automation(standing.id, AutomationCore.model_validate(dumped))
        done = "updated"
    print(f"automation {said.name}: {done}, {'on' if new.enabled else 'off'}")
    if new.enabled != said.enabled:
        print(f"automation {said.name} {switched(new.enabled)}")
    if definition(new) != definition(said):
        print(f"automation {said.name} keeps the definition that was changed manually")


def decide(said: AutomationCore, standing: Automation | None) -> AutomationCore:
    """Decides an automation; see `deployments.merge`.

    Args:
        said: The automation as the files say.
        standing: The one of that name on the server, if there is one.
    """
    now = {"enabled": said.enabled, "definition": definition(said)}
    before = _last_said(standing)
    there = None
    if standing:
        there = {"enabled": standing.enabled, "definition": definition(standing)}
    merged = merge(before, now, there)
    kept = said
    if standing and merged["definition"] != now["definition"]:
        kept = AutomationCore.model_validate(standing.model_dump())
    others = [tag for tag in (standing.tags if standing else ()) if not _is_record(tag)]
    tags = [*dict.fromkeys([*said.tags, *others]), _record(now)]
    return kept.model_copy(update={"enabled": merged["enabled"], "tags": tags})


def definition(automation: AutomationCore) -> str:
    """A digest of what an automation does, without whether it is on."""
    text = json.dumps(_dump(automation, "enabled", "tags"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def is_applied(automation: AutomationCore) -> bool:
    """Returns whether this project has written an automation."""
    return any(map(_is_record, automation.tags))


def read_automations(client: SyncPrefectClient) -> list[Automation]:
    """Reads all automations of a server, those of this project last."""
    found = read_all(
        lambda offset: client.read_automations(sort=AutomationSort.CREATED_DESC, offset=offset)
    )
    return sorted(found, key=is_applied)


def _record(said: Mapping[str, Any]) -> str:
    return f"{TAG} {'on' if said['enabled'] else 'off'} {said['definition']}"


def _is_record(tag: str) -> bool:
    return tag.startswith(f"{TAG} ")


def _last_said(standing: Automation | None) -> dict[str, Any]:
    for tag in standing.tags if standing else ():
        if _is_record(tag):
            _, switch, digest = tag.split(" ")
            return {"enabled": switch == "on", "definition": digest}
    return {}


def _dump(automation: AutomationCore, *without: str) -> Any:
    """An automation as JSON, whose sets are sorted."""
    unequal: Collection[str] = {"id", "created", "updated", "owner_resource", *without}
    dumped = automation.model_dump(mode="json", exclude_none=True)
    return _sorted({name: value for name, value in dumped.items() if name not in unequal})


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        # Triggers have ids of their own.
        return {name: _sorted(one) for name, one in value.items() if name != "id"}
    if isinstance(value, list):
        return sorted(map(_sorted, value), key=lambda one: json.dumps(one, sort_keys=True))
    return value
