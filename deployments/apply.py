"""Brings a Prefect server up to what this folder says: `python -m deployments.apply`.

Makes the work pool and a queue for each game, deploys all of `prefect.yaml`, and writes the
automations. Doing it again changes nothing but what has changed here; a work pool that is there
keeps its type, and its template unless that is to be renewed; a schedule or an automation that was
switched on by hand stays on.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from churnlib.errors import ChurnlibError, SettingsError
from churnlib.settings import list_games
from deployments.automations import SILENT_SECONDS, automations
from deployments.generate import WORK_POOL, prefect_yaml
from deployments.state import keep_on, switched_on, tell_removed_games

FOLDER = Path(__file__).parent
RUNS_PER_GAME = 1
SHORTEST_SILENCE = 60
"""Seconds. A worker's runs beat every 30; one beat may come late."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: The arguments; those of this process if null.

    Returns:
        The exit status: 0 done, 2 the server, the games or the call is at fault, else that of
        `prefect deploy`.
    """
    args = _parser().parse_args(argv)
    try:
        return bring_up(args)
    except ChurnlibError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deployments.apply",
        description="Bring a Prefect server up to prefect.yaml: pool, queues, automations.",
    )
    parser.add_argument(
        "--type", default="process", choices=["process", "docker", "kubernetes"],
        help="the type of the work pool, where it is not there yet (default: process)",
    )  # fmt: skip
    parser.add_argument(
        "--template", type=_file, metavar="FILE",
        help="the pool's base job template (default: that of the type in deployments/work-pools)",
    )  # fmt: skip
    parser.add_argument(
        "--renew", action="store_true", help="give a pool that is there already the template, too"
    )
    parser.add_argument(
        "--prune", action="store_true",
        help="remove deployments, automations and queue of what is no game any more",
    )  # fmt: skip
    parser.add_argument(
        "--silent-seconds", type=_seconds, default=SILENT_SECONDS, metavar="N",
        help="how long a run may be silent until it is marked as crashed (default: %(default)s)",
    )  # fmt: skip
    return parser


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return Path(text)


def _seconds(text: str) -> int:
    with suppress(ValueError):
        if int(text) >= SHORTEST_SILENCE:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {SHORTEST_SILENCE}")


def bring_up(args: argparse.Namespace) -> int:
    """Does all that there is to do.

    Args:
        args: What the command line says.

    Returns:
        The exit status of `prefect deploy`.

    Raises:
        ChurnlibError: `prefect.yaml` is not what the games say, or a game or the server is at
            fault.
    """
    games = list_games()
    check_yaml()
    with connected() as client:
        ensure_pool(client, args.type, args.template, renew=args.renew)
        for game in games:
            limit_queue(client, game)
        on = switched_on(client)
        try:
            status = deploy()
            if status == 0:
                write_automations(client, args.silent_seconds)
        finally:  # Half a deployment has switched off, too.
            keep_on(client, on)
        if status == 0:
            tell_removed_games(client, games, prune=args.prune)
    return status


def check_yaml() -> None:
    """Holds `prefect.yaml` against the games.

    Raises:
        ChurnlibError: It says something else, or a game is at fault.
    """
    file = FOLDER.parent / "prefect.yaml"
    if not file.is_file() or file.read_text(encoding="utf-8") != prefect_yaml():
        raise SettingsError("prefect.yaml is not what the games say: make deployments")


@contextmanager
def connected() -> Iterator[SyncPrefectClient]:
    """Gives a client of the server, which is known to answer.

    Raises:
        SettingsError: No server is configured, or what is does not answer as one.
    """
    if not (url := get_current_settings().api.url):
        raise SettingsError("name the server in PREFECT_API_URL")
    print(f"server {url}", flush=True)
    try:
        with get_client(sync_client=True) as client:
            _check_server(client)
            yield client
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        what = re.split(r"\n| - ", str(error))[0]  # Then come links to pages about the status.
        raise SettingsError(
            f"{url} does not answer as a Prefect server: {what}. Is it running, and is "
            "PREFECT_API_URL right, which ends in /api?"
        ) from error


def _check_server(client: SyncPrefectClient) -> None:
    try:
        client.raise_for_api_version_mismatch()
    except RuntimeError as error:  # Prefect's word for whatever stood in the way.
        raise httpx.RequestError(str(error.__cause__ or error)) from error


def deploy() -> int:
    """Deploys all of `prefect.yaml`; returns the exit status."""
    deployed = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=FOLDER.parent,
        check=False,
    )
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


def write_automations(client: SyncPrefectClient, silent_seconds: int = SILENT_SECONDS) -> None:
    """Writes the automations, over those of the same name.

    Args:
        client: The server.
        silent_seconds: How long a run may be silent until it is marked as crashed.
    """
    for automation in automations(
        lambda name: client.read_deployment_by_name(name).id, silent_seconds
    ):
        found = client.read_automations_by_name(automation.name)
        if found:
            client.update_automation(found[0].id, automation)
        else:
            client.create_automation(automation)
        print(f"automation {automation.name}: {'on' if automation.enabled else 'waits'}")


if __name__ == "__main__":
    raise SystemExit(main())
