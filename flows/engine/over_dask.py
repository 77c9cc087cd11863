"""Builds features on a Dask cluster: a Prefect task for each bucket of characters.

Tasks receive the places of datasets and plain settings; rows are exchanged through the data folder,
which all machines share.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl
from prefect import Flow, Task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner

from churnlib.errors import ChurnlibError, DataError
from churnlib.io import buckets, datasets, storage
from churnlib.io.catalog import part_of
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.settings import EngineSettings
from churnlib.uris import folder_of, name_of
from flows.engine.dask_cluster import cluster, threads_of
from flows.engine.dask_workers import check_workers

BUCKETS_PER_THREAD = 4
"""Minimum number of buckets per worker thread, so that all threads are busy until the end and a
worker that dies loses little."""
RETRIES = 2

Features = Callable[..., pl.LazyFrame]


def build_over_dask(
    function: Features,
    tables: Sequence[DatasetRef],
    target: Dataset,
    facts: Mapping[str, str],
    engine: EngineSettings,
    needed: int,
) -> DatasetRef:
    """Does the same as `churnlib.io.buckets.build`, on a cluster, with identical bytes.

    Args:
        function: See `flows.engine.building.build`.
        tables: Tables that `churnlib.io.buckets.write` wrote.
        target: The place of the result.
        facts: Facts for the footer of the result.
        engine: The cluster.
        needed: Number of buckets that the memory limit requires.

    Raises:
        SettingsError: The cluster does not answer, or its workers cannot run the tasks.
        DataError: The workers cannot access the data folder.
    """
    from prefect_dask import DaskTaskRunner

    build_id = uuid.uuid4().hex[:12]
    try:
        with cluster(engine) as client:
            check_workers(client, function, tables)
            count = buckets_for(needed, threads_of(client))
            runner = DaskTaskRunner(address=client.scheduler_info()["address"])
            return flow_of(count, function, tables, target, facts, build_id, runner)()
    finally:
        remove_parts(target, build_id)


def flow_of(
    count: int,
    function: Features,
    tables: Sequence[DatasetRef],
    target: Dataset,
    facts: Mapping[str, str],
    build_id: str,
    runner: TaskRunner[PrefectFuture[Any]],
) -> Flow[[], DatasetRef]:
    """Returns the flow of one build, because the task runner is a property of a flow.

    Args:
        count: Number of buckets.
        function: The function to apply to each.
        tables: The tables to apply it to.
        target: The place of the result.
        facts: Facts for the footer of the result.
        build_id: Distinguishes the parts of this build from those of others.
        runner: The task runner.
    """

    def build_in_buckets() -> DatasetRef:
        futures = map_parts(count, function, tables, target, build_id)
        return buckets.join(rows_of(futures), function, tables, target, facts)

    return Flow(
        build_in_buckets,
        name="build-in-buckets",
        flow_run_name=f"{target.game} {target.name}",
        task_runner=runner,
        persist_result=False,
    )


def buckets_for(needed: int, threads: int) -> int:
    """Returns the number of buckets, a power of two.

    Args:
        needed: Number that the memory limit requires.
        threads: Number of threads of all workers.

    >>> buckets_for(2, 3), buckets_for(64, 3)
    (16, 64)
    """
    wanted = max(needed, threads * BUCKETS_PER_THREAD)
    return int(min(buckets.FINEST, 2 ** (wanted - 1).bit_length()))


def build_part(
    number: int,
    count: int,
    function: Features,
    tables: Sequence[DatasetRef],
    target: Dataset,
    build_id: str,
) -> DatasetRef:
    """Builds the features of one bucket and writes them to a part file."""
    with datasets.attribute_read_errors(*tables):
        frame = buckets.make(function, tables, number, count)
    return datasets.write_ipc(frame, part_of(target, build_id, number))


def is_worth_a_retry(_task: Task[..., object], _run: TaskRun, state: State) -> bool:
    """Whether a part may succeed next time: not if the user must fix something."""
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


def map_parts(
    count: int, function: Features, tables: Sequence[DatasetRef], target: Dataset, build_id: str
) -> Sequence[PrefectFuture[DatasetRef]]:
    """Submits every part to the runner of the current flow; see `flow_of`."""
    return PART.map(
        range(count),
        count=count,
        function=unmapped(function),
        tables=unmapped(tuple(tables)),
        target=unmapped(target),
        build_id=build_id,
    )


def rows_of(futures: Sequence[PrefectFuture[DatasetRef]]) -> Iterator[pl.DataFrame]:
    """Yields the rows of each part, in order, as soon as it is complete, and removes the part.

    Raises:
        DataError: A part that a worker wrote does not exist here.
    """
    for future in futures:
        part = result_of(future)
        if not storage.is_file(part.uri):
            raise DataError(
                f"{part.game}: a worker of the Dask cluster wrote {part.uri}, but it does not "
                "exist here. The data folder must be one that all machines share: name it with "
                "--data-dir."
            )
        yield datasets.read_ipc(part)
        storage.remove(part.uri)


def result_of(future: PrefectFuture[DatasetRef]) -> DatasetRef:
    """Returns the result of a task; raises its error as a new one, which was not logged here."""
    try:
        return future.result()
    except ChurnlibError as error:
        raise type(error)(str(error)) from None


def remove_parts(target: Dataset, build_id: str) -> None:
    """Removes the remaining parts of a build, also incomplete ones."""
    folder = folder_of(part_of(target, build_id, 0).uri)
    for entry in storage.list_files(folder):
        if build_id in name_of(entry.uri):
            storage.remove(entry.uri)
