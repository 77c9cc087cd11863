"""The image: its content and its health check."""

import json
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from churnlib.settings import SIGNING_KEY_VARIABLE
from deployments.healthcheck import answers, health_page
from deployments.work_pools import DATA, HOME, RESULTS, USER
from tests.flows.studio import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LOCK = "requirements-image.lock"
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
    assert [one for one in copied if not any(fnmatchcase(one, held) for held in allowed)] == []
    assert set(allowed) <= set(copied)
    assert [source for source in copied if not list(ROOT.glob(source))] == []


def stages() -> dict[str, list[str]]:
    """The instructions of each stage, in one line each."""
    lines = "\n".join(line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#"))
    instructions = re.sub(r"\\\n\s*", "", lines).splitlines()
    found: dict[str, list[str]] = {}
    for line in filter(None, instructions):
        if line.startswith("FROM "):
            found[line.split()[-1]] = []
        elif found:
            found[[*found][-1]].append(line)
    return found


def test_image_installs_only_from_its_hashed_lock() -> None:
    installs = [
        command.split()
        for stage in stages().values()
        for line in stage
        if line.startswith("RUN ")
        for command in line.removeprefix("RUN ").split("&&")
        if re.search(r"\binstall\b", command) and command.split()[0] != "install"
    ]
    assert len(installs) == 2
    libraries, wheel = installs
    assert "--require-hashes" in libraries
    assert libraries[libraries.index("--requirement") + 1] == libraries[-1] == LOCK
    # The project itself, without a look at any registry.
    assert {"--offline", "--no-deps"} <= set(wheel)
    assert wheel[-1] == "dist/*.whl"
    assert not re.search(r"^ADD |\b(apt|apt-get|curl|wget|git)\b", DOCKERFILE, re.M)


def test_image_has_no_tools_that_build_or_install() -> None:
    builder, runtime = stages().values()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = map(Requirement, project["optional-dependencies"]["image"])
    tools = {one.name for one in named if one.name != project["name"]}
    assert tools == set(builder[-1].rpartition("/opt/venv/bin/python ")[2].split())
    assert {"pip", "setuptools", "wheel", "ensurepip"} <= set(re.findall(r"\w+", runtime[0]))
    copied = [line.split()[2] for line in runtime if line.startswith("COPY --from")]
    assert copied == ["/opt/venv", "/opt/churn"]
    assert "--without-pip" in builder[2]


def test_image_runs_as_a_user_who_owns_only_data_results_and_home() -> None:
    _, runtime = stages().values()
    users = [line for line in runtime if line.startswith("USER ")]
    assert users == [f"USER {USER}:{USER}"]
    owned = re.findall(r"install -d -o churn -g churn ([^&]+)", runtime[0])
    folders = {Path(folder) for line in owned for folder in line.split()}
    assert {"/" + "/".join(folder.parts[1:3]) for folder in folders} == {DATA, RESULTS, HOME}
    assert "chown" not in DOCKERFILE
    assert "find / -xdev -type f -perm /6000 -exec chmod a-s {} +" in runtime[0]


def test_all_images_are_pinned_by_digest() -> None:
    digest = r"@sha256:[0-9a-f]{64}"
    assert re.search(rf"^ARG PYTHON=\S+:3\.\d+\.\d+-\S+{digest}$", DOCKERFILE, re.M)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)) == {"${PYTHON}"}
    for file in ("compose.yaml", "compose.dask.yaml"):
        services = yaml.safe_load((ROOT / "deployments" / file).read_text(encoding="utf-8"))
        images = {one.get("image") for one in services["services"].values()} - {None}
        for image in images - {"${IMAGE:-churn:latest}"}:
            assert re.fullmatch(rf"[\w/.-]+:\d+\.\d+-\w+{digest}", image)


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
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
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
        ("python /app/supervise.py prefect worker start --pool churn", (8080, "/health")),
        ("python -m flows.train --game worker", None),
        ("prefect flow-run execute", None),
    ],
)
def test_health_page_follows_from_the_command(command: str, page: tuple[int, str] | None) -> None:
    assert health_page(command.split(), {}) == page


def test_health_page_is_on_the_configured_port() -> None:
    environ = {"PREFECT_WORKER_WEBSERVER_PORT": "9000"}
    assert health_page(["prefect", "worker", "start"], environ) == (9000, "/health")


def test_worker_of_compose_signs_with_the_key_that_its_settings_name() -> None:
    compose = yaml.safe_load((ROOT / "deployments" / "compose.yaml").read_text(encoding="utf-8"))
    settings = (ROOT / "deployments" / ".env.example").read_text(encoding="utf-8")
    assert compose["services"]["worker"]["environment"][SIGNING_KEY_VARIABLE] is None
    assert f"#{SIGNING_KEY_VARIABLE}=\n" in settings
