"""Brings a Prefect server up to what this folder says: `python -m deployments.apply`.

Makes the work pool and a queue for each game, deploys all of `prefect.yaml`, and writes the
automations. Doing it again changes nothing but what has changed here; a work pool that is there
keeps its type, and its template unless that is to be renewed.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from churnlib.settings import list_games
from deployments.automations import automations
from deployments.generate import WORK_POOL

FOLDER = Path(__file__).parent
RUNS_PER_GAME = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: The arguments; those of this process if null.

    Returns:
        The exit status: 0 done, 2 no server is configured, else that of `prefect deploy`.
    """
    parser = argparse.ArgumentParser(
        prog="python -m deployments.apply",
        description="Bring a Prefect server up to prefect.yaml: pool, queues, automations.",
    )
    parser.add_argument(
        "--type", default="process", choices=["process", "docker", "kubernetes"],
        help="the type of the work pool, where it is not there yet (default: process)",
    )  # fmt: skip
    parser.add_argument(
        "--template", type=Path, metavar="FILE",
        help="the pool's base job template (default: that of the type in deployments/work-pools)",
    )  # fmt: skip
    parser.add_argument(
        "--renew", action="store_true", help="give a pool that is there already the template, too"
    )
    args = parser.parse_args(argv)
    if not (url := get_current_settings().api.url):
        print("error: name the server in PREFECT_API_URL", file=sys.stderr)
        return 2
    print(f"server {url}", flush=True)
    with get_client(sync_client=True) as client:
        ensure_pool(client, args.type, args.template, renew=args.renew)
        for game in list_games():
            limit_queue(client, game)
        deployed = subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
            cwd=FOLDER.parent,
            check=False,
        )
        if deployed.returncode == 0:
            write_automations(client)
    return deployed.returncode


def ensure_pool(
    client: SyncPrefectClient, pool_type: str, template: Path | None = None, *, renew: bool = False
) -> None:
    """Makes the work pool where it is not there yet.

    Args:
        client: The server.
        pool_type: The type of a new pool.
        template: The base job template; this project's own of the pool's type if null.
        renew: Give it to a pool that is there already, too.
    """
    try:
        found = client.read_work_pool(WORK_POOL)
    except ObjectNotFound:
        job = _job(template, pool_type)
        client.create_work_pool(
            WorkPoolCreate(name=WORK_POOL, type=pool_type, base_job_template=job)
        )
        print(f"work pool {WORK_POOL}: made, of type {pool_type}")
        return
    if renew:
        job = _job(template, found.type)
        client.update_work_pool(WORK_POOL, WorkPoolUpdate(base_job_template=job))
    print(f"work pool {WORK_POOL}: there, of type {found.type}{', renewed' if renew else ''}")


def _job(template: Path | None, pool_type: str) -> dict[str, Any]:
    file = template or FOLDER / "work-pools" / f"{pool_type}.json"
    job: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return job


def limit_queue(client: SyncPrefectClient, game: str) -> None:
    """Lets one run of a game at a time through its queue; the others wait."""
    try:
        queue = client.read_work_queue_by_name(game, work_pool_name=WORK_POOL)
        client.update_work_queue(queue.id, concurrency_limit=RUNS_PER_GAME)
    except ObjectNotFound:
        client.create_work_queue(game, concurrency_limit=RUNS_PER_GAME, work_pool_name=WORK_POOL)
    print(f"work queue {game}: {RUNS_PER_GAME} run at a time")


def write_automations(client: SyncPrefectClient) -> None:
    """Writes the automations, over those of the same name."""
    for automation in automations(lambda name: client.read_deployment_by_name(name).id):
        found = client.read_automations_by_name(automation.name)
        if found:
            client.update_automation(found[0].id, automation)
        else:
            client.create_automation(automation)
        print(f"automation {automation.name}: {'on' if automation.enabled else 'waits'}")


if __name__ == "__main__":
    raise SystemExit(main())
