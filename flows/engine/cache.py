"""What the result of a task depends on, and so the key under which Prefect keeps it."""

import functools
import hashlib
import inspect
import json
import logging
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Any

from prefect.cache_policies import CachePolicy
from prefect.context import TaskRunContext
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger
from prefect.settings import PREFECT_TASKS_REFRESH_CACHE, temporary_settings
from pydantic import BaseModel

from churnlib.io.datasets import DatasetRef
from churnlib.seeds import draw_seed
from flows.engine.code_digest import Digest, code_digest, module_name

LIBRARIES = ("polars", "scikit-learn", "numpy", "skops", "joblib", "skrub", "lightgbm")
"""The libraries whose version, where installed, is part of every key: what a loaded model is held
against must also make a new one, or training again would give back the one that was refused."""

STARTED = time.time_ns()
"""When this process began; a source changed since may not be the code that runs here."""

Logger = logging.Logger | logging.LoggerAdapter[Any]


class DrawnSeed(int):
    """A seed that was drawn, because the settings give none."""


@contextmanager
def refreshing(on: bool = True) -> Iterator[None]:
    """Runs every task of the block anew, those of sub-flows too, and keeps the new results.

    Args:
        on: Whether to; otherwise the block is as without.
    """
    with temporary_settings({PREFECT_TASKS_REFRESH_CACHE: True}) if on else nullcontext():
        yield


def task_key(
    function: Callable[..., Any], arguments: Mapping[str, Any], uses: tuple[str, ...] = ()
) -> str:
    """Makes the key of a call.

    Inputs (`DatasetRef`) count by name, game and content, not by place; outputs (`Dataset`) by
    place; settings and all else by value.

    Args:
        function: The task's function.
        arguments: Every parameter of the call with its value.
        uses: Modules and files that count whole.

    Raises:
        TypeError: An argument is of a type that cannot be part of a key.
        LookupError: There is no source for the function or for a module in `uses`.
    """
    return _key(function, arguments, code_digest(function, uses))


def check_arguments(function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Refuses arguments that cannot be part of a key.

    Raises:
        TypeError: An argument is neither a dataset, nor plain, nor made of such.
    """
    for name, value in arguments.items():
        _canonical(value, f"{function.__name__}: the parameter {name}")


@dataclass
class DependencyCache(CachePolicy):
    """Keeps results under `task_key`.

    Attributes:
        uses: Modules and files that count whole.
        notes: Parameters that do not count.
    """

    uses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,
    ) -> str | None:
        """Makes the key of a call; None where the result must not be kept.

        A `seed` of None is drawn here, before the key is made.
        """
        if inputs.get("seed", 0) is None:
            # These are the very parameters that Prefect then calls the function with.
            inputs["seed"] = DrawnSeed(draw_seed())
        function = task_ctx.task.fn
        try:
            code = code_digest(function, self.uses)
            counting = {name: v for name, v in inputs.items() if name not in self.notes}
            key = _key(function, counting, code)
        except TypeError:
            return None  # The task itself raises it again, and fails.
        except LookupError as error:
            run_logger().warning("the result is not kept: %s", error)
            return None
        if changed := [str(f) for f in sorted(code.files) if f.stat().st_mtime_ns > STARTED]:
            run_logger().warning(
                "the result is not kept, because this code changed after the start of the run: %s",
                ", ".join(changed),
            )
            return None
        return key


def run_logger() -> Logger:
    """The logger of the current run; outside of one, that of this package."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger("flows")


def _key(function: Callable[..., Any], arguments: Mapping[str, Any], code: Digest) -> str:
    function = inspect.unwrap(function)
    parts = {
        "task": f"{module_name(function)}.{function.__qualname__}",
        "code": code.value,
        "versions": _versions(),
        "arguments": {
            name: _canonical(value, f"{function.__name__}: the parameter {name}")
            for name, value in arguments.items()
        },
    }
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return f"{function.__name__}-{digest}"


def _canonical(value: Any, what: str) -> Any:
    """Puts a value into JSON's types, so that equal values give equal text."""
    match value:
        case Enum():
            return _canonical(value.value, what)
        case None | bool() | int() | float() | str():
            return value
        case DatasetRef():
            return {"input": [value.name, value.game, value.fingerprint]}
        case date() | PurePath():
            return {type(value).__name__: str(value)}
        case list() | tuple():
            return [_canonical(item, what) for item in value]
        case set() | frozenset():
            return {"set": sorted(json.dumps(_canonical(item, what)) for item in value)}
        case Mapping():
            items = [[_canonical(k, what), _canonical(v, what)] for k, v in value.items()]
            return {"map": sorted(items, key=json.dumps)}
        case BaseModel():
            names = [*type(value).model_fields, *(value.model_extra or ())]
        case _ if is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in fields(value)]
        case _:
            raise TypeError(
                f"{what} holds a {type(value).__name__}, which cannot be part of the cache's key. "
                "Pass datasets, settings, strings, numbers, dates, or tuples, lists and dicts "
                "of these."
            )
    return {type(value).__qualname__: {n: _canonical(getattr(value, n), what) for n in names}}


@functools.cache
def _versions() -> dict[str, str]:
    python = ".".join(platform.python_version_tuple()[:2])
    versions = {"python": python}
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            versions[library] = version(library)
    return versions
