"""Features built on a Dask cluster: each bucket is a Prefect task that a worker runs.

Processes exchange the places of datasets and plain settings; rows are exchanged through the data
folder, which all machines share.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from prefect import Flow, Task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner

from churnlib.errors import ChurnlibError, DataError
from churnlib.io import buckets, datasets, storage
from churnlib.io.buckets import Bucket, Function
from churnlib.io.catalog import part_of
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.settings import EngineSettings
from churnlib.uris import folder_of
from flows.engine.dask_cluster import cluster, threads_of
from flows.engine.dask_workers import check_workers

BUCKETS_PER_THREAD = 4
"""The minimum number of buckets per thread of the workers: all have work until the end, and little
is lost if a worker dies."""
RETRIES = 2


@dataclass(frozen=True)
class Build:
    """What is built, in parts that are joined at the end.

    Attributes:
        function: See `flows.engine.building.build`.
        tables: Tables that `churnlib.io.table_writer` wrote.
        target: Where the result is written.
        id: Distinguishes the parts from those of other builds of the same dataset.
    """

    function: Function
    tables: tuple[DatasetRef, ...]
    target: Dataset
    id: str


def build_over_dask(
    function: Function,
    tables: Sequence[DatasetRef],
    target: Dataset,
    facts: Mapping[str, str],
    engine: EngineSettings,
    needed: int,
) -> DatasetRef:
    """Builds features as `churnlib.io.buckets.build` does, to the same bytes, on a cluster.

    Args:
        function: See `flows.engine.building.build`.
        tables: Tables that `churnlib.io.table_writer` wrote.
        target: Where the result is written.
        facts: Facts for its footer.
        engine: Which cluster.
        needed: The number of buckets that memory requires.

    Raises:
        SettingsError: There is no such cluster, or its workers differ from this process.
        DataError: The workers do not see the data folder.
    """
    from prefect_dask import DaskTaskRunner

    build = Build(function, tuple(tables), target, uuid.uuid4().hex[:12])
    try:
        with cluster(engine) as client:
            check_workers(client, function, tables)
            ranges = buckets.cut(tables, buckets_for(needed, threads_of(client)))
            runner = DaskTaskRunner(
                address=client.scheduler_info()["address"],
                client_kwargs={"security": client.security},
            )
            return flow_of(build, facts, ranges, runner)()
    finally:
        remove_parts(build)


def flow_of(
    build: Build,
    facts: Mapping[str, str],
    ranges: Sequence[Bucket],
    runner: TaskRunner[PrefectFuture[Any]],
) -> Flow[[], DatasetRef]:
    """Makes the flow of a build, because a flow's runner is fixed when the flow is made.

    Args:
        build: What is built.
        facts: Facts for the footer of the result.
        ranges: The buckets.
        runner: Runs the tasks.
    """

    def build_in_buckets() -> DatasetRef:
        rows = rows_of(map_parts(build, ranges))
        return buckets.join(rows, build.function, build.tables, build.target, facts)

    return Flow(
        build_in_buckets,
        name="build-in-buckets",
        flow_run_name=f"{build.target.game} {build.target.name}",
        task_runner=runner,
        persist_result=False,
    )


def buckets_for(needed: int, threads: int) -> int:
    """Returns the number of buckets for a build.

    Args:
        needed: The number that memory requires.
        threads: The number of threads of all workers.

    >>> buckets_for(2, 3), buckets_for(64, 3)
    (12, 64)
    """
    return max(needed, threads * BUCKETS_PER_THREAD)


def build_part(number: int, bucket: Bucket, build: Build) -> DatasetRef:
    """Builds the features of one bucket, and writes them to a file of their own."""
    with datasets.attribute_read_errors(*build.tables):
        frame = buckets.make(build.function, build.tables, bucket)
    return datasets.write_ipc(frame, part_of(build.target, build.id, number))


def is_worth_a_retry(_task: Task[..., object], _run: TaskRun, state: State) -> bool:
    """Tells whether a part may succeed next time; not if the user has to fix something."""
    return not isinstance(state.result(raise_on_failure=False), ChurnlibError)


PART = Task(
    build_part,
    name="build_part",
    task_run_name="build_part {number}",
    retries=RETRIES,
    retry_condition_fn=is_worth_a_retry,
    cache_policy=NO_CACHE,
    persist_result=False,
)


def map_parts(build: Build, ranges: Sequence[Bucket]) -> Sequence[PrefectFuture[DatasetRef]]:
    """Submits all parts to the runner of the current flow; see `flow_of`."""
    return PART.map(range(len(ranges)), ranges, build=unmapped(build))


def rows_of(parts: Sequence[PrefectFuture[DatasetRef]]) -> Iterator[pl.DataFrame]:
    """Yields the rows of each part, in order, as soon as it is written, and removes it.

    Raises:
        DataError: A part is not where its worker wrote it.
    """
    for future in parts:
        part = result_of(future)
        if not storage.is_file(part.uri):
            raise DataError(
                f"{part.game}: a worker of the Dask cluster wrote {part.uri}, but it is not there. "
                "The data folder must be one that all machines share: name it with --data-dir."
            )
        yield datasets.read_ipc(part)
        storage.remove(part.uri)


def result_of(future: PrefectFuture[DatasetRef]) -> DatasetRef:
    """Returns the result of a task; raises its error anew, which only the worker has logged."""
    try:
        return future.result()
    except ChurnlibError as error:
        raise type(error)(str(error)) from None


def remove_parts(build: Build) -> None:
    """Removes the parts of a build that are left, complete or not."""
    # The game's data are locked, so that all parts there are of this run.
    storage.remove_folder(folder_of(part_of(build.target, build.id, 0).uri))
