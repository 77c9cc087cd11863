"""Writes deployments to a server, each in one request that leaves nothing switched off in between.

An unchanged deployment is not written, because a request removes its upcoming runs until the server
schedules them again.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

from deployments.declared import MERGED, as_sent, declared, to_send


def write_deployment(client: SyncPrefectClient, entry: Mapping[str, Any]) -> tuple[str, UUID]:
    """Creates or updates a deployment, and prints what was done and what stays as set manually.

    Args:
        client: The server.
        entry: Its entry in `prefect.yaml`; see `deployments.generate.deployment`.

    Returns:
        The deployment's name, `<flow>/<game>`, and id.
    """
    module, _, function = entry["entrypoint"].partition(":")
    flow: Flow[..., Any] = getattr(import_module(module), function)
    name = f"{flow.name}/{entry['name']}"
    standing = find_deployment(client, name)
    new = to_send(entry, flow, standing)
    if standing and new == as_sent(standing):
        print(f"deployment {name}: unchanged")
        deployment = standing.id
    else:
        flow_id = client.create_flow_from_name(flow.name)
        answer = client.request("POST", "/deployments/", json={"flow_id": str(flow_id), **new})
        deployment = UUID(answer.json()["id"])
        print(f"deployment {name}: {'updated' if standing else 'created'}")
    if standing:
        for line in differences(name, entry, new, standing):
            print(line)
    return name, deployment


def find_deployment(client: SyncPrefectClient, name: str) -> DeploymentResponse | None:
    """Finds a deployment by its name, `<flow>/<game>`; None if there is none."""
    try:
        return client.read_deployment_by_name(name)
    except ObjectNotFound:
        return None


def differences(
    name: str, entry: Mapping[str, Any], new: Mapping[str, Any], standing: DeploymentResponse
) -> Iterator[str]:
    """Describes where a deployment stays as somebody has set it manually.

    Args:
        name: The deployment's name.
        entry: Its entry in `prefect.yaml`.
        new: The deployment as it is now; see `deployments.declared.to_send`.
        standing: The deployment before.
    """
    now = declared(entry)
    if standing.paused:
        yield f"deployment {name} stays paused, because it was paused manually"
    for field in MERGED:
        if new[field] != now[field]:
            yield f"{field} of {name} stays as it was changed manually: {new[field]!r}"
    kept = {one["slug"] for one in new["schedules"]}
    for missing in sorted(now["schedules"].keys() - kept):
        yield (
            f"schedule {missing} of {name} stays away, because it was removed manually. To have it "
            "again, delete the deployment and apply again"
        )
    for one in new["schedules"]:
        said = now["schedules"].get(one["slug"])
        if said is None:
            label = one["slug"] or one["schedule"]
            yield f"schedule {label} of {name} stays, because it was added manually"
            continue
        if one["active"] != said["active"]:
            yield f"schedule {one['slug']} of {name} {switched(one['active'])}"
        if one["schedule"] != said["schedule"]:
            yield f"schedule {one['slug']} of {name} keeps the times that were set manually"


def switched(is_on: bool) -> str:
    """Describes that a switch stays as somebody has set it manually."""
    word = "on" if is_on else "off"
    return f"stays {word}, because it was switched {word} manually"
