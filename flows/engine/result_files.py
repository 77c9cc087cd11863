"""The files of task results: plain JSON of this project, from which Prefect creates no objects."""

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from prefect.filesystems import LocalFileSystem, WritableFileSystem
from prefect.settings import get_current_settings
from pydantic import PrivateAttr

from churnlib.errors import DataError, reason
from churnlib.io import storage
from churnlib.versions.signature import SIGNATURE, signature_fault, signed
from flows.engine.cache import changed_meanwhile
from flows.engine.results import SERIALIZER, check_places
from flows.engine.run_logger import warn_once

VARIABLE = "PREFECT_RESULTS_LOCAL_STORAGE_PATH"
"""The variable that names the folder of results."""
FIELDS = {"format", "name", "expiration", "kept"}
"""What a file contains: the name of the serializer, its own name, when it expires, and the
serialized result. With a signing key, its signature, too; see `churnlib.versions.signature`."""
UNSAVED = UUID("6c8d0a6e-5d0b-4c2e-9f53-2b1f3f0c8a11")
"""The id of the store, which no server knows. Prefect takes only stores with an id; and where it
would read a result by the id in a run's state, without these checks, it finds no store."""


class ForeignResultError(Exception):
    """A file among the results is not the result of a task of this project."""


class WrongSignatureError(ValueError):
    """A result is not signed, or not with the key of this run."""


class ResultFiles(WritableFileSystem):
    """Keeps results in the folder that Prefect's settings name, `results.local_storage_path`.

    Prefect's own record of a result names the serializer by which it is read, and some of them run
    code: whoever may write to the folder could run code as the worker. So a file here holds nothing
    but what `DatasetSerializer` wrote, and the record around it is made when it is read. Any other
    file counts as missing, with a warning: the task runs, and its result replaces the file.
    """

    _block_type_name: ClassVar[str | None] = "Results of churnlib"
    _block_document_id: UUID | None = PrivateAttr(UNSAVED)

    async def aread_path(self, path: str) -> bytes:
        """Reads a result as the record that Prefect expects; see `read_path`."""
        return self.read_path(path)

    def read_path(self, path: str, **_: Any) -> bytes:  # type: ignore[override]
        """Reads a result as the record that Prefect expects.

        Raises:
            ValueError: There is no such file.
            ForeignResultError: It was not written by `write_path`.
            StaleResultError: It refers to other data folders than the call.
        """
        file = _folder()._resolve_path(path)
        content = _folder().read_path(path, _sync=True)
        with suppress(OSError):  # See `remove_unused_results`.
            os.utime(file)
        try:
            kept = _parse(content, path)
        except (ValueError, RecursionError) as error:
            message = (
                f"{file} is ignored, because it is not the result of a task of this project: "
                f"{reason(error)}"
            )
            # A new key is no fault: it gives one warning, and not one a task.
            is_signature = isinstance(error, WrongSignatureError)
            warn_once(message, "signatures of results" if is_signature else None)
            raise ForeignResultError(message) from None
        check_places(path, str(kept["kept"]))
        metadata = {
            "storage_key": path,
            "storage_block_id": str(UNSAVED),
            "expiration": kept["expiration"],
            "serializer": {"type": SERIALIZER},
        }
        return json.dumps({"metadata": metadata, "result": kept["kept"]}).encode()

    async def awrite_path(self, path: str, content: bytes) -> None:
        """Writes a result; see `write_path`."""
        self.write_path(path, content)

    def write_path(self, path: str, content: bytes, **_: Any) -> None:  # type: ignore[override]
        """Writes a result, as a whole or not at all; none of code that changed meanwhile.

        Where the folder is full or may not be written to, a warning says so, once a run: the task
        then runs again next time.

        Args:
            path: Its name.
            content: Prefect's record of it.

        Raises:
            ValueError: The result was serialized by another serializer, or without a record, as
                Prefect does where a cache policy has a storage for keys.
        """
        if changed_meanwhile(path):
            return
        record = json.loads(content)
        metadata = record.get("metadata") or {}
        if metadata.get("serializer") != {"type": SERIALIZER}:
            raise ValueError("Only results of DatasetSerializer, with their records, are kept.")
        kept = {
            "format": SERIALIZER,
            "name": path,
            "expiration": metadata.get("expiration"),
            "kept": record["result"],
        }
        file = _folder()._resolve_path(path)
        try:
            storage.write_text(json.dumps(signed(kept)), file)
        except DataError as error:
            why = reason(error.__cause__ or error)
            warn_once(
                "results of tasks are not kept, so that tasks run again next time: "
                f"{result_folder()} cannot be written to ({why}). Free some space or grant write "
                f"access, or name another folder in {VARIABLE}.",
                "results",
            )


def remove_unused_results(days: int) -> int:
    """Removes the results that no run has read or written for a number of days.

    Returns:
        How many were removed.
    """
    removed, oldest = 0, time.time() - days * 24 * 3600
    with suppress(OSError):  # No folder yet, or one that may not be written to.
        for entry in os.scandir(result_folder()):
            is_old = entry.is_file(follow_symlinks=False) and entry.stat().st_mtime < oldest
            # Other projects may keep results in the same folder.
            if is_old and SERIALIZER.encode() in Path(entry.path).read_bytes():
                Path(entry.path).unlink()
                removed += 1
    return removed


def result_folder() -> str:
    """The folder with the files of results, which need not exist."""
    return str(_folder()._resolve_path("").resolve())


def _folder() -> Any:  # Its methods have a parameter `_sync` that their types do not show.
    return LocalFileSystem(basepath=str(get_current_settings().results.local_storage_path))


def _parse(content: bytes, name: str) -> dict[str, str | None]:
    """Parses what `write_path` wrote under a name.

    Raises:
        ValueError: It is anything else.
    """
    try:
        kept = json.loads(content)
    except ValueError:
        raise ValueError("it is not JSON") from None
    if not isinstance(kept, dict) or set(kept) - {SIGNATURE} != FIELDS:
        raise ValueError(f"it should have the fields {', '.join(sorted(FIELDS))}")
    if kept["format"] != SERIALIZER:
        raise ValueError(f"its format should be {SERIALIZER}, not {str(kept['format'])[:60]!r}")
    if kept["name"] != name:
        raise ValueError(f"it is that of {str(kept['name'])[:200]!r}")
    if fault := signature_fault(kept):
        raise WrongSignatureError(f"it {fault}; others like it are ignored, too")
    if not isinstance(kept["kept"], str) or not isinstance(kept["expiration"], str | None):
        raise ValueError("a field is not text")
    return kept
