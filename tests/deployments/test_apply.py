"""Bringing a server up to what the project says."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolUpdate

from churnlib.settings import list_games
from deployments import apply
from deployments.apply import FOLDER, RUNS_PER_GAME, ensure_pool, limit_queue, main
from deployments.generate import WORK_POOL


@pytest.fixture
def client(prefect_server: object) -> Iterator[SyncPrefectClient]:
    """A client of a server without the work pool."""
    with get_client(sync_client=True) as made:
        yield made
        made.delete_work_pool(WORK_POOL)


def test_pool_is_made_of_the_projects_template(client: SyncPrefectClient) -> None:
    ensure_pool(client, "process")
    made = client.read_work_pool(WORK_POOL)
    wanted = json.loads((FOLDER / "work-pools" / "process.json").read_text())
    assert (made.type, made.base_job_template) == ("process", wanted)


def test_pool_that_is_there_keeps_its_template_unless_it_is_renewed(
    client: SyncPrefectClient, tmp_path: Path
) -> None:
    ensure_pool(client, "process")
    own = client.read_work_pool(WORK_POOL).base_job_template
    own["variables"]["properties"]["env"]["default"] = {"MINE": "1"}
    client.update_work_pool(WORK_POOL, WorkPoolUpdate(base_job_template=own))
    ensure_pool(client, "docker")
    assert client.read_work_pool(WORK_POOL).base_job_template == own
    file = tmp_path / "pool.json"
    file.write_text(json.dumps(own).replace("MINE", "THEIRS"))
    ensure_pool(client, "docker", file, renew=True)
    renewed = client.read_work_pool(WORK_POOL)
    assert renewed.base_job_template == json.loads(file.read_text())
    assert renewed.type == "process"


def test_queue_lets_one_run_of_a_game_through(client: SyncPrefectClient) -> None:
    ensure_pool(client, "process")
    for _ in range(2):  # Again changes nothing.
        for game in list_games():
            limit_queue(client, game)
    queues = {queue.name: queue for queue in client.read_work_queues(work_pool_name=WORK_POOL)}
    assert {queues[game].concurrency_limit for game in list_games()} == {RUNS_PER_GAME}


def test_apply_without_a_server_says_what_to_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Nowhere:
        class api:  # noqa: N801
            url = None

    monkeypatch.setattr(apply, "get_current_settings", lambda: Nowhere)
    assert main([]) == 2
    assert capsys.readouterr().err == "error: name the server in PREFECT_API_URL\n"
