"""What a place contains: readable by others at any time, and equal where runs did the same."""

import hashlib
import json
import re
import zipfile
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from churnlib.errors import ChurnlibError
from churnlib.io.catalog import Catalog
from churnlib.io.leftovers import find_leftovers
from churnlib.io.temporary import is_temporary
from churnlib.versions.champion import champion
from churnlib.versions.folder import list_versions, load_model
from churnlib.versions.in_use import list_in_use
from churnlib.versions.registry import read_registry
from tests.torture.place import GAME, Place

VERSION = re.compile(r"\d{8}T\d{9}Z")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|\+00:00| UTC)?")
ADDRESS = re.compile(r"\b\d{12,16}\b")
DIGEST = re.compile(r"\b[0-9a-f]{12}(?:[0-9a-f]{52})?\b")

PROBE = 8
"""The length of the name of a file by which `tempfile` tries a folder."""


def unreadable(place: Place) -> list[str]:
    """Lists what another program could not read of what is published, and why."""
    faults = []
    for file in published(place.data):
        try:
            parse(file)
        except Exception as error:
            faults.append(f"{file}: {type(error).__name__}: {error}")
    catalog = Catalog(str(place.data), GAME)
    try:
        read_registry(catalog.registry())
        if Path(catalog.champion().uri).exists():
            champion(catalog)
        for version in list_versions(catalog):
            load_model(catalog.model(version))
            for name in list_in_use(catalog.model(version)):
                load_model(catalog.model_in_use(version, name))
    except ChurnlibError as error:
        faults.append(str(error))
    return faults


def published(folder: Path) -> list[Path]:
    """Lists the files that others may read: those without hidden names."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [p for p in files if not any(n.startswith(".") for n in p.relative_to(folder).parts)]


def parse(file: Path) -> None:
    """Reads a whole file in its format."""
    match file.suffix:
        case ".parquet":
            pl.read_parquet(file)
        case ".json":
            json.loads(file.read_text(encoding="utf-8"))
        case ".html":
            assert file.read_text(encoding="utf-8").rstrip().endswith("</html>")
        case ".skops":
            assert zipfile.ZipFile(file).testzip() is None
        case _:
            file.read_bytes()


def left_over(place: Place) -> list[str]:
    """Lists what no finished run may leave."""
    left = [
        path
        for name in ("data", "home", "results")
        for path in find_leftovers(str(place.folder / name))
    ]
    left += [str(path) for path in (place.folder / "tmp").iterdir() if not is_pythons_own(path)]
    left += [str(p) for p in place.data.rglob("*") if p.name == "run.json" or p.suffix == ".lock"]
    left += [str(p) for p in place.data.rglob("parts/*")]
    left += [str(p) for p in (place.folder / "results").iterdir() if is_temporary(p.name)]
    return left


def is_pythons_own(path: Path) -> bool:
    """Whether a file is the one by which `tempfile` tries whether a folder can be written to."""
    return len(path.name) == PROBE and path.is_file() and path.read_bytes() in (b"", b"blat")


def contents(place: Place) -> dict[str, str]:
    """Digests every file without its times and versions, by its name without them."""
    names = sorted({name for path in place.data.rglob("*") for name in VERSION.findall(str(path))})
    known = {name: f"V{number}" for number, name in enumerate(names)}
    return {
        plain(str(file.relative_to(place.data)), known): digest(file, known)
        for file in published(place.data)
        if "01_raw" not in file.parts
    }


def digest(file: Path, known: dict[str, str]) -> str:
    """Digests a file without times and versions."""
    if file.suffix == ".parquet":
        frame = pl.read_parquet(file)
        if "model_version" in frame.columns:
            frame = frame.with_columns(pl.col("model_version").replace(known))
        rows = frame.write_ipc(None).getvalue()
        facts = plain(str(pq.read_metadata(file).metadata), known)
        return hashlib.sha256(rows + facts.encode()).hexdigest()
    if file.suffix == ".skops":
        return digest_of_model(file)
    text = file.read_text(encoding="utf-8", errors="replace")
    return hashlib.sha256(plain(text, known).encode()).hexdigest()


def digest_of_model(file: Path) -> str:
    """Digests a model file without the addresses in memory by which it names its objects."""
    members = zipfile.ZipFile(file)
    numbers: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        return numbers.setdefault(match[0], f"object {len(numbers)}")

    schema = ADDRESS.sub(number, members.read("schema.json").decode())
    content = {
        ADDRESS.sub(number, name): members.read(name)
        for name in members.namelist()
        if name != "schema.json"
    }
    parts = [name.encode() + content[name] for name in sorted(content)]
    return hashlib.sha256(schema.encode() + b"".join(parts)).hexdigest()


def plain(text: str, known: dict[str, str]) -> str:
    """A text without times, and with versions by their order."""
    text = VERSION.sub(lambda match: known.get(match[0], "V?"), text)
    return DIGEST.sub("DIGEST", TIME.sub("TIME", text))


def difference(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """Lists the files in which two contents differ."""
    return sorted(n for n in found.keys() | expected.keys() if found.get(n) != expected.get(n))
