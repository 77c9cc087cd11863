"""What stands in the data folder of a game, dataset by dataset."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from churnlib.datasets import RAW_SUFFIXES, Dataset
from churnlib.errors import DataError, ModelError
from churnlib.model.store import MANIFEST, read_manifest
from churnlib.storage import fingerprint, read_metadata
from flows.map.graph import DatasetNode, Graph
from flows.map.stand_ins import MONTH

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


def look(graph: Graph, game: str, data_dir: Path) -> dict[str, Standing]:
    """Looks at every dataset of a graph.

    Args:
        graph: What there may be.
        game: Whose data they are.
        data_dir: The data folder.
    """
    return {node.id: _look_at(node, game, data_dir) for node in graph.datasets.values()}


def _look_at(node: DatasetNode, game: str, data_dir: Path) -> Standing:
    found = sorted(_places(node, data_dir), key=_age)
    if not found:
        return Standing()
    newest = found[0]
    try:
        told = _tell(newest, node.name, game)
    except (DataError, ModelError, OSError, ValueError, pl.exceptions.PolarsError) as error:
        told = {"facts": {"unreadable": str(error).splitlines()[0]}}
    others = () if newest.is_dir() else newest.parent.glob(f"{newest.stem}.*")
    return Standing(
        files=tuple(_file(path, data_dir) for path in found[:SHOWN]),
        beside=tuple(sorted(p.relative_to(data_dir).as_posix() for p in others if p != newest)),
        fingerprint=fingerprint(str(newest)),
        **told,
    )


def _places(node: DatasetNode, data_dir: Path) -> Iterator[Path]:
    """Yields the files of a dataset; of a folder of models, the folder of each version."""
    pattern = Path(node.path)
    if not pattern.suffix:
        yield from (manifest.parent for manifest in data_dir.glob(f"{pattern}/*/{MANIFEST}"))
    elif pattern.suffix in RAW_SUFFIXES and node.layer == "01_raw":
        yield from (
            path for s in RAW_SUFFIXES for path in data_dir.glob(f"{pattern.with_suffix(s)}")
        )
    else:
        yield from data_dir.glob(node.path)


def _age(path: Path) -> tuple[float, str]:
    # Files of one moment are told apart by name, backwards: the later month, the later version.
    return -_written(path), "".join(chr(0x10FFFF - ord(letter)) for letter in path.name)


def _written(path: Path) -> float:
    return (path / MANIFEST if path.is_dir() else path).stat().st_mtime


def _file(path: Path, data_dir: Path) -> File:
    files = [f for f in path.iterdir() if f.is_file()] if path.is_dir() else [path]
    month = MONTH.search(path.stem)
    return File(
        path=path.relative_to(data_dir).as_posix(),
        written=_written(path),
        size=sum(file.stat().st_size for file in files),
        month=month[0] if month and not path.is_dir() else "",
    )


def _tell(path: Path, name: str, game: str) -> dict[str, Any]:
    if path.is_dir():
        return _tell_model(Dataset(name, game, str(path)))
    if path.suffix == ".json":
        content = json.loads(path.read_text(encoding="utf-8"))
        if set(content) == {"version"}:  # The champion's pointer.
            model = Dataset(name, game, str(path.parent / str(content["version"])))
            return _tell_model(model) | {"made_of": {}}
        model_version = content.get("model_version", "")
        return {"facts": content, "model": model_version, "made_of": _fingerprints(content)}
    if path.suffix == ".csv":
        lines = pl.scan_csv(path, infer_schema=False, glob=False)
        rows: int = lines.select(pl.len()).collect(engine="streaming").item()
        return {"rows": rows, "columns": dict.fromkeys(lines.collect_schema(), "text")}
    table = pl.scan_parquet(path, glob=False)
    footer = read_metadata(Dataset(name, game, str(path)))
    facts = {key: json.loads(value) for key, value in footer.items()}
    beside = path.with_name(f"{path.stem}_sources.json")
    sources = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {}
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
