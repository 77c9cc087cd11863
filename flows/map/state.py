"""The state of a game's data: what the data folder now holds of each dataset."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import Any

import polars as pl

from churnlib.errors import DataError, ModelError
from churnlib.io import storage
from churnlib.io.catalog import RAW_SUFFIXES
from churnlib.io.datasets import Dataset
from churnlib.io.footer import read_metadata
from churnlib.io.local import Entry
from churnlib.uris import folder_of, join, with_suffix
from churnlib.versions.manifest import MANIFEST, read_manifest
from flows.map.graph import DatasetNode, Graph

MONTH = re.compile(r"\d{4}-\d\d")
"""The month in the name of a file."""
MAX_FILES = 12
"""How many files of a dataset are listed, the newest first."""


@dataclass(frozen=True)
class File:
    """A file of a dataset, or the folder of a model version.

    Attributes:
        path: Its path from the data folder.
        written: When it was written, in seconds since 1970.
        size: Its size in bytes.
        month: The month in its name; empty if there is none.
    """

    path: str
    written: float
    size: int
    month: str


@dataclass(frozen=True)
class DatasetState:
    """The present state of a dataset. If it has several files, all but `files` is of the newest.

    Attributes:
        files: Its files, the newest first; empty if it was not written yet.
        other_formats: The paths of the same data in other formats.
        fingerprint: The fingerprint of its content.
        rows: The number of its rows; None if it is not a table.
        columns: The type of each column.
        facts: The content of its Parquet footer, its manifest or its JSON file.
        inputs: The fingerprints of the datasets that it was made from, by name, if it records them.
        model: The model version that it comes from; empty if none.
    """

    files: tuple[File, ...] = ()
    other_formats: tuple[str, ...] = ()
    fingerprint: str = ""
    rows: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    model: str = ""


def read_states(graph: Graph, game: str, data_dir: str) -> dict[str, DatasetState]:
    """Reads the state of every dataset of a graph, by id.

    Args:
        graph: The graph.
        game: The game whose data it describes.
        data_dir: The data folder.
    """
    layers = {node.layer for node in graph.datasets.values()}
    entries = {layer: storage.list_files(join(data_dir, layer, game)) for layer in layers}
    return {
        node.id: _read_state(node, game, entries[node.layer]) for node in graph.datasets.values()
    }


@dataclass(frozen=True)
class _Found:
    """A file, or the folder of a model version; `name` is its path from the game's folder."""

    uri: str
    name: str
    written: int
    size: int
    is_model: bool = False


def _read_state(node: DatasetNode, game: str, entries: Sequence[Entry]) -> DatasetState:
    folder = f"{node.layer}/{game}"
    pattern = node.path.removeprefix(folder).lstrip("/")
    found = sorted(_files(pattern, entries) if pattern else _versions(entries), key=_newest_first)
    if not found:
        return DatasetState()
    newest = found[0]
    try:
        content = _read_content(newest, node.name, game)
    except (DataError, ModelError, OSError, ValueError, pl.exceptions.PolarsError) as error:
        content = {"facts": {"unreadable": str(error).splitlines()[0]}}
    stem = f"{PurePath(newest.name).stem}."
    others = [e.name for e in entries if e.name.startswith(stem) and e.name != newest.name]
    return DatasetState(
        files=tuple(_file(file, folder) for file in found[:MAX_FILES]),
        other_formats=() if newest.is_model else tuple(f"{folder}/{name}" for name in others),
        fingerprint=storage.fingerprint(newest.uri),
        **content,
    )


def _versions(entries: Sequence[Entry]) -> Iterator[_Found]:
    for entry in entries:
        version, slash, name = entry.name.rpartition("/")
        if slash and name == MANIFEST:
            size = sum(e.size for e in entries if e.name.startswith(f"{version}/"))
            yield _Found(folder_of(entry.uri), version, entry.written, size, is_model=True)


def _files(pattern: str, entries: Sequence[Entry]) -> Iterator[_Found]:
    patterns = [pattern]
    if pattern.endswith(".csv"):  # A raw table, which may have any of these formats.
        patterns = [with_suffix(pattern, suffix) for suffix in RAW_SUFFIXES]
    for entry in entries:
        if any(fnmatchcase(entry.name, wanted) for wanted in patterns):
            yield _Found(entry.uri, entry.name, entry.written, entry.size)


def _newest_first(found: _Found) -> tuple[int, str]:
    # Files written at the same moment are sorted by name, backwards: the later month or version.
    return -found.written, "".join(chr(0x10FFFF - ord(letter)) for letter in found.name)


def _file(found: _Found, folder: str) -> File:
    month = MONTH.search(found.name)
    return File(
        path=f"{folder}/{found.name}",
        written=found.written / 1e9,
        size=found.size,
        month=month[0] if month and not found.is_model else "",
    )


def _read_content(found: _Found, name: str, game: str) -> dict[str, Any]:
    """Reads the attributes of `DatasetState` that depend on the kind of a file."""
    if found.is_model:
        return _read_model(Dataset(name, game, found.uri))
    if found.uri.endswith(".json"):
        return _read_json(Dataset(name, game, found.uri))
    if found.uri.endswith(".csv"):
        options = storage.reader_options(found.uri)
        lines = pl.scan_csv(found.uri, infer_schema=False, glob=False, **options)
        rows: int = lines.select(pl.len()).collect(engine="streaming").item()
        return {"rows": rows, "columns": dict.fromkeys(lines.collect_schema(), "text")}
    return _read_parquet(Dataset(name, game, found.uri))


def _read_model(model: Dataset) -> dict[str, Any]:
    manifest = read_manifest(model)
    return {
        "facts": manifest,
        "inputs": _fingerprints(manifest.get("inputs", {})),
        "model": manifest["version"],
    }


def _read_json(file: Dataset) -> dict[str, Any]:
    content = json.loads(storage.read_bytes(file.uri))
    if set(content) == {"version"}:  # The champion's pointer.
        folder = join(folder_of(file.uri), str(content["version"]))
        return _read_model(Dataset(file.name, file.game, folder))
    model = content.get("model_version", "")
    return {"facts": content, "inputs": _fingerprints(content), "model": model}


def _read_parquet(file: Dataset) -> dict[str, Any]:
    table = pl.scan_parquet(file.uri, glob=False, **storage.reader_options(file.uri))
    facts = {key: json.loads(value) for key, value in read_metadata(file).items()}
    note = file.uri.removesuffix(".parquet") + "_sources.json"
    inputs = json.loads(storage.read_bytes(note)) if storage.is_file(note) else {}
    return {
        "rows": table.select(pl.len()).collect().item(),
        "columns": {column: str(kind) for column, kind in table.collect_schema().items()},
        "facts": facts,
        "inputs": _fingerprints(inputs),
        "model": facts.get("model_version", ""),
    }


def _fingerprints(facts: Mapping[str, Any]) -> dict[str, str]:
    """Returns the fingerprints that a file records, by the name of the dataset."""
    return {
        name: value["fingerprint"]
        for name, value in facts.items()
        if isinstance(value, Mapping) and "fingerprint" in value
    }
