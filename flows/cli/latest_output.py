"""The latest output of a flow by what the files say: times of files change when they are copied."""

import json
from collections.abc import Sequence
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

from churnlib.errors import DataError
from churnlib.io.catalog import batch_name, time_order
from churnlib.io.datasets import Dataset
from churnlib.io.local import Entry
from churnlib.io.storage import list_files, read_bytes
from churnlib.settings import Settings
from churnlib.uris import join, name_of
from flows import BaseFlow


def latest_output(settings: Settings, flow: BaseFlow) -> str:
    """Describes the latest output of a flow: its name, and the day that it is as of.

    Outputs of several months are named by month, and models by the time of their training.
    """
    folder = join(settings.data_dir, flow.layer, settings.game)
    found = _latest(list_files(folder), flow.output)
    if found is None:
        return "nothing yet"
    facts = _facts(settings.game, join(folder, found))
    day = f"as of {facts['as_of']}" if facts.get("as_of") else "not readable"
    name = found.removesuffix("/manifest.json")
    if flow.is_monthly and facts.get("window"):
        name = f"{name}, batch {batch_name(*map(date.fromisoformat, facts['window']))}"
    return f"{day:<16}  {name}"


def _latest(files: Sequence[Entry], pattern: str) -> str | None:
    names = (file.name for file in files if fnmatchcase(file.name, pattern))
    return max(names, key=time_order, default=None)


def _facts(game: str, uri: str) -> dict[str, Any]:
    """The day and window of an output; empty if it cannot be read, or an older release wrote it."""
    try:
        if uri.endswith(".parquet"):
            from churnlib.io.footer import optional_facts

            return optional_facts(Dataset(name_of(uri), game, uri), "as_of", "window")
        content = json.loads(read_bytes(uri))
        window = content.get("window")
        if isinstance(window, dict):
            window = [window["start"], window["end"]]
        return {"as_of": content.get("as_of"), "window": window}
    except (DataError, OSError, ValueError, LookupError, AttributeError):
        return {}
