"""Features built on a Dask cluster: identical bytes, and messages for errors."""

import importlib.metadata
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from distributed import Client, Security

from churnlib.errors import DataError, SettingsError
from churnlib.io import datasets, storage
from churnlib.io.buckets import Bucket
from churnlib.io.catalog import Catalog
from churnlib.settings import EngineSettings
from flows.cli.main import main
from flows.engine import dask_cluster, dask_workers, over_dask
from flows.engine.dask_cluster import cluster
from flows.engine.dask_workers import check_workers
from flows.engine.over_dask import buckets_for
from flows.steps.standard_features import subscription_features
from tests.base import raw_tables
from tests.flows.studio import Say, Studio, is_refusal, written

OUTPUTS = ("03_primary/*/standard_features.parquet", "04_feature/*/*.parquet", "05_*/*/*.parquet")
SMALL = "--set=engine.memory_mib=1"
"""So little memory that these small tables need several buckets."""
DASK = (SMALL, "--set=engine.runner=dask")


def features(studio: Studio) -> dict[str, bytes]:
    """The bytes of the feature tables."""
    files = [file for pattern in OUTPUTS for file in studio.data.glob(pattern)]
    return {str(file.relative_to(studio.data)): file.read_bytes() for file in files}


def parts(studio: Studio) -> list[Path]:
    """The files in the folder of the parts."""
    return list(studio.data.glob("02_intermediate/*/parts/*"))


def build_all(studio: Studio, say: Say, *more: str) -> str:
    """Runs all tasks that build features."""
    output = say(studio, "train", "game1", "--from-raw", *more)
    return output + say(studio, "batch_predict", "game1", *more)


