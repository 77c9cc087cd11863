"""Applying this project to a Prefect server."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect.automations import AutomationCore, EventTrigger, Posture
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolUpdate
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.actions import DoNothing
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings

from churnlib.settings import list_games
from deployments import apply
from deployments.apply import (
    FOLDER,
    RUNS_PER_GAME,
    ensure_pool,
    limit_queue,
    main,
)
from deployments.automations import SILENT_SECONDS
from deployments.generate import WORK_POOL
from deployments.leftovers import Applied, report_leftovers
from deployments.work_pools import PROCESS_COMMAND


@pytest.fixture
def client(prefect_server: object) -> Iterator[SyncPrefectClient]:
    """A client of a server without the work pool."""
    with get_client(sync_client=True) as connected:
        yield connected
        connected.delete_work_pool(WORK_POOL)


def test_new_pool_has_the_template_of_the_project(client: SyncPrefectClient) -> None:
    ensure_pool(client, "process")
    pool = client.read_work_pool(WORK_POOL)
    template = json.loads((FOLDER / "work-pools" / "process.json").read_text())
    job = template["job_configuration"]
    assert job["command"] == PROCESS_COMMAND == "python -m flows.engine.run_program"
    job["command"] = f"{sys.executable} -m flows.engine.run_program"
    assert (pool.type, pool.base_job_template) == ("process", template)


def test_existing_pool_keeps_its_template_unless_renewed(
    client: SyncPrefectClient, tmp_path: Path
) -> None:
    ensure_pool(client, "process")
    own = client.read_work_pool(WORK_POOL).base_job_template
    own["job_configuration"]["env"] = {"MINE": "1"}
    client.update_work_pool(WORK_POOL, WorkPoolUpdate(base_job_template=own))
    ensure_pool(client, "docker")
    assert client.read_work_pool(WORK_POOL).base_job_template == own
    file = tmp_path / "pool.json"
    file.write_text(json.dumps(own).replace("MINE", "THEIRS"))
    ensure_pool(client, "docker", file, renew=True)
    renewed = client.read_work_pool(WORK_POOL)
    assert renewed.base_job_template == json.loads(file.read_text())
    assert renewed.type == "process"


def test_queue_runs_one_run_of_a_game_at_a_time(client: SyncPrefectClient) -> None:
    ensure_pool(client, "process")
    for _ in range(2):  # Again changes nothing.
        for game in list_games():
            limit_queue(client, game)
    queues = {queue.name: queue for queue in client.read_work_queues(work_pool_name=WORK_POOL)}
    assert {queues[game].concurrency_limit for game in list_games()} == {RUNS_PER_GAME}


@pytest.fixture
def deployed(client: SyncPrefectClient) -> Callable[[str], UUID]:
    """Deploys a flow of a game as `prefect.yaml` does: with a schedule that is off."""

    def deploy(game: str) -> UUID:
        schedule = DeploymentScheduleCreate(
            slug="train", schedule=CronSchedule(cron="0 2 3 * *"), active=False
        )
        return client.create_deployment(
            client.create_flow_from_name("train"),
            game,
            schedules=[schedule],
            parameters={"game": game},
            work_pool_name=WORK_POOL,
            work_queue_name=game,
        )

    ensure_pool(client, "process")
    return deploy


@pytest.fixture
def automation(client: SyncPrefectClient) -> Iterator[Callable[[str], UUID]]:
    """Makes an automation of a name, switched off; what is left is deleted at the end."""

    def make(name: str) -> UUID:
        core = AutomationCore(
            name=name,
            enabled=False,
            trigger=EventTrigger(
                expect={"x"}, posture=Posture.Reactive, threshold=1, within=timedelta(0)
            ),
            actions=[DoNothing()],
        )
        return client.create_automation(core)

    yield make
    for left in client.read_automations():
        client.delete_automation(left.id)


def test_removed_game_remains_until_pruned(
    client: SyncPrefectClient,
    deployed: Callable[[str], UUID],
    automation: Callable[[str], UUID],
    capsys: pytest.CaptureFixture[str],
) -> None:
    gone, stays = deployed("hawk"), deployed("dove")
    for name in ("hawk: is trained", "dove: is trained"):
        automation(name)
    capsys.readouterr()
    applied = Applied(["dove"], [stays], ["dove: is trained"])
    report_leftovers(client, applied, prune=False)
    assert capsys.readouterr().out.splitlines() == [
        f"{what} is of a removed game or an older version: remains; --prune removes it"
        for what in ("automation hawk: is trained", "deployment train/hawk")
    ]
    assert client.read_deployment(gone).name == "hawk"

    report_leftovers(client, applied, prune=True)
    with pytest.raises(ObjectNotFound):
        client.read_deployment(gone)
    assert client.read_deployment(stays).work_queue_name == "dove"
    queues = {queue.name for queue in client.read_work_queues(work_pool_name=WORK_POOL)}
    assert ("hawk" in queues, "dove" in queues) == (False, True)
    assert not client.read_automations_by_name("hawk: is trained")
    assert client.read_automations_by_name("dove: is trained")


def test_pruning_keeps_deployments_without_a_game(
    client: SyncPrefectClient, deployed: Callable[[str], UUID]
) -> None:
    flow = client.create_flow_from_name("report")
    other = client.create_deployment(flow, "nightly", work_pool_name=WORK_POOL)
    report_leftovers(client, Applied([], [], []), prune=True)
    assert client.read_deployment(other).name == "nightly"


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:9/api", "127.0.0.1:9/api"])
def test_apply_without_a_server_names_the_variable_to_set(
    url: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with temporary_settings({PREFECT_API_URL: url}):
        assert main([]) == 2
    (message,) = capsys.readouterr().err.splitlines()
    assert message.startswith(
        f"error: {url} does not answer" if url else "error: no server is configured"
    )
    assert "PREFECT_API_URL" in message


def test_apply_names_the_address_that_is_not_a_server(
    prefect_server: object, capsys: pytest.CaptureFixture[str]
) -> None:
    url = str(get_current_settings().api.url).removesuffix("/api") + "/none"
    with temporary_settings({PREFECT_API_URL: url}):
        assert main([]) == 2
    (message,) = capsys.readouterr().err.splitlines()
    assert message.startswith(f"error: {url} does not answer as a Prefect server")


def test_apply_with_an_outdated_prefect_yaml_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(apply, "prefect_yaml", lambda: "name: other\n")
    monkeypatch.setattr(apply, "connected", None)  # It does not come to that.
    assert main([]) == 2
    message = "error: prefect.yaml is out of date with games/. Write it again: make deployments\n"
    assert capsys.readouterr().err == message


def test_apply_names_the_error_of_a_game(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(FOLDER.parent / "games", tmp_path / "games")
    (tmp_path / "games" / "hawk.toml").write_text("nonsense = 1\n")
    monkeypatch.chdir(tmp_path)
    assert main([]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: hawk: ")
    assert "nonsense" in message


def test_silent_seconds_are_passed_to_the_automations(
    client: SyncPrefectClient, deployed: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[int] = []

    def automations(find: object, silent_seconds: int) -> list[AutomationCore]:
        handed.append(silent_seconds)
        return []

    monkeypatch.setattr(apply, "deployments", list)
    monkeypatch.setattr(apply, "automations", automations)
    assert main(["--silent-seconds", "300"]) == 0
    assert main([]) == 0
    assert handed == [300, SILENT_SECONDS]


@pytest.mark.parametrize("word", ["59", "-1", "1.5", "long"])
def test_invalid_silent_seconds_are_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--silent-seconds", word])
    assert ended.value.code == 2
    assert f"'{word}' is not a whole number of at least 60" in capsys.readouterr().err
