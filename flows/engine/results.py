"""The results of tasks: stored as JSON, and reused only while their datasets are unchanged."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, fields, is_dataclass
from datetime import date, datetime
from typing import Any
from uuid import uuid4

from prefect.serializers import Serializer
from pydantic import BaseModel, Field

from churnlib import errors
from churnlib.io.catalog import Catalog, data_dir_of
from churnlib.io.datasets import Dataset, DatasetRef, is_unchanged
from churnlib.io.storage import is_within
from churnlib.uris import folder_of
from flows.engine.publication import present

SERIALIZER = "churnlib-datasets"
"""The name of the serializer, in the files of results."""

_REFRESH: ContextVar[str | None] = ContextVar("refresh", default=None)
_EXPECTED: ContextVar[tuple[str, frozenset[tuple[str, str]]]] = ContextVar(
    "expected", default=("", frozenset())
)


@contextmanager
def refreshing(on: bool = True) -> Iterator[None]:
    """Runs the tasks of the block again, ignoring stored results, including those of its sub-flows.

    A task that is called twice with the same arguments still runs only once: the second call gets
    the result of the first. A nested block is part of the outer one.

    Args:
        on: Whether to refresh; if false, the block changes nothing.
    """
    token = _REFRESH.set((_REFRESH.get() or uuid4().hex) if on else _REFRESH.get())
    try:
        yield
    finally:
        _REFRESH.reset(token)


class StaleResultError(Exception):
    """A stored result cannot be used: it is to be refreshed, or one of its datasets has changed."""


class DatasetSerializer(Serializer):
    """Serializes results that consist of datasets and plain values.

    Prefect reads a stored result before it uses it, and runs the task if reading fails.
    """

    type: str = Field(default=SERIALIZER, frozen=True)

    def dumps(self, obj: Any) -> bytes:
        """Serializes a result, with the id of the refresh.

        Raises:
            TypeError: The result holds something other than datasets and plain values.
        """
        return json.dumps({"refresh": _REFRESH.get(), "result": encode(obj)}).encode()

    def loads(self, blob: bytes) -> Any:
        """Reads a result.

        Raises:
            StaleResultError: It is not of the current refresh, or a dataset in it is missing or
                has changed.
        """
        kept = json.loads(blob)
        if _REFRESH.get() not in (None, kept["refresh"]):
            raise StaleResultError("The result was made before this run, which refreshes all.")
        result = decode(kept["result"])
        for ref in datasets_in(result):
            if not is_unchanged(present(ref)):
                raise StaleResultError(
                    f"{ref.uri} is missing, or has changed since it was written."
                )
        return result


def expect_datasets_of(arguments: Any, name: str) -> None:
    """Notes what a task is called with, for `check_places` of its stored result.

    Args:
        arguments: The arguments.
        name: The name of the result.
    """
    _EXPECTED.set((name, frozenset(_folders_in(arguments))))


def check_places(name: str, blob: str) -> None:
    """Checks that a stored result refers to no other data folders than the arguments do.

    A file among the results could otherwise make any file pass for an output.

    Raises:
        StaleResultError: It does.
    """
    expected, folders = _EXPECTED.get()
    if name != expected or not folders:
        return
    for ref in datasets_in(decode(json.loads(blob)["result"])):
        if not any(ref.game == game and is_within(ref.uri, folder) for game, folder in folders):
            raise StaleResultError(f"{ref.uri} is not in a data folder of this call.")


def _folders_in(value: Any) -> Iterator[tuple[str, str]]:
    """Yields the game and data folder of each dataset and catalog in a value."""
    match value:
        case Dataset() | DatasetRef():
            yield value.game, data_dir_of(value.uri, value.game) or folder_of(value.uri)
        case Catalog():
            yield value.game, value.data_dir
        case _:
            for item in _items(value):
                yield from _folders_in(item)


def datasets_in(value: Any) -> Iterator[DatasetRef]:
    """Yields every dataset in a value, in order; collections and records are searched."""
    if isinstance(value, DatasetRef):
        yield value
        return
    for item in _items(value):
        yield from datasets_in(item)


def _items(value: Any) -> Iterable[Any]:
    """The values in a collection or record; none in any other value."""
    match value:
        case Mapping():
            return value.values()
        case list() | tuple():
            return value
        case BaseModel():
            return [item for _, item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return [getattr(value, field.name) for field in fields(value)]
    return ()


def encode(value: Any) -> Any:
    """Turns a result into JSON types; a type that JSON lacks becomes an object with one `$` key.

    Raises:
        TypeError: The value holds something other than datasets and plain values.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case DatasetRef():
            return {"$dataset": asdict(value)}
        case datetime():
            return {"$datetime": value.isoformat()}
        case date():
            return {"$date": value.isoformat()}
        case list():
            return [encode(item) for item in value]
        case tuple():
            return {"$tuple": [encode(item) for item in value]}
        case dict() if all(isinstance(key, str) and key[:1] != "$" for key in value):
            return {key: encode(item) for key, item in value.items()}
        case BaseException():  # Prefect also keeps the error of a failed run.
            return {"$error": [type(value).__name__, str(value)]}
    raise TypeError(
        f"A task cannot return a {type(value).__name__}: return DatasetRefs, strings, numbers, "
        "dates, or tuples, lists and dicts with text keys of these."
    )


def decode(value: Any) -> Any:
    """Reverses `encode`; an error comes back as a `ChurnlibError` or a `RuntimeError`."""
    match value:
        case list():
            return [decode(item) for item in value]
        case {"$dataset": attributes}:
            return DatasetRef(**attributes)
        case {"$datetime": text}:
            return datetime.fromisoformat(text)
        case {"$date": text}:
            return date.fromisoformat(text)
        case {"$tuple": items}:
            return tuple(decode(item) for item in items)
        case {"$error": [name, message]}:
            known = getattr(errors, name, None)
            if isinstance(known, type) and issubclass(known, errors.ChurnlibError):
                return known(message)
            return RuntimeError(f"{name}: {message}")
        case dict():
            return {key: decode(item) for key, item in value.items()}
    return value
