"""The task decorator, against a real server."""

import json
import logging
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.cache_policies import CachePolicy
from prefect.client.schemas.objects import State
from prefect.settings import get_current_settings

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset, DatasetRef, ref
from churnlib.io.storage import write_text
from deployments.generate import entrypoints
from flows.engine import cache
from flows.engine.results import DatasetSerializer
from flows.task import refreshing, task
from tests.flows.studio import ROOT

pytestmark = pytest.mark.usefixtures("prefect_server")

RUNS: list[Any] = []
"""What the tasks below did, in order."""


@task
def double(source: DatasetRef, target: Dataset, note: Any = None) -> DatasetRef:
    """Writes a text twice."""
    RUNS.append("double")
    write_text(2 * Path(source.uri).read_text(), target.uri)
    return ref(target, 2)


@task
def double_again(source: DatasetRef, target: Dataset, note: Any = None) -> DatasetRef:
    """Writes a text twice."""
    RUNS.append("double")
    write_text(2 * Path(source.uri).read_text(), target.uri)
    return ref(target, 2)


@task
def fit(target: Dataset, seed: int | None = None) -> DatasetRef:
    """Writes its seed."""
    RUNS.append(seed)
    write_text(str(seed), target.uri)
    return ref(target)


@task(retries=2)
def fit_at_the_third_try(target: Dataset, seed: int | None = None) -> DatasetRef:
    """Fails twice."""
    RUNS.append(seed)
    if len(RUNS) < 3:
        raise OSError("not yet")
    write_text(str(seed), target.uri)
    return ref(target)


@task
def fail(target: Dataset, how: str) -> DatasetRef:
    """Raises, but for the third time."""
    RUNS.append("fail")
    if len(RUNS) < 3:
        raise DataError(how)
    write_text("done", target.uri)
    return ref(target)


@task
def give(value: str) -> object:
    """Returns what VALUES holds under a name."""
    RUNS.append("give")
    return VALUES[value]


VALUES: dict[str, Any] = {
    "none": None,
    "flag": True,
    "whole": 3,
    "real": 0.25,
    "text": "x",
    "day": date(2024, 7, 1),
    "nested": {"a": (1, "b", [None, date(2024, 7, 1)]), "c": ()},
    "frame": object(),
    "odd key": {1: 2},
}


@pytest.fixture(autouse=True)
def _forget_runs() -> None:
    RUNS.clear()


@pytest.fixture
def source(tmp_path: Path) -> DatasetRef:
    """A dataset to read."""
    return place("source", tmp_path / "source.txt", "ab")


@pytest.fixture
def target(tmp_path: Path) -> Dataset:
    """A place to write to."""
    return Dataset("doubled", "game1", str(tmp_path / "doubled.txt"))


def place(name: str, path: Path, text: str) -> DatasetRef:
    """Writes a dataset."""
    write_text(text, path)
    return ref(Dataset(name, "game1", str(path)))


def test_task_same_call_is_taken_from_the_cache(source: DatasetRef, target: Dataset) -> None:
    first = double(source, target)
    assert double(source, target) == first
    assert Path(target.uri).read_text() == "abab"
    assert len(RUNS) == 1


def test_task_changed_input_runs_again(source: DatasetRef, target: Dataset) -> None:
    first = double(source, target)
    changed = place("source", Path(source.uri), "cd")
    assert double(changed, target).fingerprint != first.fingerprint
    assert len(RUNS) == 2


def test_task_same_input_elsewhere_is_taken_from_the_cache(
    source: DatasetRef, target: Dataset, tmp_path: Path
) -> None:
    double(source, target)
    double(place("source", tmp_path / "moved" / "other.txt", "ab"), target)
    assert len(RUNS) == 1


def test_task_other_output_place_runs_again(
    source: DatasetRef, target: Dataset, tmp_path: Path
) -> None:
    double(source, target)
    elsewhere = Dataset("doubled", "game1", str(tmp_path / "elsewhere.txt"))
    assert double(source, elsewhere).uri == elsewhere.uri
    assert len(RUNS) == 2


def test_task_deleted_output_is_written_again(source: DatasetRef, target: Dataset) -> None:
    first = double(source, target)
    Path(target.uri).unlink()
    assert double(source, target) == first
    assert Path(target.uri).read_text() == "abab"
    assert double(source, target) == first
    assert len(RUNS) == 2


