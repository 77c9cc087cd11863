"""What a Python source file defines, imports and names, read without importing it."""

import ast
from collections.abc import Iterator
from functools import cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

LOOSE = ""
"""The key of the statements of a module that bind no name."""

RUN_DECORATORS = frozenset({"task", "flow"})
"""Decorators that affect how results are cached, not what is computed."""

Use = tuple[str, ...]
"""A name in the code and the attributes that follow it: `a.b.c` is `("a", "b", "c")`."""


class Imported(NamedTuple):
    """What an imported name refers to: a name of a module, or the module itself."""

    module: str
    name: str | None


Imports = dict[str, set[Imported]]


@lru_cache(maxsize=1024)
def find_module(name: str) -> Path | None:
    """Finds a module's file; the top package is looked up, which imports nothing."""
    top, *rest = name.split(".")
    spec = find_spec(top)
    if spec is None:
        return None
    folders = [Path(folder, *rest) for folder in spec.submodule_search_locations or ()]
    files = [file for f in folders for file in (f / "__init__.py", f.with_suffix(".py"))]
    return next((file for file in files if file.is_file()), None)


class Module:
    """What a source file defines and imports at its top level.

    Attributes:
        name: The full name of the module.
        definitions: The statements that bind each name; those that bind none are under `LOOSE`.
        imports: What each imported name may refer to.
        stars: The modules that all names are imported from.
        submodules: The full names of the modules in it, where it is a package.
    """

    def __init__(self, name: str, path: Path) -> None:
        """Reads the file at `path`."""
        self.name = name
        self.definitions: dict[str, list[Code]] = {LOOSE: []}
        self.imports: Imports = {}
        self.stars: list[str] = []
        is_package = path.name == "__init__.py"
        self._package = name if is_package else name.rpartition(".")[0]
        self.submodules = _submodules(name, path.parent) if is_package else ()
        for statement in ast.parse(path.read_bytes()).body:
            self._add(statement)

    def _add(self, statement: ast.stmt) -> None:
        condition = ast.dump(statement.test) if isinstance(statement, ast.If) else ""
        if "__main__" in condition or _is_text(statement):
            return
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for node in ast.walk(statement):
                self._add_import(node)
        if isinstance(statement, ast.Import | ast.ImportFrom) or "TYPE_CHECKING" in condition:
            return
        code = Code(statement, self._package)
        for name in _bound_names(statement) or {LOOSE}:
            self.definitions.setdefault(name, []).append(code)

    def _add_import(self, node: ast.AST) -> None:
        for name, imported in _imports(node, self._package):
            if name == "*":
                self.stars.append(imported.module)
            else:
                self.imports.setdefault(name, set()).add(imported)


class Code:
    """A statement: its text, the names that it uses, and its imports."""

    def __init__(self, statement: ast.stmt, package: str) -> None:
        """Takes a statement, which it changes, and the package for its relative imports."""
        self._statement = statement
        self._package = package

    @cached_property
    def text(self) -> str:
        """Its syntax, without docstrings, layout and the decorators of runs."""
        for node in ast.walk(self._statement):
            for block in ("body", "orelse", "finalbody"):
                if isinstance(lines := getattr(node, block, None), list):
                    setattr(node, block, [line for line in lines if not _is_text(line)])
            if isinstance(decorators := getattr(node, "decorator_list", None), list):
                decorators[:] = [d for d in decorators if _last_name(d) not in RUN_DECORATORS]
        return ast.dump(self._statement, annotate_fields=False)

    @cached_property
    def uses(self) -> frozenset[Use]:
        """The names in it."""
        _ = self.text  # Drops the decorators of runs.
        return frozenset(_uses(self._statement))

    @cached_property
    def imports(self) -> Imports:
        """The imports inside it."""
        imports: Imports = {}
        for node in ast.walk(self._statement):
            for name, imported in _imports(node, self._package):
                imports.setdefault(name, set()).add(imported)
        return imports


@lru_cache(maxsize=1024)
def read_module(name: str, path: Path, _changed_ns: int) -> Module:
    """Reads a module's file, once per modification time."""
    return Module(name, path)


def _submodules(package: str, folder: Path) -> tuple[str, ...]:
    inside = {f.stem for f in folder.glob("*.py")} | {f.parent.name for f in folder.glob("*/*.py")}
    return tuple(f"{package}.{name}" for name in inside - {"__init__", "__main__"})


def _imports(node: ast.AST, package: str) -> Iterator[tuple[str, Imported]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            module = alias.name if alias.asname else alias.name.split(".")[0]
            yield alias.asname or module, Imported(module, None)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
        module = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            yield alias.asname or alias.name, Imported(module, alias.name)


def _uses(node: ast.AST) -> Iterator[Use]:
    for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
        for part in ast.walk(annotation) if annotation is not None else ():
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield from _uses_of_text(part.value)
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.insert(0, node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id, *attributes
    for child in ast.iter_child_nodes(node):
        yield from _uses(child)


def _uses_of_text(annotation: str) -> Iterator[Use]:
    try:
        yield from _uses(ast.parse(annotation, mode="eval"))
    except SyntaxError:
        return  # A string in an annotation that is not code, such as a Literal's.


def _bound_names(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = {node.name for node in ast.walk(statement) if isinstance(node, definitions)}
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.update(use[0] for use in _uses(node.value))
    return names


def _is_text(statement: ast.AST) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _last_name(node: ast.expr) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return getattr(node, "attr", getattr(node, "id", ""))
