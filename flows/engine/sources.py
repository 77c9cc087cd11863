"""What a Python source file defines, imports and names, read without importing it."""

import ast
import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
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


class Code(NamedTuple):
    """A statement.

    Attributes:
        digest: The digest of its syntax, without docstrings, layout and the decorators of runs.
        uses: The names in it.
        imports: The imports inside it.
    """

    digest: str
    uses: frozenset[Use]
    imports: Imports

    def only(self, names: Collection[str]) -> "Code":
        """The statement with only those uses that begin with one of some names."""
        return self._replace(uses=frozenset(use for use in self.uses if use[0] in names))


@dataclass(frozen=True)
class Module:
    """What a source file defines and imports at its top level.

    Attributes:
        name: The full name of the module.
        definitions: The statements that bind each name; those that bind none are under `LOOSE`.
        imports: What each imported name may refer to.
        stars: The modules that all names are imported from.
    """

    name: str
    definitions: dict[str, list[Code]]
    imports: Imports
    stars: list[str]

    @classmethod
    def parse(cls, name: str, source: bytes, *, is_package: bool) -> "Module":
        """Reads source code."""
        module = cls(name, {LOOSE: []}, {}, [])
        package = name if is_package else name.rpartition(".")[0]
        for statement in ast.parse(source).body:
            module._add(statement, package)
        return module if module.stars else module._without_local_names()

    def _without_local_names(self) -> "Module":
        """Leaves out names that neither the module nor the statement defines or imports."""
        known = {*self.definitions, *self.imports}
        definitions = {
            name: [code.only(known | code.imports.keys()) for code in codes]
            for name, codes in self.definitions.items()
        }
        return replace(self, definitions=definitions)

    def _add(self, statement: ast.stmt, package: str) -> None:
        condition = ast.dump(statement.test) if isinstance(statement, ast.If) else ""
        if "__main__" in condition or _is_text(statement):
            return
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for node in ast.walk(statement):
                self._add_import(node, package)
        if isinstance(statement, ast.Import | ast.ImportFrom) or "TYPE_CHECKING" in condition:
            return
        names, code = _bound_names(statement) or {LOOSE}, _code(statement, package)
        for name in names:
            self.definitions.setdefault(name, []).append(code)

    def _add_import(self, node: ast.AST, package: str) -> None:
        for name, imported in _imports(node, package):
            if name == "*":
                self.stars.append(imported.module)
            else:
                self.imports.setdefault(name, set()).add(imported)


def submodules(package: str, folder: Path) -> tuple[str, ...]:
    """Lists the full names of the modules in the folder of a package."""
    inside = {f.stem for f in folder.glob("*.py")} | {f.parent.name for f in folder.glob("*/*.py")}
    return tuple(f"{package}.{name}" for name in inside - {"__init__", "__main__"})


def _code(statement: ast.stmt, package: str) -> Code:
    for node in ast.walk(statement):
        for block in ("body", "orelse", "finalbody"):
            if isinstance(lines := getattr(node, block, None), list):
                setattr(node, block, [line for line in lines if not _is_text(line)])
        if isinstance(decorators := getattr(node, "decorator_list", None), list):
            decorators[:] = [d for d in decorators if _last_name(d) not in RUN_DECORATORS]
    text = ast.dump(statement, annotate_fields=False)
    imports: Imports = {}
    for node in ast.walk(statement):
        for name, imported in _imports(node, package):
            imports.setdefault(name, set()).add(imported)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Code(digest, frozenset(_uses(statement)), imports)


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
