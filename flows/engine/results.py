"""How the results of tasks are kept: as JSON that counts only while its datasets stand."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from prefect.serializers import Serializer
from pydantic import Field

from churnlib import errors
from churnlib.io.datasets import DatasetRef, is_unchanged


class StaleResultError(Exception):
    """A dataset that a kept result names is gone, or is not what the task wrote."""


class DatasetSerializer(Serializer):
    """Keeps results made of datasets and plain values.

    Reading raises where a dataset has changed since. Prefect reads a kept result before it takes
    it for a task's, and runs the task again where that fails.
    """

    type: str = Field(default="churnlib-datasets", frozen=True)

    def dumps(self, obj: Any) -> bytes:
        """Writes a result.

        Raises:
            TypeError: The result holds something else than datasets and plain values.
        """
        return json.dumps(encode(obj)).encode()

    def loads(self, blob: bytes) -> Any:
        """Reads a result.

        Raises:
            StaleResultError: A dataset in it is gone or has changed.
        """
        result = decode(json.loads(blob))
        for ref in datasets_in(result):
            if not is_unchanged(ref):
                raise StaleResultError(f"{ref.uri} is gone, or has changed since it was written.")
        return result


def datasets_in(result: Any) -> Iterator[DatasetRef]:
    """Yields every dataset in a result, in order."""
    if isinstance(result, DatasetRef):
        yield result
    elif isinstance(result, dict):
        for value in result.values():
            yield from datasets_in(value)
    elif isinstance(result, list | tuple):
        for value in result:
            yield from datasets_in(value)


def encode(value: Any) -> Any:
    """Puts a result into JSON's types; what JSON lacks becomes an object with one `$` key.

    Raises:
        TypeError: The value is neither a dataset, nor plain, nor made of such.
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
        case BaseException():  # Prefect keeps the error of a failed run, too.
            return {"$error": [type(value).__name__, str(value)]}
    raise TypeError(
        f"A task cannot return a {type(value).__name__}: return DatasetRefs, strings, numbers, "
        "dates, or tuples, lists and dicts (by name) of these."
    )


def decode(value: Any) -> Any:
    """Turns `encode` round. An error comes back as a `ChurnlibError`, or as a `RuntimeError`."""
    match value:
        case list():
            return [decode(item) for item in value]
        case {"$dataset": fields}:
            return DatasetRef(**fields)
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
