"""Measures how much faster two workers of a Dask cluster build features than one.

python -m benchmarks.over_dask --characters 900000

Each worker is a process of one thread, and there are as many buckets either way. The tables are
generated and checked once. Only the mapped part is timed: from a cluster that is up and has
imported everything, to the last bucket. This process joins the parts while the workers build
others; on a machine without a spare core that would slow them down.
"""

import argparse
import tempfile
import time
from datetime import date
from functools import partial
from pathlib import Path

from churnlib.io import datasets
from churnlib.io.buckets import cut
from churnlib.io.catalog import Catalog
from churnlib.settings import EngineSettings, load_settings
from churnlib.synthesis import PROCESSES, generate
from flows.cli.parameters import RunOptions
from flows.cli.session import in_session

GAME = "game1"
BUCKETS = 16
BUILD_ID = "bench"
EVER = (date(1990, 1, 1), date(2100, 1, 1))


def main() -> int:
    """Measures, and prints the ratio."""
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
    seconds = {}
    for workers in (1, 2):
        seconds[workers] = build_seconds(folder, workers, repeat)
        print(f"{workers} workers: {seconds[workers]:.1f} s", flush=True)
    print(f"two workers are {seconds[1] / seconds[2]:.2f} times as fast as one")


def build_seconds(folder: str, workers: int, repeat: int) -> float:
    """The fastest build of all parts of the training features, in seconds."""
    from prefect import Flow
    from prefect_dask import DaskTaskRunner

    from flows.engine.dask_cluster import cluster
    from flows.engine.dask_workers import check_workers
    from flows.engine.over_dask import Build, map_parts, remove_parts
    from flows.steps.run import SubscriptionWindow
    from flows.steps.window_features import WindowRequest, window_features

    settings, catalog = load_settings(GAME, {"data_dir": folder}), Catalog(folder, GAME)
    whole = SubscriptionWindow("windows.train", *EVER, as_of=EVER[1])
    request = WindowRequest(whole, settings.horizon_months, settings.currency)
    function = partial(window_features, request=request)
    places = (catalog.standard_features(), catalog.checked("character_currency"))
    tables = tuple(datasets.ref(place) for place in places)
    build = Build(function, tables, catalog.features("train"), BUILD_ID)
    best = float("inf")

    ranges = cut(tables, BUCKETS)

    def build_parts() -> int:
        futures = map_parts(build, ranges)
        return sum(future.result().rows or 0 for future in futures)

    with cluster(EngineSettings(runner="dask", workers=workers)) as client:
        check_workers(client, function, tables)
        for _ in range(repeat):
            runner = DaskTaskRunner(address=client.scheduler_info()["address"])
            flow = Flow(build_parts, name="build-parts", task_runner=runner, persist_result=False)
            started = time.perf_counter()
            flow()
            best = min(best, time.perf_counter() - started)
            remove_parts(build)
    return best


if __name__ == "__main__":
    raise SystemExit(main())
