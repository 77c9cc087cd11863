"""What stands in the data folder of a game, dataset by dataset."""

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
SHOWN = 12
"""How many files of a dataset are told of, the newest first."""


@dataclass(frozen=True)
class File:
    """A file of a dataset; of a model its folder.

    Attributes:
        path: From the data folder.
        written: When, in seconds since 1970.
        size: In bytes.
        month: The month in its name; empty if there is none.
    """

    path: str
    written: float
    size: int
    month: str


@dataclass(frozen=True)
class Standing:
    """What stands at a dataset's place; of several months' files, the rest is of the newest.

    Attributes:
        files: The newest first; none where nothing stands there yet.
        beside: Files of the same name in other formats.
        fingerprint: As tasks know it by.
        rows: Null where rows make no sense.
        columns: Their types, by name.
        facts: What its footer, manifest or text tells.
        made_of: The fingerprints of the datasets that it tells to be made of, by name.
        model: The version of the model that it comes from.
    """

    files: tuple[File, ...] = ()
    beside: tuple[str, ...] = ()
    fingerprint: str = ""
    rows: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    made_of: Mapping[str, str] = field(default_factory=dict)
    model: str = ""


def look(graph: Graph, game: str, data_dir: str) -> dict[str, Standing]:
    """Looks at every dataset of a graph.

    Args:
        graph: What there may be.
        game: Whose data they are.
        data_dir: The data folder.
    """
    layers = {node.layer for node in graph.datasets.values()}
    listed = {layer: storage.list_files(join(data_dir, layer, game)) for layer in layers}
    return {node.id: _look_at(node, game, listed[node.layer]) for node in graph.datasets.values()}


@dataclass(frozen=True)
class _Found:
    """A file, or the folder of a model; its `name` is the path from the game's folder."""

    uri: str
    name: str
    written: int
    size: int
    is_model: bool = False


def _look_at(node: DatasetNode, game: str, listed: Sequence[Entry]) -> Standing:
    above = f"{node.layer}/{game}"
    found = sorted(_places(node.path.removeprefix(above).lstrip("/"), listed, node), key=_age)
    if not found:
        return Standing()
    newest = found[0]
    try:
        told = _tell(newest, node.name, game)
    except (DataError, ModelError, OSError, ValueError, pl.exceptions.PolarsError) as error:
        told = {"facts": {"unreadable": str(error).splitlines()[0]}}
    stem = f"{PurePath(newest.name).stem}."
    others = [e.name for e in listed if e.name.startswith(stem) and e.name != newest.name]
    return Standing(
        files=tuple(_file(one, above) for one in found[:SHOWN]),
        beside=() if newest.is_model else tuple(f"{above}/{name}" for name in others),
        fingerprint=storage.fingerprint(newest.uri),
        **told,
    )


def _places(pattern: str, listed: Sequence[Entry], node: DatasetNode) -> Iterator[_Found]:
    """Yields the files of a dataset; of the folder of models, the folder of each version."""
    if not pattern:
        for entry in listed:
            version, slash, name = entry.name.rpartition("/")
            if slash and name == MANIFEST:
                size = sum(e.size for e in listed if e.name.startswith(f"{version}/"))
                yield _Found(folder_of(entry.uri), version, entry.written, size, is_model=True)
        return
    is_raw = node.layer == "01_raw"
    patterns = [with_suffix(pattern, s) for s in RAW_SUFFIXES] if is_raw else [pattern]
    for entry in listed:
        if any(fnmatchcase(entry.name, wanted) for wanted in patterns):
            yield _Found(entry.uri, entry.name, entry.written, entry.size)


def _age(found: _Found) -> tuple[int, str]:
    # Files of one moment are told apart by name, backwards: the later month, the later version.
    return -found.written, "".join(chr(0x10FFFF - ord(letter)) for letter in found.name)


def _file(found: _Found, above: str) -> File:
    month = MONTH.search(found.name)
    return File(
        path=f"{above}/{found.name}",
        written=found.written / 1e9,
        size=found.size,
        month=month[0] if month and not found.is_model else "",
    )


def _tell(found: _Found, name: str, game: str) -> dict[str, Any]:
    uri, options = found.uri, storage.reader_options(found.uri)
    if found.is_model:
        return _tell_model(Dataset(name, game, uri))
    if uri.endswith(".json"):
        content = json.loads(storage.read_bytes(uri))
        if set(content) == {"version"}:  # The champion's pointer.
            model = Dataset(name, game, join(folder_of(uri), str(content["version"])))
            return _tell_model(model)
        model_version = content.get("model_version", "")
        return {"facts": content, "model": model_version, "made_of": _fingerprints(content)}
    if uri.endswith(".csv"):
        lines = pl.scan_csv(uri, infer_schema=False, glob=False, **options)
        rows: int = lines.select(pl.len()).collect(engine="streaming").item()
        return {"rows": rows, "columns": dict.fromkeys(lines.collect_schema(), "text")}
    table = pl.scan_parquet(uri, glob=False, **options)
    footer = read_metadata(Dataset(name, game, uri))
    facts = {key: json.loads(value) for key, value in footer.items()}
    beside = uri.removesuffix(".parquet") + "_sources.json"
    sources = json.loads(storage.read_bytes(beside)) if storage.is_file(beside) else {}
    return {
        "rows": table.select(pl.len()).collect().item(),
        "columns": {column: str(kind) for column, kind in table.collect_schema().items()},
        "facts": facts,
        "made_of": _fingerprints(sources),
        "model": facts.get("model_version", ""),
    }


def _tell_model(model: Dataset) -> dict[str, Any]:
    manifest = read_manifest(model)
    return {
        "facts": manifest,
        "made_of": _fingerprints(manifest.get("inputs", {})),
        "model": manifest["version"],
    }


def _fingerprints(sources: Mapping[str, Any]) -> dict[str, str]:
    """What a file tells to be made of: what it says a fingerprint of."""
    told = {name: facts for name, facts in sources.items() if isinstance(facts, Mapping)}
    return {n: facts["fingerprint"] for n, facts in told.items() if "fingerprint" in facts}
