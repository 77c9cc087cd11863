"""The decorator of every task: cached by what it depends on, seeded, and telling what it wrote."""

import functools
import inspect
import os
import re
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, overload

from prefect.tasks import Task

from churnlib.io.datasets import Dataset, DatasetRef, attribute_read_errors
from churnlib.seeds import draw_seed
from flows.engine import log
from flows.engine.cache import DependencyCache, DrawnSeed, check_arguments, refreshing, run_logger
from flows.engine.ledger import Call, enter, enter_cached
from flows.engine.node import Node
from flows.engine.results import DatasetSerializer, datasets_in, encode
from flows.engine.server import prefect_home

__all__ = ["dataset_parameters", "refreshing", "task"]

P = ParamSpec("P")
R = TypeVar("R")

log.install()
# Matplotlib's list of fonts would otherwise go beside Prefect's home, into the user's. It is read
# when Matplotlib is imported, which tasks do only once they draw.
os.environ.setdefault("MPLCONFIGDIR", str(prefect_home() / "matplotlib"))


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(
    *,
    reads: tuple[str, ...] = (),
    writes: tuple[str, ...] = (),
    settings: tuple[str, ...] = (),
    uses: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    **options: Any,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def task(
    function: Callable[P, R] | None = None,
    /,
    *,
    reads: tuple[str, ...] = (),
    writes: tuple[str, ...] = (),
    settings: tuple[str, ...] = (),
    uses: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    **options: Any,
) -> Task[P, R] | Callable[[Callable[P, R]], Task[P, R]]:
    """Makes a task of a function that takes and returns datasets by reference, never frames.

    Its result is kept under a key of its name, its code and its parameters: inputs (`DatasetRef`)
    by content, outputs (`Dataset`) by place, settings by value. While every dataset of the result
    stands as it was written, the same key gives the same result without work.

    A parameter `seed` that is None is drawn before the key is made, so that the function receives
    an integer. The seed is logged before the work, every dataset that was written after it.

    Args:
        function: A plain function of a module, not async.
        reads: The datasets that it reads, for the map; see `flows.engine.node.Node`.
        writes: The datasets that it writes.
        settings: The settings that it takes, by dotted path.
        uses: Modules in which the function looks things up by a name from the configuration, and
            files of a package that it reads; they count whole.
        notes: Parameters that are only written down with the result, and do not decide it: another
            value does not make the task run again.
        options: What `prefect.task` takes, such as `retries`; a `task_run_name` such as
            `"check_raw {table}"` tells runs of one task apart in the log.

    Raises:
        TypeError: The function is async, or lacks a parameter of `notes`. When called: an argument
            or the result is neither a dataset, nor plain, nor made of such.
    """
    node = Node(reads, writes, settings)
    if function is None:
        return functools.partial(_make_task, node=node, uses=uses, notes=notes, options=options)
    return _make_task(function, node, uses, notes, options)


def _make_task(
    function: Callable[P, R],
    node: Node,
    uses: tuple[str, ...],
    notes: tuple[str, ...],
    options: dict[str, Any],
) -> Task[P, R]:
    if inspect.iscoroutinefunction(function):
        raise TypeError(f"{function.__qualname__}: a task is a plain function, not async.")
    signature = inspect.signature(function)
    if unknown := set(notes) - set(signature.parameters):
        raise TypeError(f"{function.__qualname__} has no parameter {', '.join(sorted(unknown))}.")

    # All that is built in lies in the function, its cache policy and its serializer, because
    # these go along when Prefect copies a task, as `with_options` does.
    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        call = signature.bind(*args, **kwargs)
        call.apply_defaults()
        check_arguments(function, call.arguments)
        if "seed" in call.arguments:
            call.arguments["seed"] = _tell_seed(call.arguments["seed"])
        started = time.perf_counter()
        with attribute_read_errors(*datasets_in(call.arguments)):
            result = function(*call.args, **call.kwargs)
        inputs = tuple(datasets_in(call.arguments))
        _record(function.__name__, inputs, result, time.perf_counter() - started)
        return result

    vars(run)["node"] = node
    return Task(
        run,
        cache_policy=DependencyCache(uses=uses, notes=notes),
        result_serializer=DatasetSerializer(),
        cache_result_in_memory=False,  # A kept result is checked each time it is read.
        on_completion=[enter_cached],
        **{"task_run_name": function.__name__, **options},
    )


def dataset_parameters(
    task: Task[..., Any], kind: type[DatasetRef] | type[Dataset]
) -> tuple[str, ...]:
    """Names the parameters of a task that are inputs (`DatasetRef`) or outputs (`Dataset`).

    Args:
        task: The task.
        kind: Which of the two; a parameter counts where its annotation names it.
    """
    named = re.compile(rf"\b{kind.__name__}\b")
    parameters = inspect.signature(task.fn).parameters.values()
    annotations = {p.name: inspect.formatannotation(p.annotation) for p in parameters}
    return tuple(name for name, annotation in annotations.items() if named.search(annotation))


def _tell_seed(seed: int | None) -> int:
    if seed is None:  # Called without Prefect.
        seed = DrawnSeed(draw_seed())
    origin = "drawn" if isinstance(seed, DrawnSeed) else "from the settings"
    run_logger().info("seed %d (%s)", seed, origin)
    return int(seed)


def _record(name: str, inputs: tuple[DatasetRef, ...], result: Any, seconds: float) -> None:
    encode(result)  # Refuses what cannot be kept; Prefect would only warn.
    outputs = tuple(datasets_in(result))
    enter(Call(name, inputs, outputs, seconds))
    for ref in outputs:
        rows = "" if ref.rows is None else f"{ref.rows:,} rows in "
        run_logger().info("%s: %s%.1f s -> %s", ref.name, rows, seconds, ref.uri)