def test_task_changed_output_is_written_again(source: DatasetRef, target: Dataset) -> None:
    first = double(source, target)
    Path(target.uri).write_text("broken")
    assert double(source, target) == first
    assert Path(target.uri).read_text() == "abab"
    assert len(RUNS) == 2


def test_task_refreshing_runs_once_more_in_subflows_and_submitted(
    source: DatasetRef, target: Dataset
) -> None:
    @flow
    def inner() -> None:
        double(source, target)
        double.submit(source, target).result()

    @flow
    def outer(refresh: bool) -> None:
        with refreshing(refresh):
            inner()

    for refresh, runs in ((False, 1), (False, 1), (True, 2), (False, 2), (True, 3)):
        outer(refresh)
        assert len(RUNS) == runs


def test_task_refreshing_writes_a_changed_output_again(source: DatasetRef, target: Dataset) -> None:
    with refreshing():
        first = double(source, target)
        Path(target.uri).write_text("broken")
        assert double(source, target) == first
    assert len(RUNS) == 2
    assert Path(target.uri).read_text() == "abab"


def test_task_refreshing_block_in_another_is_part_of_it(
    source: DatasetRef, target: Dataset
) -> None:
    with refreshing():
        double(source, target)
        with refreshing(), refreshing(False):
            double(source, target)
    assert len(RUNS) == 1


def test_task_same_body_has_a_result_of_its_own(source: DatasetRef, target: Dataset) -> None:
    double(source, target)
    double_again(source, target)
    assert len(RUNS) == 2


def test_task_given_seed_is_taken_from_the_cache(target: Dataset) -> None:
    fit(target, seed=7)
    fit(target, 7)
    assert RUNS == [7]


def test_task_no_seed_draws_and_runs_again_however_called(target: Dataset) -> None:
    @flow
    def all_ways() -> None:
        fit(target)
        fit.submit(target).result()
        fit.map([target, target]).result()
        fit.with_options(tags={"again"})(target, seed=None)

    all_ways()
    assert len(set(RUNS)) == 5
    assert {type(seed) for seed in RUNS} == {int}


def test_task_drawn_seed_given_later_is_taken_from_the_cache(target: Dataset) -> None:
    fit(target)
    fit(target, RUNS[0])
    assert len(RUNS) == 1


def test_task_retried_keeps_its_drawn_seed(target: Dataset) -> None:
    fit_at_the_third_try(target)
    assert len(RUNS) == 3
    assert len(set(RUNS)) == 1


def test_task_without_prefect_draws_a_seed(target: Dataset) -> None:
    assert fit.fn(target) == ref(target)
    assert isinstance(RUNS[0], int)


def test_task_failed_leaves_no_result(target: Dataset) -> None:
    for _ in range(2):
        with pytest.raises(DataError, match="broken"):
            fail(target, "broken")
    assert fail(target, "broken") == ref(target)
    assert len(RUNS) == 3


@pytest.mark.parametrize("name", ["none", "flag", "whole", "real", "text", "day", "nested"])
def test_task_result_comes_back_from_the_cache_as_it_was(name: str) -> None:
    first = refreshed(name)
    again = give(name)
    assert again == first == VALUES[name]
    assert type(again) is type(VALUES[name])
    assert RUNS == ["give"]


def refreshed(name: str) -> object:
    """Runs the task even if an earlier test has cached its result."""
    with refreshing():
        return give(name)


@pytest.mark.parametrize("name", ["frame", "odd key"])
def test_task_result_of_another_type_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match="A task cannot return a"):
        give(name)


def test_task_result_that_another_process_replaced_is_read_again() -> None:
    @flow
    def twice() -> object:
        with refreshing():
            state: State[Any] = give("text", return_state=True)
        kept: Any = state.data
        folder = get_current_settings().results.local_storage_path
        record = Path(folder, kept.metadata.storage_key)
        record.write_text(record.read_text().replace(r"\"x\"", r"\"y\""))
        return give("text")

    assert twice() == "y"
    assert RUNS == ["give"]


