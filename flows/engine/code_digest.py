"""The digest of the code that a function runs, read from the source; nothing is imported.

What counts: the function, and recursively every definition of the project that it names, with the
statements of those modules that bind no name. Docstrings, comments and layout do not count.
Annotations do, also quoted ones and those of `TYPE_CHECKING` imports, because the methods of an
argument run as part of the function. A module that is used as a value counts as a whole.

Code that is only looked up at run time, such as a class named in the configuration or a template,
is not found this way: `uses` names its modules and files, which then count as a whole.
"""

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from inspect import unwrap
from pathlib import Path
from typing import Any, NamedTuple

from flows.engine.sources import LOOSE, Imported, Imports, Module, Use, find_module, read_module

PACKAGES = frozenset({"churnlib", "flows"})
"""The packages whose code counts. That of the function's own package counts, too."""


class Digest(NamedTuple):
    """The digest of a function's code, and the files that the code was read from."""

    value: str
    files: frozenset[Path]


class Definition(NamedTuple):
    """A name that a module defines; None for the whole module."""

    module: str
    name: str | None


def code_digest(function: Callable[..., Any], uses: Iterable[str] = ()) -> Digest:
    """Digests the code that a function runs.

    Args:
        function: A function of a module; one defined inside another counts as the outer one.
        uses: What counts as a whole: modules by full name, a package with all its modules; and
            other files of a package, or a folder of them, such as `churnlib/report/page`.

    Raises:
        LookupError: The source of the function, or of an entry of `uses`, is not found.
    """
    function = unwrap(function)
    module, name = module_name(function), function.__qualname__.split(".")[0]
    sources = _Sources(module, Path(function.__code__.co_filename))
    data_files = dict(_data_files(used for used in uses if "/" in used))
    modules = (used for used in uses if "/" not in used)
    wanted = [Definition(module, name), *(Definition(used, None) for used in modules)]
    for definition in wanted:
        if not sources.has(definition):
            raise LookupError(f"{definition.module}: there is no source for {definition.name}.")
    pieces = sorted(sources.follow_all(wanted))
    pieces += [f"{used} = {path.read_bytes()!r}" for used, path in sorted(data_files.items())]
    files = frozenset((*sources.files.values(), *data_files.values()))
    return Digest(hashlib.sha256("\n".join(pieces).encode()).hexdigest(), files)


def _data_files(uses: Iterable[str]) -> Iterator[tuple[str, Path]]:
    for used in uses:
        package, _, rest = used.partition("/")
        home = find_module(package)
        path = None if home is None else home.parent / rest
        if path is None or not path.exists():
            raise LookupError(f"there is no file {used}.")
        within = sorted(path.iterdir()) if path.is_dir() else [path]
        yield from ((f"{used}/{file.name}", file) for file in within)


def module_name(function: Callable[..., Any]) -> str:
    """The full name of a function's module, also where that module is run as a program."""
    name = function.__module__
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return spec.name if name == "__main__" and spec is not None else name


class _Sources:
    """The modules that contain the code of one function."""

    def __init__(self, module: str, path: Path) -> None:
        self._roots = PACKAGES | {module.split(".")[0]}
        self.files = {module: path}
        self._read: dict[str, Module | None] = {}

    def module(self, name: str) -> Module | None:
        """Reads a module of the project; returns None for other modules."""
        if name not in self._read:
            self._read[name] = self._module(name)
        return self._read[name]

    def _module(self, name: str) -> Module | None:
        path = self.files.get(name) or self._find(name)
        if path is None or not path.is_file():
            return None
        self.files[name] = path
        return read_module(name, path, path.stat().st_mtime_ns)

    def _find(self, name: str) -> Path | None:
        return find_module(name) if name.split(".")[0] in self._roots else None

    def has(self, definition: Definition) -> bool:
        module = self.module(definition.module)
        return module is not None and (
            definition.name is None or definition.name in module.definitions
        )

    def follow_all(self, wanted: Iterable[Definition]) -> Iterator[str]:
        """Yields the code of the definitions and of all that they name."""
        to_do, seen = list(wanted), set[Definition | str]()
        while to_do:
            definition = to_do.pop()
            module = self.module(definition.module)
            if definition in seen or module is None:
                continue
            seen.add(definition)
            if definition.name is None:
                to_do += [Definition(module.name, name) for name in module.definitions]
                to_do += [Definition(name, None) for name in module.submodules]
                continue
            to_do.append(Definition(module.name, LOOSE))
            for code in module.definitions.get(definition.name, ()):
                yield f"{definition.module}.{definition.name} = {code.text}"
                for use in code.uses:
                    for target in self._resolve(module, use, code.imports, frozenset()):
                        if isinstance(target, Definition):
                            to_do.append(target)
                        elif target not in seen:
                            seen.add(target)
                            yield target

    def _resolve(
        self, module: Module, use: Use, local: Imports, seen: frozenset[object]
    ) -> Iterator[Definition | str]:
        """Yields what a name refers to: a definition, or the import of another library."""
        name, attributes = use[0], use[1:]
        if (module.name, use) in seen:
            return
        seen |= {(module.name, use)}
        if name in module.definitions:
            yield Definition(module.name, name)
        for imported in local.get(name, set()) | module.imports.get(name, set()):
            yield from self._resolve_import(imported, attributes, seen)
        for star in module.stars:
            if (other := self.module(star)) is not None:
                yield from self._resolve(other, use, {}, seen)
            else:
                yield f"from {star} import *"

    def _resolve_import(
        self, imported: Imported, attributes: Use, seen: frozenset[object]
    ) -> Iterator[Definition | str]:
        names = attributes if imported.name is None else (imported.name, *attributes)
        module = self.module(imported.module)
        if module is None:
            yield f"import {imported.module} {imported.name}"
        elif not names:
            yield Definition(module.name, None)
        elif targets := list(self._resolve(module, names, {}, seen)):
            yield from targets
        elif self.module(submodule := f"{module.name}.{names[0]}") is not None:
            yield from self._resolve_import(Imported(submodule, None), names[1:], seen)
        else:
            yield Definition(module.name, None)
