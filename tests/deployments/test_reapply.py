"""Applying the project to a server again: after changes of the files, manual changes, and kills."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect.client.base import PrefectHttpxSyncClient
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.exceptions import ObjectNotFound

from churnlib.settings import Schedules
from deployments import apply, automations
from deployments.apply import main
from deployments.generate import WORK_POOL, deployment
from deployments.write_automations import is_applied

pytestmark = pytest.mark.slow

GAME = "game2"
PREDICT, SCORE = f"batch-predict/{GAME}", f"score/{GAME}"
TRIGGER = f"{GAME}: a new model is back-tested"
AGAIN = f"{GAME}: a run that lacked late tables is tried again the next day"


class Killed(BaseException):
    """The end of a process that nothing can catch."""


class Project:
    """A project of one game and three deployments, and the server that it is applied to."""

    def __init__(self, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client = client
        self.schedules = Schedules(active=True)
        self.names: tuple[str, ...] = ("batch_predict", "score", "train")
        monkeypatch.setattr(apply, "check_yaml", lambda: None)
        monkeypatch.setattr(apply, "list_games", lambda: [GAME])
        monkeypatch.setattr(apply, "deployments", self._deployments)
        monkeypatch.setattr(apply, "automations", self._automations)
        monkeypatch.setattr(automations, "_is_active", lambda _: self.schedules.active)

    def _deployments(self) -> Iterator[dict[str, Any]]:
        for name in self.names:
            yield deployment(GAME, f"flows.{name}", name, self.schedules)

    def _automations(self, find: Callable[[str], UUID], seconds: int) -> Iterator[Any]:
        yield automations.crash_silent_runs(seconds)
        yield automations.try_again_when_late(GAME)

    def apply(self, *arguments: str) -> None:
        assert main(list(arguments)) == 0

    def deployment(self, name: str) -> DeploymentResponse:
        return self.client.read_deployment_by_name(name)

    def automation(self, name: str) -> Automation:
        (found,) = self.client.read_automations_by_name(name)
        return found

    def change(self, one: DeploymentResponse, **fields: Any) -> None:
        """Changes a deployment as Prefect's page does."""
        self.client.request("PATCH", "/deployments/{id}", path_params={"id": one.id}, json=fields)

    def cron(self, name: str) -> str:
        """The cron expression of the only schedule of a deployment."""
        (one,) = self.deployment(name).schedules
        assert isinstance(one.schedule, CronSchedule)
        return one.schedule.cron

    def switches(self) -> dict[str, bool]:
        """Whether each schedule, deployment and automation is on."""
        deployed = [self.deployment(f"{name.replace('_', '-')}/{GAME}") for name in self.names]
        return {
            **{f"{one.id}": not one.paused for one in deployed},
            **{f"{one.id} {s.slug}": s.active for one in deployed for s in one.schedules},
            **{one.name: one.enabled for one in self.client.read_automations()},
        }

    def switch_schedule(self, name: str, active: bool) -> None:
        one = self.deployment(name)
        (schedule,) = one.schedules
        self.client.update_deployment_schedule(one.id, schedule.id, active=active)