@pytest.fixture(scope="module")
def small_groups() -> Iterator[None]:
    """Row groups that are small enough for several buckets of these small tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("churnlib.io.table_writer.ROWS_PER_GROUP", 1_000)
        yield


@pytest.fixture(scope="module")
def local(studio: Studio, small_groups: None) -> dict[str, bytes]:
    """The features as this process makes them alone."""
    studio.run("train_from_raw", "game1")
    studio.run("batch_predict", "game1")
    return features(studio)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_cluster_builds_the_same_bytes(
    studio: Studio,
    local: dict[str, bytes],
    say: Say,
    workers: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts: list[int] = []
    map_parts = over_dask.map_parts

    def count_parts(build: over_dask.Build, ranges: Sequence[Bucket]) -> Any:
        counts.append(len(ranges))
        return map_parts(build, ranges)

    monkeypatch.setattr(over_dask, "map_parts", count_parts)
    output = build_all(studio, say, "--refresh", *DASK, f"--set=engine.workers={workers}")
    assert output.count("build-in-buckets") >= 3
    assert min(counts) > 1
    assert features(studio) == local
    assert parts(studio) == []


@pytest.mark.slow
def test_cluster_is_started_only_for_work(
    studio: Studio, local: dict[str, bytes], say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "_local_cluster", lambda _: pytest.fail("a cluster"))
    assert written(build_all(studio, say, *DASK)) & {"standard_features", "train_features"} == set()
    one_bucket = build_all(studio, say, "--refresh", "--set=engine.runner=dask")
    assert {"standard_features", "train_features"} <= written(one_bucket)
    assert features(studio) == local


@pytest.mark.slow
def test_killed_worker_loses_only_its_buckets(
    studio: Studio, local: dict[str, bytes], say: Say
) -> None:
    killed: list[int] = []

    def kill_one() -> None:
        while not parts(studio):
            time.sleep(0.005)
        # Dask names its workers where setproctitle is installed.
        lines = {p: " ".join(p.cmdline()) for p in psutil.Process().children()}
        workers = [p for p, line in lines.items() if "spawn_main" in line or "dask worker" in line]
        workers[0].kill()
        killed.append(workers[0].pid)

    thread = threading.Thread(target=kill_one, daemon=True)
    thread.start()
    output = say(studio, "standard_features", "game1", "--refresh", *DASK, "--set=engine.workers=2")
    thread.join(5)
    assert output.startswith("exit 0")
    assert len(killed) == 1
    assert features(studio) == local
    assert parts(studio) == []


@pytest.mark.slow
def test_cluster_of_this_machine_serves_nobody_else() -> None:
    with cluster(EngineSettings(runner="dask", workers=1)) as client:
        address = client.scheduler.address
        with pytest.raises((OSError, TypeError)):
            Client(address, timeout=2, security=Security(), set_as_default=False)
        with pytest.raises(OSError, match="TLS certificate does not match"):
            Client(address, timeout=2, security=Security.temporary(), set_as_default=False)
        listening = [
            connection.laddr.port
            for process in (psutil.Process(), *psutil.Process().children(recursive=True))
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert len(listening) >= 2
        for port in listening:
            for page in ("status", "json/identity.json"):
                assert status_of(f"http://127.0.0.1:{port}/{page}") != 200


def status_of(url: str) -> int | None:
    """The status of an answer; None if there is none."""
    with suppress(httpx.HTTPError):
        return httpx.get(url, timeout=1).status_code
    return None


def test_scheduler_that_does_not_answer_is_named(
    studio: Studio, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "CONNECT_SECONDS", 0.3)
    scheduler = "tcp://127.0.0.1:9"
    output = say(
        *(studio, "standard_features", "game1", "--refresh", *DASK),
        f"--set=engine.scheduler={scheduler}",
    )
    assert is_refusal(output, f"engine.scheduler: no Dask scheduler answers at {scheduler}")


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prefect_dask", None)
    with (
        pytest.raises(SettingsError, match=r"pip install 'churnlib\[dask\]'"),
        cluster(EngineSettings(runner="dask")),
    ):
        pass


@pytest.mark.parametrize(
    "wrong", [{"runner": "ray"}, {"scheduler": "scheduler"}, {"workers": 0}], ids=str
)
def test_invalid_engine_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EngineSettings(**wrong)


@pytest.mark.parametrize(
    ("needed", "threads", "count"), [(2, 1, 4), (2, 3, 12), (64, 2, 64), (5, 100, 400)]
)
def test_each_thread_has_several_buckets(needed: int, threads: int, count: int) -> None:
    assert buckets_for(needed, threads) == count


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineSettings]:
    """A scheduler and a worker, each a process of its own, as on other machines."""
    home = tmp_path_factory.mktemp("cluster")
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    file = home / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file")
    scheduler = subprocess.Popen([*dask, *options, str(file)], cwd=home)
    worker = subprocess.Popen(
        [
            *(sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file)),
            *("--nworkers", "1", "--nthreads", "1", "--no-dashboard"),
        ],
        cwd=home,
    )
    try:
        while not (about := file.read_text() if file.exists() else "").endswith("}"):
            assert scheduler.poll() is None
            time.sleep(0.05)
        yield EngineSettings(runner="dask", scheduler=json.loads(about)["address"], memory_mib=1)
    finally:
        for process in (worker, scheduler):
            process.terminate()
            process.wait(20)


@pytest.mark.slow
def test_running_cluster_builds_the_same_bytes(
    studio: Studio, local: dict[str, bytes], say: Say, running: EngineSettings
) -> None:
    output = build_all(
        studio, say, "--refresh", *DASK, f"--set=engine.scheduler={running.scheduler}"
    )
    assert output.count("build-in-buckets") >= 3
    assert features(studio) == local
    assert parts(studio) == []


@pytest.mark.slow
def test_workers_with_other_code_libraries_or_data_are_refused(
    studio: Studio,
    local: dict[str, bytes],
    running: EngineSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = datasets.ref(Catalog(str(studio.data), "game1").checked("sub_data"))
    with cluster(running) as client:
        check_workers(client, subscription_features, (table,))

        monkeypatch.setattr(dask_workers, "_server", lambda: "http://127.0.0.1:9/api")
        with pytest.raises(SettingsError, match="PREFECT_API_URL"):
            check_workers(client, subscription_features, (table,))
        monkeypatch.undo()

        unseen = replace(table, fingerprint="another")
        with pytest.raises(DataError, match="must be one that all machines share"):
            check_workers(client, subscription_features, (unseen,))

        known = importlib.metadata.version
        monkeypatch.setattr(
            dask_workers, "version", lambda name: "0.0" if name == "polars" else known(name)
        )
        with pytest.raises(SettingsError, match=r"polars \S+, here 0\.0"):
            check_workers(client, subscription_features, (table,))


@pytest.mark.slow
def test_data_folder_in_an_object_store_gives_the_same_bytes(
    studio: Studio, local: dict[str, bytes], bucket: str
) -> None:
    for name in raw_tables():
        file = studio.file(f"01_raw/game1/{name}.csv")
        with storage.replacing(f"{bucket}/01_raw/game1/{file.name}") as beside:
            beside.write_bytes(file.read_bytes())
    assert main(["standard_features", "--game", "game1", "--data-dir", bucket, *DASK]) == 0
    content = storage.read_bytes(f"{bucket}/03_primary/game1/standard_features.parquet")
    assert content == local["03_primary/game1/standard_features.parquet"]
    assert storage.list_files(f"{bucket}/02_intermediate/game1/parts") == []
