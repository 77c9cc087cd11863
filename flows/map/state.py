"""The state of a game's data: the present files of each dataset in the data folder."""

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
from churnlib.io.catalog import Catalog, time_order
from churnlib.io.datasets import Dataset
from churnlib.io.footer import read_metadata
from churnlib.io.local import Entry
from churnlib.io.raw_files import RAW_SUFFIXES
from churnlib.raw.parts import parts_of
from churnlib.uris import folder_of, join, with_suffix
from churnlib.versions.manifest import MANIFEST, read_manifest
from flows.map.graph import DatasetNode, Graph

MONTH = re.compile(r"\d{4}-\d\d")
"""The month in the name of a file."""
RAW = "01_raw"
"""The layer of raw tables."""
MAX_FILES = 12
"""Maximum number of files listed per dataset, the newest first."""


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
    month: str = ""


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
    """Reads the state of every dataset of a graph, by id."""
    layers = {node.layer for node in graph.datasets.values()}
    entries = {layer: storage.list_files(join(data_dir, layer, game)) for layer in layers}
    return {
        node.id: _read_state(node, game, data_dir, entries[node.layer])
        for node in graph.datasets.values()
    }


def _read_state(
    node: DatasetNode, game: str, data_dir: str, entries: Sequence[Entry]
) -> DatasetState:
    if node.layer == RAW and (state := _raw_state(node, game, data_dir)):
        return state
    folder = f"{node.layer}/{game}"
    is_model = node.path.rstrip("/") == folder
    unsorted = _versions(folder, entries) if is_model else _files(node.path, folder, entries)
    files = sorted(unsorted, key=lambda file: time_order(file.path), reverse=True)
    if not files:
        return DatasetState()
    newest = Dataset(node.name, game, join(data_dir, files[0].path))
    try:
        content = _read_model(newest) if is_model else _read_content(newest)
    except (DataError, ModelError, OSError, ValueError, pl.exceptions.PolarsError) as error:
        content = {"facts": {"unreadable": str(error).splitlines()[0]}}
    paths = () if is_model else tuple(f"{folder}/{entry.name}" for entry in entries)
    stem = f"{PurePath(files[0].path).with_suffix('')}."
    return DatasetState(
        files=tuple(files[:MAX_FILES]),
        other_formats=tuple(p for p in paths if p.startswith(stem) and p != files[0].path),
        fingerprint=storage.fingerprint(newest.uri),
        **content,
    )


def _raw_state(node: DatasetNode, game: str, data_dir: str) -> DatasetState | None:
    """The state of a raw table that is not one plain file of its name; None of others.

    It has no rows and columns, because these are known only after reading it as the settings say.
    """
    path = node.path.removeprefix(f"{RAW}/{game}/")
    named = path == f"{node.name}.csv"
    try:
        source = Catalog(data_dir, game).raw(node.name, None if named else path)
        parts = parts_of(source)
    except DataError:
        return None
    if named and source.uri.endswith((".csv", ".parquet")):
        return None
    found = (storage.find_file(part.uri) for part in parts[:MAX_FILES])
    files = (
        File(entry.uri.removeprefix(f"{data_dir.rstrip('/')}/"), entry.written / 1e9, entry.size)
        for entry in found
        if entry
    )
    return DatasetState(files=tuple(files), fingerprint=storage.fingerprint(source.uri))


def _versions(folder: str, entries: Sequence[Entry]) -> Iterator[File]:
    for entry in entries:
        version, slash, name = entry.name.partition("/")
        if slash and name == MANIFEST:
            size = sum(e.size for e in entries if e.name.startswith(f"{version}/"))
            yield File(f"{folder}/{version}", entry.written / 1e9, size)


def _files(pattern: str, folder: str, entries: Sequence[Entry]) -> Iterator[File]:
    patterns = [pattern]
    if pattern.endswith(".csv"):  # A raw table, which may have any of these formats.
        patterns = [with_suffix(pattern, suffix) for suffix in RAW_SUFFIXES]
    for entry in entries:
        path, month = f"{folder}/{entry.name}", MONTH.search(entry.name)
        if any(fnmatchcase(path, wanted) for wanted in patterns):
            yield File(path, entry.written / 1e9, entry.size, month[0] if month else "")


def _read_content(file: Dataset) -> dict[str, Any]:
    """Reads the attributes of `DatasetState` that depend on the format of a file."""
    if file.uri.endswith(".json"):
        return _read_json(file)
    if file.uri.endswith(".csv"):
        options = storage.reader_options(file.uri)
        lines = pl.scan_csv(file.uri, infer_schema=False, glob=False, **options)
        rows: int = lines.select(pl.len()).collect(engine="streaming").item()
        return {"rows": rows, "columns": dict.fromkeys(lines.collect_schema(), "text")}
    return _read_parquet(file)


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
