"""Measures how much faster two workers of a Dask cluster build features than one.

python -m benchmarks.over_dask --characters 900000

Two plain processes are compared with one as well, which shows what a second core gives at all. Each
worker or process has one thread, and all build the same buckets, each into a file of its own. The
tables are generated and checked once. Only the mapped part is timed: from workers that are up and
have imported everything, to the last bucket.
"""

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import date
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks.engine import no_contacts
from churnlib.features.activity import ActivityFeatures
from churnlib.features.cohort_rows import CohortRows
from churnlib.io import datasets
from churnlib.io.buckets import Bucket, cut
from churnlib.io.catalog import Catalog
from churnlib.settings import EngineSettings, load_settings
from churnlib.synthesis import PROCESSES, generate
from flows.cli.parameters import RunOptions
from flows.cli.session import in_session
from flows.engine.over_dask import Build, build_part, map_parts, remove_parts
from flows.steps.run import SubscriptionWindow
from flows.steps.window_features import WindowRequest, window_features

GAME = "game1"
BUCKETS = 16
BUILD_ID = "bench"
EVER = (date(1990, 1, 1), date(2100, 1, 1))
ONE_THREAD = {"POLARS_MAX_THREADS": "1"}

Map = Callable[[], object]
"""Builds all buckets, and returns once they are built."""


def main() -> int:
    """Measures, and prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--characters", type=int, default=900_000)
    parser.add_argument(
        "--repeat", type=int, default=3, help="number of builds; the fastest counts"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="churn-dask-") as folder:
        generate(
            PROCESSES[GAME], args.characters, 1, Path(folder, "01_raw", GAME), file_format="parquet"
        )
        return in_session(
            RunOptions(game=GAME, data_dir=folder), lambda: compare(folder, args.repeat)
        )


def compare(folder: str, repeat: int) -> None:
    """Times one and two workers on a data folder that has only raw tables."""
    from flows.standard_features import standard_features

    standard_features(game=GAME, data_dir=folder)
    build = features_of(folder)
    ranges = cut(build.tables, BUCKETS)
    speed_up = {}
    for kind, workers in (("plain processes", in_processes), ("Dask workers", over_dask)):
        seconds = {}
        for count in (1, 2):
            with workers(count, build, ranges) as build_all:
                seconds[count] = fastest(build_all, build, repeat)
            print(f"{kind}, {count}: {seconds[count]:.2f} s", flush=True)
        speed_up[kind] = seconds[1] / seconds[2]
        print(f"two {kind} are {speed_up[kind]:.2f} times as fast as one", flush=True)
    share = speed_up["Dask workers"] / speed_up["plain processes"]
    print(f"so Dask reaches {share:.0%} of what a second core gives")


def features_of(folder: str) -> Build:
    """The build of the features of all subscriptions in a data folder."""
    settings, catalog = load_settings(GAME, {"data_dir": folder}), Catalog(folder, GAME)
    whole = SubscriptionWindow("windows.train", *EVER, as_of=EVER[1])
    request = WindowRequest(
        whole,
        CohortRows.of(settings),
        settings.horizon_months,
        settings.outcome,
        ActivityFeatures.of(settings),
    )
    places = (catalog.standard_features(), catalog.checked("character_currency"))
    standard, currency = (datasets.ref(place) for place in places)
    tables = (standard, no_contacts(catalog, settings, standard), currency)
    function = partial(window_features, request=request)
    return Build(function, tables, catalog.features("train"), BUILD_ID)


def fastest(build_all: Map, build: Build, repeat: int) -> float:
    """The fastest of some builds, in seconds; one more is made first, for the imports."""
    seconds = []
    for _ in range(1 + repeat):
        started = time.perf_counter()
        build_all()
        seconds.append(time.perf_counter() - started)
        remove_parts(build)
    return min(seconds[1:])


@contextmanager
def in_processes(count: int, build: Build, ranges: Sequence[Bucket]) -> Iterator[Map]:
    """Yields the build by processes without Dask, which take the next bucket when they are free."""
    part = partial(build_part, build=build)
    before = dict(os.environ)
    os.environ.update(ONE_THREAD)
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        yield lambda: list(pool.map(part, range(len(ranges)), ranges))
    os.environ.clear()
    os.environ.update(before)


@contextmanager
def over_dask(count: int, build: Build, ranges: Sequence[Bucket]) -> Iterator[Map]:
    """Yields the build by the workers of a Dask cluster."""
    import dask
    from distributed import LocalCluster
    from prefect import Flow
    from prefect_dask import DaskTaskRunner

    from flows.engine.dask_cluster import cluster
    from flows.engine.dask_workers import check_workers

    def build_all() -> int:
        return sum(future.result().rows or 0 for future in map_parts(build, ranges))

    logging.getLogger("distributed").setLevel(logging.ERROR)  # It logs every connection.
    environment = {
        **dask.config.get("distributed.nanny.pre-spawn-environ"),
        **ONE_THREAD,
        "DASK_LOGGING__DISTRIBUTED": "error",
    }
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": environment}),
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            memory_limit=0,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.ERROR,
        ) as local,
        cluster(EngineSettings(runner="dask", scheduler=local.scheduler_address)) as client,
    ):
        check_workers(client, build.function, build.tables)
        runner = DaskTaskRunner(address=local.scheduler_address)
        flow = Flow(build_all, name="build-parts", task_runner=runner, persist_result=False)
        yield flow


if __name__ == "__main__":
    raise SystemExit(main())
