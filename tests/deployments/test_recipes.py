"""The compose file, the CI recipes and the scripts, each checked by its schema or linter."""

import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.settings import get_current_settings

from churnlib.settings import load_settings
from deployments.generate import WORK_POOL
from flows import COMPOSITES, FLOWS
from flows.cli.server import LEASES_ON_DISK
from flows.engine.run_watcher import WORKER_SECONDS
from tests.flows.studio import ROOT
from tests.hostile import NAMES, RAW

FOLDER = ROOT / "deployments"
TOOLS = Path(sys.executable).parent


def read(path: str) -> Any:
    return yaml.safe_load((FOLDER / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("compose-spec", "compose.yaml"),
        ("compose-spec", "compose.dask.yaml"),
        ("github-workflows", "ci/github-checks.yml"),
        ("github-workflows", "ci/github-run-deployment.yml"),
        ("gitlab-ci", "ci/gitlab-ci.yml"),
    ],
)
def test_recipe_fits_its_schema(schema: str, path: str) -> None:
    command = [
        str(TOOLS / "check-jsonschema"),
        "--builtin-schema",
        f"vendor.{schema}",
        str(FOLDER / path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", sorted(FOLDER.rglob("*.sh")), ids=lambda path: path.name)
def test_script_passes_its_linter(script: Path) -> None:
    done = subprocess.run(
        [TOOLS / "shellcheck", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert script.stat().st_mode & 0o111, f"{script} is not executable"


def test_compose_opens_ports_only_on_this_machine() -> None:
    services = read("compose.yaml")["services"]
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports == ["${PREFECT_ADDRESS:-127.0.0.1:4200}:4200"]


def test_compose_contains_no_secret() -> None:
    services = read("compose.yaml")["services"]
    secrets = [
        value
        for service in services.values()
        for name, value in service.get("environment", {}).items()
        if name.endswith(("PASSWORD", "AUTH_STRING"))
    ]
    assert len(secrets) > 3
    assert [value for value in secrets if not value.startswith("${")] == []
    example = (FOLDER / ".env.example").read_text(encoding="utf-8").splitlines()
    assert {line for line in example if line and not line.startswith("#")} == {
        "POSTGRES_PASSWORD=",
        "PREFECT_AUTH=",
    }


@pytest.mark.parametrize("file", ["compose.yaml", "compose.dask.yaml"])
def test_compose_services_are_confined(file: str) -> None:
    confined = [service for service in read(file)["services"].values() if "image" in service]
    assert len(confined) > 1
    for service in confined:
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["read_only"] is True
        folders = {folder.partition(":")[0] for folder in service["tmpfs"]}
        assert folders <= {"/tmp", "/home/churn", "/run/postgresql"}
        assert "privileged" not in service
        assert "user" not in service


def test_compose_keeps_the_leases_of_runs_on_a_volume() -> None:
    compose = read("compose.yaml")
    server = compose["services"]["server"]
    storage = server["environment"]["PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"]
    module = importlib.import_module(storage)
    # It writes to Prefect's home.
    assert module.ConcurrencyLeaseStorage().storage_path.parent == get_current_settings().home
    assert server["volumes"] == ["server:/home/churn/.prefect"]
    assert "server" in compose["volumes"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    settings = project["tool"]["prefect"]
    assert settings["server"]["concurrency"]["lease_storage"] == storage == LEASES_ON_DISK


def test_compose_worker_waits_until_its_runs_are_marked() -> None:
    worker = read("compose.yaml")["services"]["worker"]
    assert worker["command"][:5] == ["python", "/app/supervise.py", "prefect", "worker", "start"]
    seconds = int(worker["stop_grace_period"].removesuffix("s"))
    assert seconds > WORKER_SECONDS * 2


def test_compose_worker_polls_the_pool_of_the_deployments() -> None:
    services = read("compose.yaml")["services"]
    worker = services["worker"]["command"]
    assert worker[worker.index("--pool") + 1] == WORK_POOL
    assert worker[worker.index("--type") + 1] == "process"
    assert services["deploy"]["command"][:3] == ["python", "-m", "deployments.apply"]


def test_dask_workers_have_one_thread_and_the_data_of_the_runs() -> None:
    services, others = read("compose.dask.yaml")["services"], read("compose.yaml")["services"]
    worker, run = services["dask-worker"], services["worker"]["environment"]
    command = worker["command"]
    assert command[2] == run["CHURN_ENGINE__SCHEDULER"]
    assert command[command.index("--nthreads") + 1] == worker["environment"]["POLARS_MAX_THREADS"]
    # Their tasks keep no results.
    assert worker["volumes"] == others["worker"]["volumes"][:1]
    assert {service.get("image") for service in services.values()} - {None} == {
        others["worker"]["image"]
    }
    assert [name for name, service in services.items() if "ports" in service] == []
    settings = load_settings("game1", environ=run, local=False).engine
    assert (settings.runner, settings.scheduler) == ("dask", run["CHURN_ENGINE__SCHEDULER"])


def test_github_recipe_offers_every_flow() -> None:
    # `on` is a yes to YAML 1.1.
    inputs = read("ci/github-run-deployment.yml")[True]["workflow_dispatch"]["inputs"]
    flows = {*FLOWS, *(f"{name}_from_raw" for name in COMPOSITES), "backfill"}
    assert set(inputs["flow"]["options"]) == {flow.replace("_", "-") for flow in flows}


PREFECT = """#!/usr/bin/env bash
printf '%s\\n' "$LOG"
exit "${STATUS:-0}"
"""


def run_in_ci(folder: Path, log: str, **environment: str) -> tuple[str, str, int]:
    """Runs the script with a program in place of Prefect's that prints a log.

    Returns:
        Its output, its summary, and its exit status.
    """
    program, summary = folder / "prefect", folder / "summary.md"
    program.write_text(PREFECT)
    program.chmod(0o755)
    variables = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PREFECT_API_URL": "http://127.0.0.1:1/api",
        "DEPLOYMENT": "train/game1",
        "SUMMARY": str(summary),
        "LOG": log,
    }
    done = subprocess.run(
        [FOLDER / "ci/run_deployment.sh"],
        env=variables | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout, summary.read_text(), done.returncode


def test_names_in_the_log_cannot_leave_the_summary_of_ci(tmp_path: Path) -> None:
    log = "\n".join((*NAMES.values(), "```", "# owned", "Zoë"))
    output, summary, status = run_in_ci(tmp_path, log, DEPLOYMENT="train/game1\n<b>", STATUS="3")
    title, _, fence, *inside, end = summary.splitlines()
    assert (title, status) == ("## train/game1b: failed (exit status 3)", 3)
    assert fence == end == "`````"
    assert not any(line.startswith(fence) for line in inside)
    for text in (output, summary):
        assert not RAW.search(text)
        assert "Zoë" in text
        assert "エルフ" in text


def test_names_in_the_log_are_no_commands_of_github(tmp_path: Path) -> None:
    output, _, status = run_in_ci(tmp_path, NAMES["command"], GITHUB_ACTIONS="true")
    first, command, last = output.splitlines()
    stop, word = first[:17], first[17:]
    assert (stop, command, last, status) == (
        "::stop-commands::",
        NAMES["command"],
        f"::{word}::",
        0,
    )
    assert re.fullmatch("[0-9a-f]{32}", word)
    assert run_in_ci(tmp_path, "", GITHUB_ACTIONS="true")[0].splitlines()[0] != first
