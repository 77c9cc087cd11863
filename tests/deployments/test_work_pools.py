"""The base job templates of the work pools."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.utilities.dockerutils import get_prefect_image_name
from prefect.utilities.templating import find_placeholders
from prefect_docker.worker import DockerWorkerJobConfiguration
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

from deployments.work_pools import (
    DATA,
    FIXED,
    FOLDER,
    HOME,
    IMAGE,
    RESULTS,
    USER,
    WORKERS,
    text,
)


def template(pool_type: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / f"{pool_type}.json").read_text())
    return content


@pytest.mark.parametrize("pool_type", WORKERS)
def test_template_is_the_one_checked_in(pool_type: str) -> None:
    assert (FOLDER / f"{pool_type}.json").read_text() == text(pool_type), "run `make deployments`"


@pytest.mark.parametrize("pool_type", WORKERS)
def test_server_creates_a_pool_with_the_template(pool_type: str, prefect_server: object) -> None:
    pool = WorkPoolCreate(
        name=f"{pool_type}-{uuid4().hex[:8]}",
        type=pool_type,
        base_job_template=template(pool_type),
    )
    with get_client(sync_client=True) as client:
        created = client.create_work_pool(pool)
        client.delete_work_pool(created.name)
    assert created.base_job_template == template(pool_type)


@pytest.mark.parametrize("pool_type", WORKERS)
def test_fixed_values_are_no_variables(pool_type: str) -> None:
    job, variables = template(pool_type)["job_configuration"], template(pool_type)["variables"]
    assert variables["additionalProperties"] is False
    assert not FIXED[pool_type].keys() & variables["properties"].keys()
    named = find_placeholders(job)
    assert {one.name for one in named} <= variables["properties"].keys()
    for name, value in FIXED[pool_type].items():
        if name in job:
            assert job[name] == value


@pytest.mark.parametrize("pool_type", WORKERS)
def test_run_can_change_only_names_times_and_resources(pool_type: str) -> None:
    harmless = {
        "name", "labels", "stream_output",
        "mem_limit", "memswap_limit", "cpu_request", "cpu_limit", "memory_request", "memory_limit",
        "backoff_limit", "finished_job_ttl", "job_watch_timeout_seconds",
        "pod_watch_timeout_seconds",
    }  # fmt: skip
    assert template(pool_type)["variables"]["properties"].keys() <= harmless


HOSTILE = {
    "command": "sh -c id",
    "env": {"PYTHONPATH": "/app/data"},
    "image": "evil:latest",
    "privileged": True,
    "volumes": ["/:/host"],
    "network_mode": "host",
    "networks": ["other"],
    "container_create_kwargs": {"privileged": True, "pid_mode": "host"},
    "working_dir": "/app/data",
    "namespace": "kube-system",
    "service_account_name": "admin",
    "annotations": {"sidecar": "yes"},
    "data_claim": "other",
}
"""Variables by which a run would reach more than its data, and any others that Prefect may know."""


@pytest.mark.slow
@pytest.mark.parametrize("pool_type", WORKERS)
def test_server_refuses_runs_that_change_what_is_fixed(
    pool_type: str, prefect_server: object
) -> None:
    name = f"{pool_type}-{uuid4().hex[:8]}"
    with get_client(sync_client=True) as client:
        client.create_work_pool(
            WorkPoolCreate(name=name, type=pool_type, base_job_template=template(pool_type))
        )
        flow = client.create_flow_from_name("train")
        deployment = client.create_deployment(flow, name, work_pool_name=name)
        for variable, value in HOSTILE.items():
            with pytest.raises(httpx.HTTPStatusError, match=f"'{variable}' was unexpected"):
                client.create_flow_run_from_deployment(deployment, job_variables={variable: value})
            with pytest.raises(httpx.HTTPStatusError, match=f"'{variable}' was unexpected"):
                client.create_deployment(
                    flow, name, work_pool_name=name, job_variables={variable: value}
                )
        client.create_flow_run_from_deployment(deployment, job_variables={"name": "mine"})
        client.delete_work_pool(name)


async def docker_job(**variables: Any) -> DockerWorkerJobConfiguration:
    return await DockerWorkerJobConfiguration.from_template_and_values(
        template("docker"), variables
    )


async def kubernetes_job(**variables: Any) -> KubernetesWorkerJobConfiguration:
    return await KubernetesWorkerJobConfiguration.from_template_and_values(
        template("kubernetes"), variables
    )


@pytest.mark.anyio
async def test_docker_job_is_confined_whatever_a_run_asks_for(prefect_server: object) -> None:
    hostile = {name: value for name, value in HOSTILE.items() if name != "env"}
    job = await docker_job(mem_limit="16g", **hostile)
    assert job.image == IMAGE != get_prefect_image_name()
    assert job.command == "prefect flow-run execute"
    assert job.volumes == [f"churn-data:{DATA}", f"churn-results:{RESULTS}"]
    assert (job.privileged, job.networks, job.network_mode) == (False, [], None)
    assert job.mem_limit == "16g"
    assert job.env["CHURN_DATA_DIR"] == DATA
    created = job.container_create_kwargs
    assert created is not None
    assert created["cap_drop"] == ["ALL"]
    assert created["security_opt"] == ["no-new-privileges:true"]
    assert created["read_only"] is True
    assert set(created["tmpfs"]) == {HOME, "/tmp"}


@pytest.mark.anyio
async def test_kubernetes_job_is_confined_whatever_a_run_asks_for(prefect_server: object) -> None:
    hostile = {name: value for name, value in HOSTILE.items() if name != "env"}
    job = await kubernetes_job(memory_limit="16Gi", **hostile)
    run = FlowRun.model_construct(id=uuid4(), name="run", flow_id=uuid4(), labels={}, tags=[])
    job.prepare_for_flow_run(run)
    assert job.namespace == job.job_manifest["metadata"]["namespace"] == "default"
    assert "sidecar" not in str(job.job_manifest)
    pod = job.job_manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == IMAGE
    assert container["args"] == ["prefect", "flow-run", "execute"]
    assert container["resources"]["limits"]["memory"] == "16Gi"
    assert {"name": "CHURN_DATA_DIR", "value": DATA} in container["env"]
    assert pod["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in pod
    assert not any(pod.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC"))
    assert pod["securityContext"] == {
        "runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    assert container["securityContext"] == {
        "privileged": False, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip


def test_kubernetes_job_writes_to_its_volumes_home_and_tmp() -> None:
    manifest = template("kubernetes")["job_configuration"]["job_manifest"]
    pod = manifest["spec"]["template"]["spec"]
    volumes = {volume.pop("name"): volume for volume in pod["volumes"]}
    mounted = {
        mount["mountPath"]: volumes[mount["name"]] for mount in pod["containers"][0]["volumeMounts"]
    }
    assert mounted == {
        DATA: {"persistentVolumeClaim": {"claimName": "churn-data"}},
        RESULTS: {"persistentVolumeClaim": {"claimName": "churn-results"}},
        HOME: {"emptyDir": {}},
        "/tmp": {"emptyDir": {}},
    }


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
