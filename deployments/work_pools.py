"""Writes the base job templates of the work pools: `python -m deployments.work_pools`.

Each is the template of the installed Prefect without its examples, changed by `DEFAULTS` and
`_mount_volumes`.
"""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "work-pools"
IMAGE = "churn:latest"
DATA = "/app/data"
"""The data folder in the image."""
RESULTS = "/app/results"
"""The folder of the cache of finished tasks in the image."""

WORKERS = {
    "process": "prefect.workers.process:ProcessWorker",
    "docker": "prefect_docker.worker:DockerWorker",
    "kubernetes": "prefect_kubernetes.worker:KubernetesWorker",
}
"""The worker of each type of pool."""

HEARTBEAT_SECONDS = 30
"""How often a worker's run sends a heartbeat: the shortest interval that Prefect allows."""
ENVIRONMENT = {
    # Idle threads of one fit would otherwise keep spinning on the cores that another needs.
    "GOMP_SPINCOUNT": "1000",
    # Prefect's own default is three minutes.
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
}

DEFAULTS: dict[str, dict[str, Any]] = {
    "process": {"env": ENVIRONMENT},
    "docker": {
        "env": ENVIRONMENT | {"CHURN_DATA_DIR": DATA},
        "image": IMAGE,
        # The image is built or pulled when it is deployed, not by each run.
        "image_pull_policy": "IfNotPresent",
        "volumes": [f"churn-data:{DATA}", f"churn-results:{RESULTS}"],
        "auto_remove": True,
        "mem_limit": "4g",
    },
    "kubernetes": {
        "env": ENVIRONMENT | {"CHURN_DATA_DIR": DATA},
        "image": IMAGE,
        "finished_job_ttl": 3600,
        "cpu_request": "1",
        "memory_request": "2Gi",
        "memory_limit": "4Gi",
    },
}
"""The defaults of a pool's runs, which a deployment may override."""


def template(pool_type: str) -> dict[str, Any]:
    """Makes the base job template of a type of pool.

    Args:
        pool_type: One of `WORKERS`.
    """
    module, name = WORKERS[pool_type].split(":")
    job_template = _without_examples(
        getattr(import_module(module), name).get_default_base_job_template()
    )
    for variable, value in DEFAULTS[pool_type].items():
        job_template["variables"]["properties"][variable]["default"] = value
    if pool_type == "kubernetes":
        _mount_volumes(job_template)
    return job_template


def _without_examples(schema: dict[str, Any]) -> dict[str, Any]:
    """Drops Prefect's examples, which name hosts and images."""
    kept = {name: part for name, part in schema.items() if name != "examples"}
    return {n: _without_examples(p) if isinstance(p, dict) else p for n, p in kept.items()}


def _mount_volumes(job_template: dict[str, Any]) -> None:
    """Mounts the volume claims of data and results, and runs as the user of the image."""
    variables = job_template["variables"]["properties"]
    for name, what in (("data", "the data folder"), ("results", "the cache of finished tasks")):
        variables[f"{name}_claim"] = {
            "title": f"{name.title()} Claim",
            "description": f"The persistent volume claim that holds {what}.",
            "type": "string",
            "default": f"churn-{name}",
        }
    pod = job_template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    pod["securityContext"] = {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
    }
    pod["volumes"] = [
        {"name": name, "persistentVolumeClaim": {"claimName": f"{{{{ {name}_claim }}}}"}}
        for name in ("data", "results")
    ]
    pod["containers"][0]["volumeMounts"] = [
        {"name": "data", "mountPath": DATA},
        {"name": "results", "mountPath": RESULTS},
    ]


def text(pool_type: str) -> str:
    """The text of a template's file."""
    return json.dumps(template(pool_type), indent=2) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in WORKERS:
        (FOLDER / f"{each}.json").write_text(text(each), encoding="utf-8")
