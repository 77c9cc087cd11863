"""A deployment as the files declare it, as it is on the server, and as it is to be sent there."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.utilities.callables import parameter_schema

from deployments.merge import merge, merge_schedules

FOLDER = Path(__file__).resolve().parents[1]
"""The folder that is deployed from, in which runs start."""
APPLIED = "churn.applied"
"""The label of a deployment that holds what the files declared when they were last applied."""
MERGED = ("description", "tags", "parameters", "concurrency_limit")
"""Fields that may be changed on the server as well; others follow the code."""


def declared(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The fields and schedules that an entry of `prefect.yaml` declares.

    Args:
        entry: The entry; see `deployments.generate.deployment`.
    """
    fields = {**entry, "concurrency_limit": entry["concurrency_limit"]["limit"]}
    schedules = {
        one["slug"]: {
            "schedule": CronSchedule(cron=one["cron"], timezone=one["timezone"]).model_dump(
                mode="json"
            ),
            "active": one["active"],
        }
        for one in entry.get("schedules", ())
    }
    return {**{name: fields[name] for name in MERGED}, "schedules": schedules}


def last_declared(standing: DeploymentResponse | None) -> dict[str, Any]:
    """What the files declared when they were last applied; without fields if that is unknown."""
    text = standing.labels.get(APPLIED) if standing else None
    known: dict[str, Any] = json.loads(str(text)) if text else {}
    return {"schedules": {}, **known}


def decide(entry: Mapping[str, Any], standing: DeploymentResponse | None) -> dict[str, Any]:
    """Decides the fields and schedules of a deployment; see `deployments.merge`.

    Args:
        entry: Its entry in `prefect.yaml`.
        standing: The deployment on the server, if there is one.

    Returns:
        As `declared`.
    """
    before, now = last_declared(standing), declared(entry)
    fields = _fields(standing) if standing else None
    known = _schedules(standing) if standing else None
    schedules = merge_schedules(before.pop("schedules"), now.pop("schedules"), known)
    return {**merge(before, now, fields), "schedules": schedules}


def to_send(
    entry: Mapping[str, Any], flow: Flow[..., Any], standing: DeploymentResponse | None
) -> dict[str, Any]:
    """A deployment as it is to be sent to the server.

    It leaves out what only the server knows: whether the deployment is paused, and job variables.

    Args:
        entry: Its entry in `prefect.yaml`.
        flow: Its flow.
        standing: The deployment on the server, if there is one.
    """
    decided = decide(entry, standing)
    known = {slug(one): _schedule(one) for one in standing.schedules} if standing else {}
    new: dict[str, Any] = {"parameters": {}, "max_scheduled_runs": None}
    return {
        **decided,
        "schedules": [
            {"slug": name, **known.get(name, new), **fields}
            for name, fields in sorted(decided["schedules"].items())
        ],
        "name": entry["name"],
        "version": entry["version"],
        "entrypoint": entry["entrypoint"],
        "work_pool_name": entry["work_pool"]["name"],
        "work_queue_name": entry["work_pool"]["work_queue_name"],
        "concurrency_options": {
            "collision_strategy": entry["concurrency_limit"]["collision_strategy"]
        },
        # As `prefect deploy` does without a pull step in `prefect.yaml`.
        "pull_steps": [
            {"prefect.deployments.steps.set_working_directory": {"directory": str(FOLDER)}}
        ],
        "parameter_openapi_schema": parameter_schema(flow).model_dump(
            mode="json", exclude_unset=True
        ),
        "enforce_parameter_schema": True,
        "labels": {APPLIED: json.dumps(declared(entry), sort_keys=True)},
    }


def as_sent(standing: DeploymentResponse) -> dict[str, Any]:
    """A deployment on the server, as `to_send` would give it if nothing changed."""
    options = standing.concurrency_options
    return {
        **_fields(standing),
        "schedules": [_schedule(one) for one in sorted(standing.schedules, key=slug)],
        "name": standing.name,
        "version": standing.version,
        "entrypoint": standing.entrypoint,
        "work_pool_name": standing.work_pool_name,
        "work_queue_name": standing.work_queue_name,
        "concurrency_options": options and {"collision_strategy": options.collision_strategy.value},
        "pull_steps": standing.pull_steps,
        "parameter_openapi_schema": standing.parameter_openapi_schema,
        "enforce_parameter_schema": standing.enforce_parameter_schema,
        "labels": {APPLIED: standing.labels.get(APPLIED)},
    }


def slug(schedule: DeploymentSchedule) -> str:
    """The name by which a schedule is known; its id if it was made without one."""
    return schedule.slug or str(schedule.id)


def _fields(standing: DeploymentResponse) -> dict[str, Any]:
    limit = standing.global_concurrency_limit
    return {
        "description": standing.description,
        "tags": standing.tags,
        "parameters": standing.parameters,
        "concurrency_limit": limit.limit if limit else None,
    }


def _schedules(standing: DeploymentResponse) -> dict[str, dict[str, Any]]:
    return {
        slug(one): {"schedule": one.schedule.model_dump(mode="json"), "active": one.active}
        for one in standing.schedules
    }


def _schedule(schedule: DeploymentSchedule) -> dict[str, Any]:
    return schedule.model_dump(
        mode="json",
        include={"slug", "parameters", "max_scheduled_runs", "schedule", "active"},
    )
