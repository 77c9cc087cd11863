"""The image: its content and its health check."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from deployments.healthcheck import answers, health_page
from deployments.work_pools import DATA, RESULTS
from tests.flows.studio import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
TOOLS = Path(sys.executable).parent


def test_dockerfile_passes_its_linter() -> None:
    done = subprocess.run(
        [TOOLS / "hadolint", "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_dockerfile_copies_only_what_the_context_contains() -> None:
    held = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = [line[1:].removesuffix("/*.json") for line in held if line.startswith("!")]
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.M)
        for source in line.split()[:-1]
    ]
    assert len(copied) > 5
    assert set(copied) == set(allowed)
    assert [source for source in copied if not (ROOT / source).exists()] == []


@pytest.mark.parametrize("extra", ["obstore", "distributed", "prefect-dask"])
def test_extra_package_of_the_image_has_the_locked_version(extra: str) -> None:
    (version,) = re.findall(rf"\b{extra}==(\S+)", DOCKERFILE)
    assert f"\n{extra}=={version} " in (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")


def test_all_stages_have_the_same_pinned_base_image() -> None:
    assert re.search(r"^ARG PYTHON=\S+:3\.\d+\.\d+-\S+@sha256:[0-9a-f]{64}$", DOCKERFILE, re.M)
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.M))
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, re.M))
    assert bases - stages == {"${PYTHON}"}


def test_results_are_kept_outside_of_the_data_and_in_a_volume_of_their_own() -> None:
    variables = dict(re.findall(r"([A-Z_]+)=(\S+)", DOCKERFILE))
    data, results = variables["CHURN_DATA_DIR"], variables["PREFECT_RESULTS_LOCAL_STORAGE_PATH"]
    assert (data, results) == (DATA, RESULTS)
    assert not Path(results).is_relative_to(data)
    (volumes,) = re.findall(r"^VOLUME (.*)$", DOCKERFILE, re.M)
    assert json.loads(volumes) == [data, results]
    compose = yaml.safe_load((ROOT / "deployments" / "compose.yaml").read_text(encoding="utf-8"))
    assert f"results:{results}" in compose["services"]["worker"]["volumes"]
    assert {"data", "results"} <= set(compose["volumes"])


@pytest.fixture
def port() -> Iterator[int]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 503)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_container_is_healthy_if_its_page_answers(port: int) -> None:
    assert answers(port, "/health")
    assert not answers(port, "/elsewhere")


def test_container_without_an_answer_is_unhealthy(port: int) -> None:
    free = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    free.server_close()
    assert not answers(free.server_port, "/health")


@pytest.mark.parametrize(
    ("command", "page"),
    [
        ("prefect worker start --pool churn", (8080, "/health")),
        ("/sbin/docker-init -- /opt/venv/bin/python prefect server start", (4200, "/api/health")),
        ("python -m flows.train --game worker", None),
        ("prefect flow-run execute", None),
    ],
)
def test_health_page_follows_from_the_command(command: str, page: tuple[int, str] | None) -> None:
    assert health_page(command.split(), {}) == page


def test_health_page_is_on_the_configured_port() -> None:
    environ = {"PREFECT_WORKER_WEBSERVER_PORT": "9000"}
    assert health_page(["prefect", "worker", "start"], environ) == (9000, "/health")
