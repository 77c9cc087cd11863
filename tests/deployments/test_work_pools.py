"""The base job templates of the work pools."""

import json
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.utilities.dockerutils import get_prefect_image_name
from prefect_docker.worker import DockerWorkerJobConfiguration
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

from deployments.work_pools import DATA, FOLDER, IMAGE, RESULTS, WORKERS, text


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


async def docker_job(**variables: Any) -> DockerWorkerJobConfiguration:
    return await DockerWorkerJobConfiguration.from_template_and_values(
        template("docker"), variables
    )


async def kubernetes_job(**variables: Any) -> KubernetesWorkerJobConfiguration:
    return await KubernetesWorkerJobConfiguration.from_template_and_values(
        template("kubernetes"), variables
    )


@pytest.mark.anyio
async def test_docker_job_has_image_data_and_memory(prefect_server: object) -> None:
    job = await docker_job()
    assert job.image == IMAGE != get_prefect_image_name()
    assert job.volumes == [f"churn-data:{DATA}", f"churn-results:{RESULTS}"]
    assert job.env["GOMP_SPINCOUNT"] == "1000"
    assert job.mem_limit
    assert (await docker_job(image="churn:2", mem_limit="16g")).image == "churn:2"


@pytest.mark.anyio
async def test_kubernetes_job_mounts_the_data_and_is_not_root(prefect_server: object) -> None:
    job = await kubernetes_job(data_claim="d", results_claim="r", image="churn:2")
    pod = job.job_manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    claims = {v["name"]: v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"]}
    mounts = {mount["mountPath"]: claims[mount["name"]] for mount in container["volumeMounts"]}
    assert container["image"] == "churn:2"
    assert mounts == {DATA: "d", RESULTS: "r"}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["resources"]["limits"]["memory"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
