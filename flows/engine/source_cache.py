"""Keeps what was read from source files on disk, because parsing them takes half a second."""

import atexit
import hashlib
import json
import sys
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from churnlib.io import storage
from flows.engine import sources
from flows.engine.prefect_home import prefect_home
from flows.engine.sources import Code, Imported, Imports, Module


@lru_cache(maxsize=1024)
def read_module(name: str, path: Path, _changed_ns: int) -> Module:
    """Reads a module's file, once per modification time."""
    return source_cache().read(name, path.read_bytes(), is_package=path.name == "__init__.py")


@cache
def source_cache() -> "SourceCache":
    """The cache of this process, in Prefect's home. What is added is written at exit."""
    kept = SourceCache(prefect_home() / "source-cache.json")
    atexit.register(kept.write)
    return kept


class SourceCache:
    """Modules by name, as they were read from their source.

    A module is read again if its source differs, and all are if Python or the reader does.
    """

    def __init__(self, file: Path) -> None:
        """Opens the file; a missing or damaged one counts as empty."""
        self._file = file
        self._reader = _digest(Path(sources.__file__).read_bytes(), sys.version.encode())
        self._modules: dict[str, list[Any]] = {}
        self._has_new = False
        with suppress(OSError, ValueError, LookupError, TypeError):
            kept = json.loads(file.read_bytes())
            if kept["reader"] == self._reader:
                self._modules = dict(kept["modules"])

    def read(self, name: str, source: bytes, *, is_package: bool) -> Module:
        """Reads a module from its source, or takes what was kept for the same source."""
        key = _digest(source, bytes([is_package]))
        with suppress(LookupError, ValueError, TypeError, AttributeError):
            kept_key, content = self._modules[name]
            if kept_key == key:
                return _decode(name, content)
        module = Module.parse(name, source, is_package=is_package)
        self._modules[name] = [key, _encode(module)]
        self._has_new = True
        return module

    def write(self) -> None:
        """Writes the file if modules were added; a failure only costs time later."""
        if not self._has_new:
            return
        kept = {"reader": self._reader, "modules": self._modules}
        with suppress(Exception):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            storage.write_text(json.dumps(kept), self._file)


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _encode(module: Module) -> dict[str, Any]:
    return {
        "definitions": {
            name: [
                [code.digest, sorted(code.uses), _encode_imports(code.imports)] for code in codes
            ]
            for name, codes in module.definitions.items()
        },
        "imports": _encode_imports(module.imports),
        "stars": module.stars,
    }


def _decode(name: str, content: dict[str, Any]) -> Module:
    definitions = {
        defined: [
            Code(digest, frozenset(map(tuple, uses)), _decode_imports(imports))
            for digest, uses, imports in codes
        ]
        for defined, codes in content["definitions"].items()
    }
    return Module(name, definitions, _decode_imports(content["imports"]), content["stars"])


def _encode_imports(imports: Imports) -> dict[str, list[Imported]]:
    return {name: list(imported) for name, imported in imports.items()}


def _decode_imports(imports: dict[str, list[list[str]]]) -> Imports:
    return {name: {Imported(*place) for place in places} for name, places in imports.items()}
