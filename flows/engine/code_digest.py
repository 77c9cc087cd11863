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

from flows.engine.source_cache import read_module
from flows.engine.sources import LOOSE, Imported, Imports, Module, Use, find_module, submodules

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
    graph = _graph(module, Path(function.__code__.co_filename))
    data_files = dict(_data_files(used for used in uses if "/" in used))
    modules = (used for used in uses if "/" not in used)
    wanted = (Definition(module, name), *(Definition(used, None) for used in modules))
    for definition in wanted:
        if not graph.has(definition):
            raise LookupError(f"{definition.module}: there is no source for {definition.name}.")
    pieces, files = graph.follow_all(wanted)
    pieces += [f"{used} = {path.read_bytes()!r}" for used, path in sorted(data_files.items())]
    value = hashlib.sha256("\n".join(pieces).encode()).hexdigest()
    return Digest(value, files | frozenset(data_files.values()))


def changed_at(file: Path) -> int:
    """When a file or its attributes changed, in nanoseconds since 1970.

    Copies that keep the time of modification, such as those of `rsync -a`, cannot keep this one.
    """
    found = file.stat()
    return max(found.st_mtime_ns, found.st_ctime_ns)


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


class Links(NamedTuple):
    """What a definition consists of and names.

    Attributes:
        code: Its statements.
        imports: The imports of other libraries that it names.
        targets: The definitions that it names.
        files: The files that these were looked up in.
    """

    code: list[str]
    imports: set[str]
    targets: set[Definition]
    files: set[Path]


_graphs: dict[frozenset[str], "_Graph"] = {}


def _graph(module: str, path: Path) -> "_Graph":
    """The graph of the project's packages and that of a module; a new one if a file changed."""
    roots = PACKAGES | {module.split(".")[0]}
    graph = _graphs.get(roots)
    if graph is None or not graph.is_valid_for(module, path):
        graph = _graphs[roots] = _Graph(roots)
    graph.paths[module] = path
    return graph


class _Graph:
    """The definitions of some packages and what they name, each looked up once per process."""

    def __init__(self, roots: frozenset[str]) -> None:
        self._roots = roots
        self.paths: dict[str, Path] = {}
        self._changed: dict[Path, int] = {}
        self._modules: dict[str, Module | None] = {}
        self._links: dict[Definition, Links] = {}
        self._looked_in = set[Path]()

    def is_valid_for(self, module: str, path: Path) -> bool:
        """Whether no file has changed since it was read, and a module has this path."""
        try:
            is_same = all(changed_at(f) == at for f, at in self._changed.items())
        except OSError:
            return False
        return is_same and self.paths.get(module, path) == path

    def module(self, name: str) -> Module | None:
        """Reads a module of the project; returns None for other modules."""
        if name not in self._modules:
            self._modules[name] = self._read(name)
        if self._modules[name] is not None:
            self._looked_in.add(self.paths[name])
        return self._modules[name]

    def _read(self, name: str) -> Module | None:
        path = self.paths.get(name) or self._find(name)
        if path is None or not path.is_file():
            return None
        self.paths[name] = path
        self._changed[path] = changed_at(path)
        return read_module(name, path, self._changed[path])

    def _find(self, name: str) -> Path | None:
        return find_module(name) if name.split(".")[0] in self._roots else None

    def has(self, definition: Definition) -> bool:
        """Whether there is source for a definition."""
        module = self.module(definition.module)
        return module is not None and (
            definition.name is None or definition.name in module.definitions
        )

    def follow_all(self, wanted: Iterable[Definition]) -> tuple[list[str], frozenset[Path]]:
        """The sorted code of the definitions and of all that they name, and the files of it."""
        to_do, seen = list(wanted), set[Definition]()
        code, imports, files = list[str](), set[str](), set[Path]()
        while to_do:
            definition = to_do.pop()
            if definition not in seen:
                seen.add(definition)
                links = self._links_of(definition)
                code += links.code
                imports |= links.imports
                files |= links.files
                to_do += links.targets - seen
        return sorted([*code, *imports]), frozenset(files)

    def _links_of(self, definition: Definition) -> Links:
        if definition not in self._links:
            self._looked_in = set()
            self._links[definition] = self._look_up(definition)
            self._looked_in = set()
        return self._links[definition]

    def _look_up(self, definition: Definition) -> Links:
        links = Links([], set(), set(), self._looked_in)
        module = self.module(definition.module)
        if module is None:
            return links
        if definition.name is None:
            path = self.paths[module.name]
            inside = submodules(module.name, path.parent) if path.name == "__init__.py" else ()
            links.targets.update(Definition(module.name, name) for name in module.definitions)
            links.targets.update(Definition(name, None) for name in inside)
            return links
        links.targets.add(Definition(module.name, LOOSE))
        for code in module.definitions.get(definition.name, ()):
            links.code.append(f"{definition.module}.{definition.name} = {code.digest}")
            for use in code.uses:
                for target in self._resolve(module, use, code.imports, frozenset()):
                    if isinstance(target, Definition):
                        links.targets.add(target)
                    else:
                        links.imports.add(target)
        return links

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
