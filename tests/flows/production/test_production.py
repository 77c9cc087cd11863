"""Deployed flows as production runs them: server, worker, schedule, triggers, kills and cancels.

On SQLite, and on PostgreSQL where it is installed.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.flows.models import champion
from tests.flows.production.site import (
    SILENT_SECONDS,
    Site,
    postgres,
    postgres_programs,
    site,
    wait_for,
)
from tests.flows.studio import BATCH_DAY, Snapshot, Studio, bits, new_studio

pytestmark = pytest.mark.slow

GAME = "game2"
TRAIN = f"train-from-raw/{GAME}"
SCORE = f"score/{GAME}"
SMALL = {"CHURN_TRAIN__PIPELINE__MODEL__PARAMS__N_ESTIMATORS": "20"}
ENDLESS = {"train.pipeline.model.params.n_estimators": 1_000_000}
"""Settings of a training that does not end by itself within a test."""
END_STATES = {"Completed", "Failed", "Cancelled", "Crashed"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A site on each database, without a worker."""
    folder = tmp_path_factory.mktemp("site")
    if request.param == "sqlite":
        with site(folder, None) as started:
            yield started
        return
    if (programs := postgres_programs()) is None:
        pytest.skip("PostgreSQL is not installed")
    with postgres(programs, folder / "postgres.log") as database, site(folder, database) as started:
        yield started


@pytest.fixture
def data(pristine: Path, tmp_path: Path) -> Studio:
    """A data folder with raw tables alone."""
    return new_studio(tmp_path / "data", pristine)


@pytest.fixture
def working(place: Site, data: Studio) -> Iterator[Site]:
    """The site with a worker, on the data of this test."""
    place.start_worker(data.data, **SMALL)
    yield place
    place.stop_worker()


def end(place: Site, run: str, seconds: float = 240) -> str:
    """Waits for a run to end; returns the name of its state."""
    wait_for(lambda: place.state(run) in END_STATES, f"the end of run {run}", seconds)
    return place.state(run)


@contextmanager
def switched_on(place: Site, automation: str) -> Iterator[None]:
    """Switches an automation on for the block alone.

    Otherwise it would start runs in later tests, ahead of theirs in the game's queue.
    """
    place.must("automation", "resume", automation)
    try:
        yield
    finally:
        place.must("automation", "pause", automation)


def outputs(studio: Studio) -> Snapshot:
    """The outputs of runs, without what says that a run writes."""
    return {
        name: written
        for name, written in studio.outputs().items()
        if not name.endswith(("/run.json", "/.run.json.lock"))
    }


def leftovers(studio: Studio) -> list[Path]:
    """Incomplete outputs."""
    return list(studio.data.rglob("*.tmp*"))


def test_deployment_trains_the_model_that_the_command_line_trains(
    working: Site, data: Studio, pristine: Path, tmp_path: Path
) -> None:
    working.must("deployment", "run", TRAIN, "--watch")
    version = champion(data, GAME)
    other = new_studio(tmp_path / "other", pristine)
    size = f"--set=train.pipeline.model.params.n_estimators={20}"
    for studio in (data, other):
        line = ("--game", GAME, "--from-raw", "--data-dir", str(studio.data), size)
        done = working.python("-m", "flows.train", *line)
        assert done.returncode == 0, done.stderr
    # The command takes the results of the worker's run from the cache.
    assert champion(data, GAME) == version
    scored, again = (
        bits(studio.table(f"06_models/{GAME}/*/scored_rows.parquet")) for studio in (data, other)
    )
    assert scored == again


@pytest.mark.parametrize(
    ("parameter", "named"),
    [
        ('as_of="31.12.2024"', "as_of"),
        ('as_of="2024-02-30"', "2024-02-30"),
        ('overrides={"train.seeed": 1}', "train.seeed"),
        ('overrides={"horizon_months": "six"}', "horizon_months"),
        ('game="no_game"', "no_game"),
        ('as_of="1999-01-01"', "windows.train selects no subscription"),
        ('overrides={"train.model_format": "joblib"}', "a joblib file can run any code"),
        ('data_dir="/tmp"', "it would read and write wherever the worker may"),
    ],
)
def test_deployment_with_invalid_parameters_fails_with_the_reason(
    working: Site, data: Studio, parameter: str, named: str
) -> None:
    before = {run["id"] for run in working.runs(TRAIN)}
    refused = working.prefect("deployment", "run", TRAIN, "--param", parameter, "--watch")
    assert refused.returncode == 1, refused.stdout + refused.stderr
    output, ids = refused.stdout + refused.stderr, []
    for run in working.runs(TRAIN):
        if run["id"] not in before:
            assert working.state(run["id"]) == "Failed"
            ids.append(run["id"])
    wait_for(lambda: named in output + "".join(map(working.log, ids)), named, 30)
    assert not list(data.data.glob("06_models/*/*"))


def test_schedule_starts_a_run_that_triggers_the_next(
    working: Site, data: Studio, pristine: Path, tmp_path: Path
) -> None:
    trial = new_studio(tmp_path / "trial", pristine)
    trained, scored = ({run["id"] for run in working.runs(d)} for d in (TRAIN, SCORE))
    with switched_on(working, f"{GAME}: a new model is back-tested"):
        soon = datetime.now(UTC) + timedelta(seconds=15)
        hourly = ("--interval", "3600", "--anchor-date", soon.isoformat())
        working.must("deployment", "schedule", "create", TRAIN, *hourly, "--active")
        (run, *_) = wait_for(
            lambda: [r for r in working.runs(TRAIN) if r["id"] not in trained and r["start_time"]],
            "a run by schedule",
        )
        assert run["created_by"]["type"] == "SCHEDULE"
        assert end(working, run["id"]) == "Completed"
        (follower,) = wait_for(
            lambda: [r for r in working.runs(SCORE) if r["id"] not in scored], "the back-test"
        )
        assert end(working, follower["id"]) == "Completed"
        assert follower["created_by"]["type"] == "AUTOMATION"
        report = data.json(f"08_reporting/{GAME}/score_report.json")
        assert report["model_version"] == champion(data, GAME)

        # What somebody tries beside the same server on other data starts nothing.
        line = ("--game", GAME, "--from-raw", "--data-dir", str(trial.data))
        done = working.python("-m", "flows.train", *line, "--set=train.seed=5")
        assert done.returncode == 0, done.stderr
        time.sleep(10)
        assert {r["id"] for r in working.runs(SCORE)} - scored == {follower["id"]}


