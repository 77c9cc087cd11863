"""Cache keys: everything that the result of a task depends on, as one digest."""

import functools
import hashlib
import inspect
import json
import platform
import re
import time
from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from enum import Enum
from importlib import metadata
from pathlib import Path, PurePath
from typing import Any

from prefect.cache_policies import CachePolicy
from prefect.context import TaskRunContext
from pydantic import BaseModel

from churnlib.io.datasets import DatasetRef
from churnlib.model import trust
from churnlib.seeds import draw_seed
from churnlib.versions.verification import library_versions
from flows.engine.code_digest import Digest, changed_at, code_digest, module_name
from flows.engine.process_start import STARTED as STARTED
from flows.engine.process_start import replaced_packages
from flows.engine.results import expect_datasets_of
from flows.engine.run_logger import run_logger as run_logger
from flows.engine.run_logger import warn_once

_CODE: ContextVar[tuple[str, Digest] | None] = ContextVar("code", default=None)


class DrawnSeed(int):
    """A seed that was drawn because the settings give none."""


def task_key(
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    uses: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> str:
    """Computes the key of a call.

    Inputs (`DatasetRef`) count by name, game and fingerprint, not by place; outputs (`Dataset`) by
    place; everything else by value. Records count by the name of their class and their fields.

    Args:
        function: The function of the task.
        arguments: Every parameter of the call with its value.
        uses: Modules and files that count as a whole.
        notes: Parameters, and fields of records as `parameter.field`, that do not count.

    Raises:
        TypeError: An argument is of a type that cannot be part of a key.
        LookupError: The source of the function, or of an entry of `uses`, is not found.
    """
    return _key(function, arguments, code_digest(function, uses), notes)


def check_arguments(function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Checks that arguments can be part of a key.

    Raises:
        TypeError: An argument holds something other than datasets, records and plain values.
    """
    for name, value in arguments.items():
        _canonical(value, f"{function.__name__}: the parameter {name}")


def check_notes(function: Callable[..., Any], notes: Collection[str]) -> None:
    """Checks that notes name parameters of a function, or fields of their records.

    Raises:
        TypeError: A parameter or field does not exist.
    """
    parameters = inspect.signature(function).parameters
    for note in notes:
        name, _, field = note.partition(".")
        if name not in parameters:
            raise TypeError(f"{function.__qualname__} has no parameter {name}.")
        if field and field not in (_field_names(parameters[name].annotation) or ()):
            raise TypeError(f"{function.__qualname__}: the parameter {name} has no field {field}.")


@dataclass
class DependencyCache(CachePolicy):
    """Keeps results under their `task_key`.

    Attributes:
        uses: Modules and files that count as a whole.
        notes: Parameters, and fields of records as `parameter.field`, that do not count.
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
        """Computes the key of a call; None if the result must not be kept.

        A `seed` of None is drawn first.
        """
        if inputs.get("seed", 0) is None:
            # Prefect calls the function with this same dictionary.
            inputs["seed"] = DrawnSeed(draw_seed())
        function = task_ctx.task.fn
        try:
            code = code_digest(function, self.uses)
            key = _key(function, inputs, code, self.notes)
        except TypeError:
            return None  # The task raises it again, and fails.
        except LookupError as error:
            run_logger().warning("the result is not kept: %s", error)
            return None
        if changed := changed_files(code):
            warn_once(_why_not_kept(changed), "changed code")
            return None
        expect_datasets_of(inputs, key)
        _CODE.set((key, code))
        return key


def changed_meanwhile(name: str) -> bool:
    """Whether the code of the current task has changed since it began; warns that nothing is kept.

    Tasks import parts of their code as late as they need them.

    Args:
        name: The name of the result.
    """
    key, code = _CODE.get() or ("", None)
    changed = changed_files(code) if code and key == name else []
    if changed:
        warn_once(_why_not_kept(changed), "changed code")
    return bool(changed)


def _why_not_kept(changed: list[Path]) -> str:
    files = ", ".join(map(str, changed))
    if any(changed_at(file) > time.time_ns() for file in changed):
        return (
            "the results of tasks are not kept, because code seems to have changed in the future: "
            f"the clock of this machine was set back. Set it right, or change the files: {files}"
        )
    return (
        "results of tasks are not kept, because their code changed after the start of the run: "
        f"{files}"
    )


def changed_files(code: Digest) -> list[Path]:
    """The files of some code that may not be what this process runs: they changed since it began.

    With code that builds models, the files of trusted packages count as well. Where a whole package
    has been replaced, it is the folder of that package.
    """
    if replaced := replaced_packages():
        return replaced
    files = {*code.files, *(trust.package_files() if _builds_models(code) else ())}
    return sorted(file for file in files if changed_at(file) > STARTED)


def _key(
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    code: Digest,
    notes: tuple[str, ...],
) -> str:
    function = inspect.unwrap(function)
    counting = {
        name: _canonical(value, f"{function.__name__}: the parameter {name}")
        for name, value in arguments.items()
        if name not in notes
    }
    for name, _, field in (note.partition(".") for note in notes if "." in note):
        (fields_of_record,) = counting[name].values()
        del fields_of_record[field]
    parts = {
        "task": f"{module_name(function)}.{function.__qualname__}",
        "code": code.value,
        "versions": _versions() | (trust.package_digests() if _builds_models(code) else {}),
        "arguments": counting,
    }
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return f"{function.__name__}-{digest}"


def _builds_models(code: Digest) -> bool:
    """Whether code may use the project's own packages, which only a configuration names."""
    return Path(trust.__file__) in code.files


def _canonical(value: Any, what: str) -> Any:
    """Turns a value into JSON types, so that equal values give equal text."""
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
    names = _field_names(type(value))
    if names is None:
        raise TypeError(
            f"{what} holds a {type(value).__name__}, which cannot be part of the cache's key. "
            "Pass datasets, settings, records, strings, numbers, dates, or tuples, lists and dicts "
            "of these."
        )
    names += getattr(value, "model_extra", None) or []
    return {type(value).__qualname__: {n: _canonical(getattr(value, n), what) for n in names}}


def _field_names(kind: Any) -> list[str] | None:
    """The fields of a dataclass or pydantic model; None for any other type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return list(kind.model_fields)
    return [field.name for field in fields(kind)] if is_dataclass(kind) else None


@functools.cache
def _versions() -> dict[str, str]:
    # All that the project depends on, and those that loading a model checks: if one of these did
    # not count here, training again would return the model that was refused.
    required = {
        re.split(r"[^\w.-]", line, maxsplit=1)[0]
        for line in metadata.requires("churnlib") or ()
        if "extra ==" not in line
    }
    installed = {name: metadata.version(name) for name in required if _is_installed(name)}
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, **installed, **library_versions()}


def _is_installed(name: str) -> bool:
    # A requirement may be for another system.
    return any(True for _ in metadata.distributions(name=name))
