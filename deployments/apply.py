"""Applies this folder to a Prefect server: `python -m deployments.apply`.

Creates the work pool and a queue per game, deploys everything in `prefect.yaml`, and writes the
automations. It may be applied again, and be interrupted, at any time: it changes only what the
files changed since it was last applied; what was paused, switched or added manually stays. An
existing work pool keeps its type, and its template unless --renew is given.
"""

import argparse
import json
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect.automations import AutomationCore
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from churnlib.errors import ChurnlibError, SettingsError
from churnlib.settings import list_games
from churnlib.shown import masked
from deployments.automations import SILENT_SECONDS, automations
from deployments.generate import WORK_POOL, deployments, prefect_yaml, schedule_warnings
from deployments.leftovers import Applied, report_leftovers
from deployments.work_pools import PROCESS_COMMAND
from deployments.write_automations import triggers, write_automations
from deployments.write_deployments import write_deployment
from flows.cli.stop import Stopped, stoppable
from flows.engine.prefect_home import check_password

FOLDER = Path(__file__).parent
RUNS_PER_GAME = 1
SHORTEST_SILENCE = 60
"""Seconds. A worker's runs send a heartbeat every 30 seconds; one may be late."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: The arguments; those of this process if None.

    Returns:
        The exit status: 0 done, 2 the server, the games or the arguments are at fault; else see
        `flows.cli.stop`.
    """
    args = _parser().parse_args(argv)
    try:
        with stoppable():
            apply(args)
    except Stopped as stop:
        print(f"{stop}; apply again to finish", file=sys.stderr)
        return stop.status
    except ChurnlibError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deployments.apply",
        description="Apply prefect.yaml to a Prefect server: pool, queues and deployments.",
    )
    parser.add_argument(
        "--type", default="process", choices=["process", "docker", "kubernetes"],
        help="the type of a new work pool (default: process)",
    )  # fmt: skip
    parser.add_argument(
        "--template", type=_file, metavar="FILE",
        help="the base job template of the pool (default: deployments/work-pools/<type>.json)",
    )  # fmt: skip
    parser.add_argument(
        "--renew", action="store_true", help="also update the template of an existing pool"
    )
    parser.add_argument(
        "--prune", action="store_true",
        help="remove what is left of removed games and of older versions of this project",
    )  # fmt: skip
    parser.add_argument(
        "--silent-seconds", type=_seconds, default=SILENT_SECONDS, metavar="N",
        help="seconds without a heartbeat after which a run is marked as crashed "
        "(default: %(default)s)",
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
    raise argparse.ArgumentTypeError(
        f"{text!r} is not a whole number of at least {SHORTEST_SILENCE}"
    )


def apply(args: argparse.Namespace) -> None:
    """Applies the folder.

    Args:
        args: The parsed arguments.

    Raises:
        ChurnlibError: `prefect.yaml` is out of date, or a game or the server is at fault.
    """
    games = list_games()
    check_yaml()
    for warning in schedule_warnings():
        print(warning, file=sys.stderr)
    with connected() as client:
        ensure_pool(client, args.type, args.template, renew=args.renew)
        for game in games:
            limit_queue(client, game)
        ids: dict[str, UUID] = {}
        said: list[AutomationCore] = []
        for entry in deployments():
            name, ids[name] = write_deployment(client, entry)
            said += triggers(entry, ids[name])
        said += automations(ids.__getitem__, args.silent_seconds)
        names = write_automations(client, said)
        report_leftovers(client, Applied(games, {*ids.values()}, names), prune=args.prune)


def check_yaml() -> None:
    """Checks that `prefect.yaml` is up to date.

    Raises:
        ChurnlibError: It is out of date, or a game is at fault.
    """
    file = FOLDER.parent / "prefect.yaml"
    if not file.is_file() or file.read_text(encoding="utf-8") != prefect_yaml():
        raise SettingsError(
            "prefect.yaml is out of date with games/. Write it again: make deployments"
        )


@contextmanager
def connected() -> Iterator[SyncPrefectClient]:
    """Yields a client of the server, after checking that it answers.

    Raises:
        SettingsError: No server is configured, or it does not answer as a Prefect server.
        ServerError: It asks for another password.
    """
    server = get_current_settings().api
    if not (url := server.url):
        raise SettingsError(
            "no server is configured. Set PREFECT_API_URL, or PREFECT_PROFILE=churn for the server "
            "of `churn server`."
        )
    print(masked(f"server {url}"), flush=True)
    if server.key is None:
        check_password(url, server.auth_string.get_secret_value() if server.auth_string else "")
    try:
        with get_client(sync_client=True) as client:
            _check_server(client)
            yield client
    except httpx.HTTPStatusError as error:
        answer = error.response
        raise SettingsError(
            f"{url} refused a request to {answer.request.url.path}: {answer.status_code} "
            f"{answer.text[:500]}"
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        what = re.split(r"\n| - ", str(error))[0]  # The rest is links about the status.
        raise SettingsError(
            f"{url} does not answer as a Prefect server: {what}. Check that it is running, "
            "and that PREFECT_API_URL is right and ends in /api."
        ) from error


def _check_server(client: SyncPrefectClient) -> None:
    try:
        client.raise_for_api_version_mismatch()
    except RuntimeError as error:  # Prefect raises it for every cause.
        raise httpx.RequestError(str(error.__cause__ or error)) from error


def ensure_pool(
    client: SyncPrefectClient, pool_type: str, template: Path | None = None, *, renew: bool = False
) -> None:
    """Creates the work pool if it does not exist.

    Args:
        client: The server.
        pool_type: The type of a new pool.
        template: The base job template; None for this project's template of the pool's type.
        renew: Also update the template of an existing pool.
    """
    try:
        pool = client.read_work_pool(WORK_POOL)
    except ObjectNotFound:
        job = _job(template, pool_type)
        client.create_work_pool(
            WorkPoolCreate(name=WORK_POOL, type=pool_type, base_job_template=job)
        )
        print(f"work pool {WORK_POOL}: created, type {pool_type}")
        return
    if renew:
        job = _job(template, pool.type)
        client.update_work_pool(WORK_POOL, WorkPoolUpdate(base_job_template=job))
    print(f"work pool {WORK_POOL}: exists, type {pool.type}{', renewed' if renew else ''}")


def _job(template: Path | None, pool_type: str) -> dict[str, Any]:
    file = template or FOLDER / "work-pools" / f"{pool_type}.json"
    job: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    configuration = job.get("job_configuration", {})
    if configuration.get("command") == PROCESS_COMMAND:
        # A worker need not have it on its path.
        command = PROCESS_COMMAND.split()[1:]
        configuration["command"] = shlex.join([sys.executable, *command])
    return job


def limit_queue(client: SyncPrefectClient, game: str) -> None:
    """Limits a game's queue to one run at a time; the others wait."""
    limit = f"{RUNS_PER_GAME} run at a time"
    try:
        queue = client.read_work_queue_by_name(game, work_pool_name=WORK_POOL)
    except ObjectNotFound:
        client.create_work_queue(game, concurrency_limit=RUNS_PER_GAME, work_pool_name=WORK_POOL)
        print(f"work queue {game}: created, {limit}")
        return
    if queue.concurrency_limit != RUNS_PER_GAME:
        client.update_work_queue(queue.id, concurrency_limit=RUNS_PER_GAME)
        limit += f", in place of {queue.concurrency_limit}"
    print(f"work queue {game}: exists, {limit}")
    if queue.is_paused:
        print(f"work queue {game} stays paused, because it was paused manually")


if __name__ == "__main__":
    raise SystemExit(main())