def test_batch_is_scored_once_its_outcomes_are_known(working: Site, data: Studio) -> None:
    before = {run["id"] for run in working.runs(f"batch-score/{GAME}")}
    with switched_on(working, f"{GAME}: a batch whose truth is known is scored"):
        working.must("deployment", "run", TRAIN, "--watch")
        day = ("--param", f"as_of={BATCH_DAY}")
        working.must("deployment", "run", f"batch-predict/{GAME}", *day, "--watch")
        working.must("deployment", "run", f"standard-features/{GAME}", "--watch")
        (run,) = wait_for(
            lambda: [r for r in working.runs(f"batch-score/{GAME}") if r["id"] not in before],
            "the score of the batch",
        )
        assert end(working, run["id"]) == "Completed"
        assert run["created_by"]["type"] == "AUTOMATION"
        assert data.json(f"08_reporting/{GAME}/batch_score_report_*.json")["general"]["n"] > 10


def test_cancelled_run_leaves_no_partial_output(working: Site, data: Studio) -> None:
    run = working.start_run(TRAIN, overrides=ENDLESS)
    wait_for(lambda: is_running(working, run, "fit_model"), "the fit")
    before = outputs(data)
    # However long it takes, it lives as long as its heart beats.
    time.sleep(SILENT_SECONDS + 20)
    assert working.state(run) == "Running"
    working.must("flow-run", "cancel", run)
    assert end(working, run) == "Cancelled"
    assert outputs(data) == before
    assert not list(data.data.glob(f"06_models/{GAME}/*"))
    assert not leftovers(data)
    # The next run takes up what the cancelled one had finished.
    again = working.start_run(TRAIN)
    assert end(working, again) == "Completed"
    assert is_cached(working, again, "build_standard_features")


def test_run_that_never_started_is_marked_as_crashed(working: Site) -> None:
    run = working.start_run(TRAIN)
    wait_for(lambda: working.state(run) in {"Pending", "Submitting"}, "the worker taking it")
    working.kill_worker()
    assert end(working, run) == "Crashed"


def test_run_of_a_dead_worker_is_marked_as_crashed_and_can_be_resumed(
    working: Site, data: Studio
) -> None:
    run = working.start_run(TRAIN, overrides=ENDLESS)
    wait_for(lambda: is_running(working, run, "fit_model"), "the fit")
    waiting = working.start_run(SCORE)
    before = outputs(data)
    working.kill_worker()
    assert end(working, run) == "Crashed"
    wait_for(
        lambda: {working.state(p["id"]) for p in working.parts(run)} <= END_STATES, "its parts"
    )
    assert outputs(data) == before
    working.start_worker(data.data, **SMALL)
    # What waited behind the dead run in the game's queue goes on; it finds no model yet.
    assert end(working, waiting) == "Failed"
    wait_for(lambda: "there is no model yet" in working.log(waiting), "the reason in the log")
    again = working.start_run(TRAIN)
    assert end(working, again) == "Completed"
    assert is_cached(working, again, "build_standard_features")
    assert is_cached(working, again, "build_window_features")


def test_run_of_a_terminated_worker_is_marked_as_crashed_at_once(
    working: Site, data: Studio
) -> None:
    run = working.start_run(TRAIN, overrides=ENDLESS)
    wait_for(lambda: is_running(working, run, "fit_model"), "the fit")
    waiting = working.start_run(SCORE)
    working.terminate_worker()
    # Long before its silence is noticed.
    assert end(working, run, seconds=SILENT_SECONDS / 3) == "Crashed"
    assert {working.state(part["id"]) for part in working.parts(run)} <= END_STATES
    working.start_worker(data.data, **SMALL)
    # The queue is free.
    assert end(working, waiting) == "Failed"


def test_run_rides_out_a_restart_of_the_server_between_its_sub_flows(
    working: Site, data: Studio
) -> None:
    working.must("deployment", "run", TRAIN, "--watch")
    months = {"first_month": "2024-05", "last_month": "2024-10", "batch_flow": "batch_predict"}
    run = working.start_run(f"backfill/{GAME}", **months)
    wait_for(lambda: list(data.data.glob(f"07_model_output/{GAME}/*2024-05*")), "the first month")
    working.stop_server()
    time.sleep(30)
    working.start_server()
    assert end(working, run) == "Completed"
    assert len(working.parts(run)) >= 6
    assert len(list(data.data.glob(f"07_model_output/{GAME}/predictions_2024-*.parquet"))) == 6


def is_running(place: Site, run: str, task: str) -> bool:
    """Returns whether a task of a run is running."""
    return any(task_run["state_name"] == "Running" for task_run in place.task_runs(run, task))


def is_cached(place: Site, run: str, task: str) -> bool:
    """Tells whether a task of a run was taken from the cache."""
    names: Any = wait_for(lambda: [r["state_name"] for r in place.task_runs(run, task)], task)
    return set(names) == {"Cached"}
