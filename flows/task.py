"""The decorator of every task: it caches results, draws seeds and logs what was written."""

import functools
import inspect
import os
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, overload

from prefect.cache_policies import NO_CACHE, CachePolicy
from prefect.tasks import Task

from churnlib.io.datasets import DatasetRef, attribute_read_errors
from churnlib.io.made_of import made_of
from churnlib.seeds import draw_seed
from flows.engine import log
from flows.engine.cache import (
    DependencyCache,
    DrawnSeed,
    check_arguments,
    check_notes,
    run_logger,
)
from flows.engine.ledger import Call, record, record_cached
from flows.engine.node import Node
from flows.engine.prefect_home import prefect_home
from flows.engine.result_files import ResultFiles
from flows.engine.results import DatasetSerializer, datasets_in, encode, refreshing

__all__ = ["refreshing", "task"]

P = ParamSpec("P")
R = TypeVar("R")

log.install()
# Otherwise Matplotlib writes its font cache to the user's home. It is imported later, by tasks that
# draw.
os.environ.setdefault("MPLCONFIGDIR", str(prefect_home() / "matplotlib"))


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(
    *,
    reads: tuple[str, ...] = (),
    writes: tuple[str, ...] = (),
    settings: tuple[str, ...] = (),
    earlier: tuple[str, ...] = (),
    uses: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    cached: bool = True,
    **options: Any,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def task(
    function: Callable[P, R] | None = None,
    /,
    *,
    reads: tuple[str, ...] = (),
    writes: tuple[str, ...] = (),
    settings: tuple[str, ...] = (),
    earlier: tuple[str, ...] = (),
    uses: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    cached: bool = True,
    **options: Any,
) -> Task[P, R] | Callable[[Callable[P, R]], Task[P, R]]:
    """Makes a task of a function that takes and returns datasets by reference, never frames.

    The cache key consists of the function's name, its code and its arguments: inputs (`DatasetRef`)
    count by content, outputs (`Dataset`) by place, settings by value. The
    cached result is used as long as all its datasets are unchanged. Where an input changes while
    the function reads it, the task fails and writes nothing.

    If a parameter `seed` is None, a seed is drawn before the key is computed; the function always
    receives an integer. The seed is logged before the work, each dataset that was written after it.

    Args:
        function: A plain function of a module, not async. Settings that several tasks share go
            in one frozen record, which must hold only what each of these tasks reads.
        reads: The datasets that it reads, for the map; see `flows.engine.node.Node`.
        writes: The datasets that it writes.
        settings: The settings that it takes, by dotted path.
        earlier: The datasets of earlier runs that it reads, which the map leaves out.
        uses: Modules in which the function looks things up by a name from the configuration, and
            files of a package that it reads. Any change in them makes the task run again.
        notes: Parameters that do not affect the result, such as how much memory to use; a changed
            value does not make the task run again. `parameter.field` names a field of a record.
        cached: Whether its result is kept. If not, it runs whenever it is called, as a task must
            that changes something else than datasets.
        options: Options of `prefect.task`, such as `retries`. A `task_run_name` such as
            `"check_raw {table}"` distinguishes the runs of one task in the log.

    Raises:
        TypeError: The function is async, or `notes` names no parameter of it. When called: an
            argument or the result holds something other than datasets, records and plain values.
    """
    node = Node(reads, writes, settings, earlier)
    policy = DependencyCache(uses=uses, notes=notes) if cached else NO_CACHE
    if function is None:
        return functools.partial(_make_task, node=node, notes=notes, policy=policy, options=options)
    return _make_task(function, node, notes, policy, options)


def _make_task(
    function: Callable[P, R],
    node: Node,
    notes: tuple[str, ...],
    policy: CachePolicy,
    options: dict[str, Any],
) -> Task[P, R]:
    if inspect.iscoroutinefunction(function):
        raise TypeError(f"{function.__qualname__}: a task is a plain function, not async.")
    check_notes(function, notes)
    signature = inspect.signature(function)

    # All state is in the function, cache policy, store and serializer, because Prefect keeps only
    # these when it copies a task, as `with_options` does.
    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        call = signature.bind(*args, **kwargs)
        call.apply_defaults()
        check_arguments(function, call.arguments)
        if "seed" in call.arguments:
            call.arguments["seed"] = _log_seed(call.arguments["seed"])
        inputs = tuple(datasets_in(call.arguments))
        started = time.perf_counter()
        with attribute_read_errors(*inputs), made_of(*inputs):
            result = function(*call.args, **call.kwargs)
        _log_outputs(function.__name__, inputs, result, time.perf_counter() - started)
        return result

    vars(run)["node"] = node
    return Task(
        run,
        cache_policy=policy,
        persist_result=policy is not NO_CACHE,
        result_storage=ResultFiles(),
        result_serializer=DatasetSerializer(),
        cache_result_in_memory=False,  # A cached result is checked whenever it is read.
        on_completion=[record_cached],
        **{"task_run_name": function.__name__, **options},
    )


def _log_seed(seed: int | None) -> int:
    if seed is None:  # Called without Prefect.
        seed = DrawnSeed(draw_seed())
    origin = "drawn" if isinstance(seed, DrawnSeed) else "from the settings"
    run_logger().info("seed %d (%s)", seed, origin)
    return int(seed)


def _log_outputs(name: str, inputs: tuple[DatasetRef, ...], result: Any, seconds: float) -> None:
    encode(result)  # Raises if the result cannot be stored; Prefect would only warn.
    outputs = tuple(datasets_in(result))
    record(Call(name, inputs, outputs, seconds))
    for ref in outputs:
        rows = "" if ref.rows is None else f"{ref.rows:,} rows in "
        run_logger().info("%s: %s%.1f s -> %s", ref.name, rows, seconds, ref.uri)