def test_task_datasets_in_a_result_must_be_unchanged(
    source: DatasetRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VALUES, str(tmp_path), {"all": (source, [source])})
    assert give(str(tmp_path)) == give(str(tmp_path))
    assert len(RUNS) == 1
    Path(source.uri).unlink()
    give(str(tmp_path))
    assert len(RUNS) == 2


def test_task_parameter_of_unknown_type_is_refused(
    source: DatasetRef, target: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(TypeError, match="double: the parameter note holds a object"):
        double(source, target, note={"a": [object()]})
    assert RUNS == []
    assert "Error encountered" not in caplog.text


def test_task_async_function_is_refused() -> None:
    async def wait() -> None: ...

    with pytest.raises(TypeError, match="not async"):
        task(wait)


def test_task_keeps_no_result_where_the_code_changed_since_the_start(
    target: Dataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("flows.engine.cache.STARTED", 0)
    fit(target, 8)
    fit(target, 8)
    assert RUNS == [8, 8]
    assert "their code changed after the start of the run" in caplog.text


@task
def fit_late(target: Dataset, seed: int) -> DatasetRef:
    """Fits while a deployment replaces the code."""
    RUNS.append(seed)
    cache.STARTED = 0
    write_text(str(seed), target.uri)
    return ref(target)


def test_task_keeps_no_result_where_the_code_changes_meanwhile(
    target: Dataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    began = cache.STARTED
    for _ in range(2):
        monkeypatch.setattr("flows.engine.cache.STARTED", began)
        fit_late(target, 9)
    assert RUNS == [9, 9]
    assert "their code changed after the start of the run" in caplog.text


@task
def double_late(source: DatasetRef, target: Dataset) -> DatasetRef:
    """Writes a text twice, after another program has changed it."""
    Path(source.uri).write_text("changed")
    write_text(2 * Path(source.uri).read_text(), target.uri)
    return ref(target)


def test_task_makes_nothing_of_an_input_that_changes_meanwhile(
    source: DatasetRef, target: Dataset
) -> None:
    with pytest.raises(DataError, match="was changed by another program"):
        double_late(source, target)
    assert not Path(target.uri).exists()


def test_task_with_a_separate_key_storage_keeps_no_result(
    source: DatasetRef, target: Dataset, tmp_path: Path
) -> None:
    # A key would then be looked up without reading the result, so a lost output would stay hidden.
    policy = double.cache_policy
    assert isinstance(policy, CachePolicy)
    assert policy.key_storage is None
    apart = double.with_options(cache_policy=policy.configure(key_storage=tmp_path / "keys"))
    apart(source, target)
    Path(target.uri).unlink()
    apart(source, target)
    assert len(RUNS) == 2
    assert Path(target.uri).exists()


def test_task_result_is_kept_by_its_own_serializer(source: DatasetRef, target: Dataset) -> None:
    state: State[Any] = double(source, target, return_state=True)
    kept: Any = state.data
    assert isinstance(kept.serializer, DatasetSerializer)


def test_task_log_names_seed_then_outputs_then_the_cache(
    source: DatasetRef, target: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fit(target, 9)
    fit(target)
    double(source, target)
    double(source, target)
    messages = [r.getMessage() for r in caplog.records if r.name == "prefect.task_runs"]
    assert messages[0] == "seed 9 (from the settings)"
    assert messages[1] == f"doubled: 0.0 s -> {target.uri}"
    assert messages[2] == f"seed {RUNS[1]} (drawn)"
    assert messages[4] == f"doubled: 2 rows in 0.0 s -> {target.uri}"
    assert messages[5:] == ["unchanged, taken from the cache"]


@pytest.mark.slow
def test_font_cache_is_in_prefects_home(tmp_path: Path) -> None:
    """A worker's run imports the flow's module, and nothing of the command line."""
    modules = [module for module, _ in entrypoints()]
    code = (
        "import importlib, json, os, sys\n"
        f"for module in {modules}: importlib.import_module(module)\n"
        "print(json.dumps(['matplotlib' in sys.modules, os.environ['MPLCONFIGDIR']]))\n"
    )
    home = tmp_path / "home"
    environ = {n: v for n, v in os.environ.items() if n != "MPLCONFIGDIR"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environ | {"PREFECT_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [False, str(home / "matplotlib")]
