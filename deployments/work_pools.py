"""Writes the base job templates of the work pools: `python -m deployments.work_pools`.

Each is the template of the installed Prefect without its examples. What decides what a run can do
is fixed (`FIXED`, `_harden_pod`), so that a run or a deployment can change only its name, labels,
times and resources (`DEFAULTS`).
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
HOME = "/home/churn"
"""The home folder of the image's user, which holds Prefect's own files."""
USER = 10001
"""The image's user and group."""

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
IN_CONTAINER = ENVIRONMENT | {"CHURN_DATA_DIR": DATA}

PROCESS_COMMAND = "python -m flows.engine.run_program"
"""The command of a process; `deployments.apply` puts in the Python that it runs on."""
CONTAINER_COMMAND = "prefect flow-run execute"

FIXED: dict[str, dict[str, Any]] = {
    "process": {"command": PROCESS_COMMAND, "env": ENVIRONMENT, "working_dir": None},
    "docker": {
        "command": CONTAINER_COMMAND,
        # A run whose container is stopped is run again.
        "env": IN_CONTAINER | {"PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR": "reschedule"},
        "image": IMAGE,
        # The image is built or pulled when it is deployed, not by each run.
        "image_pull_policy": "IfNotPresent",
        "registry_credentials": None,
        "networks": [],
        "network_mode": None,
        "volumes": [f"churn-data:{DATA}", f"churn-results:{RESULTS}"],
        "auto_remove": True,
        "privileged": False,
        "container_create_kwargs": {
            "init": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "read_only": True,
            "tmpfs": {HOME: f"uid={USER},gid={USER},mode=0700", "/tmp": "mode=1777"},
        },
    },
    "kubernetes": {
        "command": CONTAINER_COMMAND,
        "env": IN_CONTAINER,
        "image": IMAGE,
        "image_pull_policy": "IfNotPresent",
        "annotations": {},
        "namespace": "default",
        "cluster_config": None,
        "service_account_name": None,
    },
}
"""What no run and no deployment may change. To change it for all runs, change the template."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "process": {},
    "docker": {"mem_limit": "4g"},
    "kubernetes": {
        "finished_job_ttl": 3600,
        "cpu_request": "1",
        "memory_request": "2Gi",
        "memory_limit": "4Gi",
    },
}
"""The defaults of a pool's runs, which a deployment or a run may override."""


def template(pool_type: str) -> dict[str, Any]:
    """Makes the base job template of a type of pool.

    Args:
        pool_type: One of `WORKERS`.
    """
    module, name = WORKERS[pool_type].split(":")
    job_template = _without_examples(
        getattr(import_module(module), name).get_default_base_job_template()
    )
    variables, job = job_template["variables"], job_template["job_configuration"]
    for variable, value in DEFAULTS[pool_type].items():
        variables["properties"][variable]["default"] = value
    if pool_type == "kubernetes":
        _harden_pod(job["job_manifest"])
    for variable, value in FIXED[pool_type].items():
        variables["properties"].pop(variable)
        if variable in job:
            job[variable] = value
    # Otherwise Prefect would accept others, and add an `env` of a run to the fixed one.
    variables["additionalProperties"] = False
    for unused in ("definitions", "$defs", "description"):
        variables.pop(unused, None)
    return job_template


def _without_examples(schema: dict[str, Any]) -> dict[str, Any]:
    """Drops Prefect's examples, which name hosts and images."""
    kept = {name: part for name, part in schema.items() if name != "examples"}
    return {n: _without_examples(p) if isinstance(p, dict) else p for n, p in kept.items()}


def _harden_pod(manifest: dict[str, Any]) -> None:
    """Fixes what the pod of a run may do: it writes to its volumes, its home and `/tmp` alone."""
    fixed = FIXED["kubernetes"]
    manifest["metadata"].pop("annotations")
    manifest["metadata"]["namespace"] = fixed["namespace"]
    pod = manifest["spec"]["template"]["spec"]
    pod.pop("serviceAccountName")
    (container,) = pod["containers"]
    container.pop("env")  # The worker fills it in.
    container |= {
        "args": CONTAINER_COMMAND.split(),
        "image": fixed["image"],
        "imagePullPolicy": fixed["image_pull_policy"],
        "securityContext": {
            "privileged": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "data", "mountPath": DATA},
            {"name": "results", "mountPath": RESULTS},
            {"name": "home", "mountPath": HOME},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    pod |= {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": "churn-data"}},
            {"name": "results", "persistentVolumeClaim": {"claimName": "churn-results"}},
            {"name": "home", "emptyDir": {}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }


def text(pool_type: str) -> str:
    """The text of a template's file."""
    return json.dumps(template(pool_type), indent=2) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in WORKERS:
        (FOLDER / f"{each}.json").write_text(text(each), encoding="utf-8")