@pytest.fixture
def project(prefect_server: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with get_client(sync_client=True) as client:
        yield Project(client, monkeypatch)
        for one in client.read_deployments():
            client.delete_deployment(one.id)
        for automation in client.read_automations():
            client.delete_automation(automation.id)
        client.delete_work_pool(WORK_POOL)


def test_applying_again_writes_nothing(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.apply()
    created = capsys.readouterr().out
    assert created.count("deployment ") == created.count("automation ") == 3
    assert created.count(": created") == 8  # The pool and the queue as well.
    project.apply()
    again = capsys.readouterr().out
    assert again.count(": unchanged") == 6
    assert "updated" not in again
    assert "manually" not in again


def test_files_switch_off_what_they_switched_on(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    for active in (True, False, True):
        project.schedules = Schedules(active=active)
        project.apply()
        assert [one.active for one in project.deployment(PREDICT).schedules] == [active]
        assert project.automation(TRIGGER).enabled is active
        assert project.automation(AGAIN).enabled is active
    assert "manually" not in capsys.readouterr().out


def test_what_was_paused_manually_stays_paused(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.apply()
    project.client.pause_deployment(project.deployment(SCORE).id)
    project.switch_schedule(PREDICT, active=False)
    project.client.pause_automation(project.automation(TRIGGER).id)
    capsys.readouterr()
    # Its times are changed, so it is written.
    project.schedules = Schedules(active=True, batch_predict="30 5 2 * *")
    project.apply()
    assert project.cron(PREDICT) == "30 5 2 * *"
    assert [one.active for one in project.deployment(PREDICT).schedules] == [False]
    assert project.deployment(SCORE).paused
    assert not project.automation(TRIGGER).enabled
    assert project.automation(AGAIN).enabled
    told = [line for line in capsys.readouterr().out.splitlines() if "manually" in line]
    assert told == [
        f"schedule batch-predict of {PREDICT} stays off, because it was switched off manually",
        f"deployment {SCORE} stays paused, because it was paused manually",
        f"automation {TRIGGER} stays off, because it was switched off manually",
    ]


def test_what_was_added_manually_stays(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.apply()
    one = project.deployment(PREDICT)
    daily = DeploymentScheduleCreate(
        slug="daily", schedule=CronSchedule(cron="0 1 * * *"), parameters={"refresh": True}
    )
    unnamed = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=timedelta(hours=5)))
    project.client.create_deployment_schedules(one.id, [daily, unnamed])
    project.change(one, job_variables={"name": "x"})
    project.schedules = Schedules(active=False)
    capsys.readouterr()
    project.apply()
    schedules = {s.slug: s for s in project.deployment(PREDICT).schedules}
    assert {slug: s.active for slug, s in schedules.items()} == {
        "batch-predict": False,
        "daily": True,
        None: True,
    }
    assert schedules["daily"].parameters == {"refresh": True}
    assert schedules[None].schedule == unnamed.schedule
    assert project.deployment(PREDICT).job_variables == {"name": "x"}
    assert capsys.readouterr().out.count("because it was added manually") == 2


def test_schedule_that_was_removed_manually_stays_away(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.apply()
    one = project.deployment(PREDICT)
    project.client.delete_deployment_schedule(one.id, one.schedules[0].id)
    project.apply()
    assert project.deployment(PREDICT).schedules == []
    assert "because it was removed manually" in capsys.readouterr().out


def test_parameters_and_definitions_that_were_changed_manually_stay(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.apply()
    own = {"game": GAME, "refresh": True}
    one = project.deployment(SCORE)
    project.change(one, parameters=own)
    automation = project.automation(AGAIN)
    fields = automation.model_dump(exclude={"owner_resource"}) | {"description": "Mine."}
    project.client.update_automation(automation.id, AutomationCore.model_validate(fields))
    project.schedules = Schedules(active=False)
    capsys.readouterr()
    project.apply()
    assert project.deployment(SCORE).parameters == own
    again = project.automation(AGAIN)
    assert (again.description, again.enabled) == ("Mine.", False)
    told = capsys.readouterr().out
    assert f"parameters of {SCORE} stays as it was changed manually: {own!r}" in told
    assert f"automation {AGAIN} keeps the definition that was changed manually" in told


def test_what_an_older_version_applied_keeps_its_switches(project: Project) -> None:
    project.apply()
    for name in (PREDICT, SCORE):
        one = project.deployment(name)
        project.client.request(
            "POST",
            "/deployments/",
            json={
                **one.model_dump(mode="json", include={"flow_id", "name", "tags", "parameters"}),
                "labels": {},
                "work_pool_name": WORK_POOL,
                "schedules": [
                    s.model_dump(mode="json", include={"slug", "schedule", "active"})
                    for s in one.schedules
                ],
            },
        )
    project.switch_schedule(PREDICT, active=False)
    project.apply()
    assert [s.active for s in project.deployment(PREDICT).schedules] == [False]
    project.schedules = Schedules(active=False)
    project.apply()
    project.schedules = Schedules(active=True)
    project.apply()
    assert [s.active for s in project.deployment(PREDICT).schedules] == [True]


def test_names_of_older_versions_remain_until_pruned(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.apply()
    project.names = ("batch_predict", "train")  # `score` is gone, and its trigger.
    project.apply()
    told = capsys.readouterr().out
    for what in (f"deployment {SCORE}", f"automation {TRIGGER}"):
        assert (
            f"{what} is of a removed game or an older version: remains; --prune removes it" in told
        )
    assert project.deployment(SCORE)
    project.apply("--prune")
    with pytest.raises(ObjectNotFound):
        project.deployment(SCORE)
    assert {one.name for one in project.client.read_automations() if is_applied(one)} == {
        AGAIN,
        "a run whose heartbeat has stopped is marked as crashed",
    }


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, bool], None]]:
    """Kills the process at its n-th request: before it is sent, or when it has been answered."""
    send = PrefectHttpxSyncClient.send
    state = {"left": -1, "sent": True}

    def count(client: PrefectHttpxSyncClient, *args: Any, **named: Any) -> httpx.Response:
        state["left"] -= 1
        if state["left"] == -1 and not state["sent"]:
            raise Killed
        answer = send(client, *args, **named)
        if state["left"] == -1:
            raise Killed
        return answer

    def at(request: int, sent: bool) -> None:
        state.update(left=request, sent=sent)

    monkeypatch.setattr(PrefectHttpxSyncClient, "send", count)
    yield at
    at(-2, True)


@pytest.mark.parametrize("sent", [False, True])
def test_apply_that_is_killed_at_any_request_switches_nothing_off(
    project: Project, kill: Callable[[int, bool], None], sent: bool
) -> None:
    files = [
        Schedules(active=True, batch_predict=cron, train=cron)
        for cron in ("0 6 2 * *", "0 5 4 * *")
    ]
    project.names = ("batch_predict", "score")
    project.schedules = files[0]
    project.apply()
    paused = project.automation(AGAIN)
    project.client.pause_automation(paused.id)
    expected = project.switches()
    assert list(expected.values()).count(False) == 1
    for request in range(100):
        project.schedules = files[(request + 1) % 2]
        kill(request, sent)
        try:
            project.apply()
        except Killed:
            kill(-2, True)
            assert project.switches() == expected
            project.apply()
            assert project.switches() == expected
            assert project.cron(PREDICT) == project.schedules.batch_predict
        else:
            break
    kill(-2, True)
    assert 10 < request < 99
