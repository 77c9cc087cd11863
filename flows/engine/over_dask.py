"""Buckets over machines: each is a task of Prefect's that a worker of a Dask cluster runs.

Between the processes go the places of datasets and plain settings; rows go through the data folder,
which all of them share.
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

EACH = 4
"""How many buckets there are for each thread of the workers, at least: so that all have work until
the end, and a worker that dies takes little with it."""
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
    """Builds as `churnlib.io.buckets.build` does, to the same bytes, with the workers of a cluster.

    Args:
        function: See `flows.engine.building.build`.
        tables: Tables that `churnlib.io.buckets.write` wrote.
        target: Where the result goes.
        facts: Facts about the whole of it.
        engine: Which cluster.
        needed: How many buckets memory asks for.

    Raises:
        SettingsError: There is no such cluster, or its workers cannot do this work.
        DataError: The workers do not see the data folder.
    """
    from prefect_dask import DaskTaskRunner

    making = uuid.uuid4().hex[:12]
    try:
        with cluster(engine) as client:
            check_workers(client, function, tables)
            count = buckets_for(needed, threads_of(client))
            runner = DaskTaskRunner(address=client.scheduler_info()["address"])
            return flow_of(count, function, tables, target, facts, making, runner)()
    finally:
        remove_parts(target, making)


def flow_of(
    count: int,
    function: Features,
    tables: Sequence[DatasetRef],
    target: Dataset,
    facts: Mapping[str, str],
    making: str,
    runner: TaskRunner[PrefectFuture[Any]],
) -> Flow[[], DatasetRef]:
    """Makes the flow of one making: a flow's tasks all go to the one runner that it is made with.

    Args:
        count: How many buckets.
        function: What is applied to each.
        tables: What to.
        target: Where the result goes.
        facts: Facts about the whole of it.
        making: What tells its parts from those of others.
        runner: Who does the work.
    """

    def build_in_buckets() -> DatasetRef:
        futures = map_parts(count, function, tables, target, making)
        return buckets.join(rows_of(futures), function, tables, target, facts)

    return Flow(
        build_in_buckets,
        name="build-in-buckets",
        flow_run_name=f"{target.game} {target.name}",
        task_runner=runner,
        persist_result=False,
    )


def buckets_for(needed: int, threads: int) -> int:
    """How many buckets to make of the data: a power of two.

    Args:
        needed: How many memory asks for.
        threads: How many the workers have in all.

    >>> buckets_for(2, 3), buckets_for(64, 3)
    (16, 64)
    """
    wanted = max(needed, threads * EACH)
    return int(min(buckets.FINEST, 2 ** (wanted - 1).bit_length()))


def build_part(
    number: int,
    count: int,
    function: Features,
    tables: Sequence[DatasetRef],
    target: Dataset,
    making: str,
) -> DatasetRef:
    """Builds the features of one bucket, and puts them where they are joined to the others."""
    with datasets.attribute_read_errors(*tables):
        frame = buckets.make(function, tables, number, count)
    return datasets.write_ipc(frame, part_of(target, making, number))


def is_worth_a_retry(_task: Task[..., object], _run: TaskRun, state: State) -> bool:
    """Tells whether a part may succeed next time: not where the user must mend something."""
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
    count: int, function: Features, tables: Sequence[DatasetRef], target: Dataset, making: str
) -> Sequence[PrefectFuture[DatasetRef]]:
    """Gives every part to the runner of the current flow; see `flow_of`."""
    return PART.map(
        range(count),
        count=count,
        function=unmapped(function),
        tables=unmapped(tuple(tables)),
        target=unmapped(target),
        making=making,
    )


def rows_of(futures: Sequence[PrefectFuture[DatasetRef]]) -> Iterator[pl.DataFrame]:
    """Yields the rows of each part, in order, as soon as it stands, and removes it.

    Raises:
        DataError: A part is not where its worker has put it.
    """
    for future in futures:
        part = told_here(future)
        if not storage.is_file(part.uri):
            raise DataError(
                f"{part.game}: a worker of the Dask cluster wrote {part.uri}, but it is not there. "
                "The data folder must be one that all machines share: name it with --data-dir."
            )
        yield datasets.read_ipc(part)
        storage.remove(part.uri)


def told_here(future: PrefectFuture[DatasetRef]) -> DatasetRef:
    """The result of a task in another process; its fault is one that was not told here yet."""
    try:
        return future.result()
    except ChurnlibError as error:
        raise type(error)(str(error)) from None


def remove_parts(target: Dataset, making: str) -> None:
    """Removes what a making has left of its parts, whole or half."""
    folder = folder_of(part_of(target, making, 0).uri)
    for entry in storage.list_files(folder):
        if making in name_of(entry.uri):
            storage.remove(entry.uri)
