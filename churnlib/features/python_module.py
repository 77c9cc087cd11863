"""The module of a project with features in Python: `features.py` beside the games."""

import ast
import hashlib
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TypeGuard

from churnlib.errors import SettingsError, closest, reason
from churnlib.features.python_results import PythonFeature

FILE = "features.py"


def load_functions(games: Path, use: Sequence[str]) -> tuple[PythonFeature, ...]:
    """Loads the functions that `features.python.use` names.

    The module is executed, unless no function is named. What it defines can do whatever the user of
    the process may.

    Args:
        games: The folder of the games' files.
        use: The names of the functions.

    Returns:
        The functions, in the order of their names in `use`.

    Raises:
        SettingsError: There is no such module or function, or the module fails.
    """
    if not use:
        return ()
    module = vars(_load(games / FILE, _read(games, use)))
    known = {each.name: each for each in module.values() if isinstance(each, PythonFeature)}
    for name in use:
        if name not in known:
            unmarked = "is not marked" if callable(module.get(name)) else "does not exist"
            raise SettingsError(
                f"features.python.use: the function '{name}' {unmarked} in {games / FILE}. Mark it "
                f'with @churnlib.feature(table="..."). {closest(name, known)}'
            )
    return tuple(known[name] for name in use)


def python_digest(games: Path, use: Sequence[str]) -> str:
    """A digest of the code that the functions may depend on; empty if none is used.

    It is that of the module without comments, and without other functions that compute features,
    unless these functions or the rest of the module call them.

    Args:
        games: The folder of the games' files.
        use: The names of the functions.

    Raises:
        SettingsError: There is no such module or function, or the module fails.
    """
    if not use:
        return ""
    load_functions(games, use)  # Says what is wrong with the module.
    code = ast.parse(_read(games, use))
    code.body = _needed(code.body, use)
    return hashlib.sha256(ast.unparse(code).encode()).hexdigest()


def _needed(parts: Sequence[ast.stmt], use: Sequence[str]) -> list[ast.stmt]:
    """The parts of a module without functions of features that no other part refers to."""
    others = {part.name: part for part in parts if _is_marked(part) and part.name not in use}
    needed = [part for part in parts if part not in others.values()]
    while named := _names(needed) & others.keys():
        needed += [others.pop(name) for name in named]
    return [part for part in parts if part in needed]


def _is_marked(part: ast.stmt) -> TypeGuard[ast.FunctionDef]:
    """Whether a part of a module is a function that computes features."""
    if not isinstance(part, ast.FunctionDef):
        return False
    marks = (each.func for each in part.decorator_list if isinstance(each, ast.Call))
    return any(ast.unparse(mark).split(".")[-1] == "feature" for mark in marks)


def _names(parts: Sequence[ast.stmt]) -> set[str]:
    """The names that parts of a module refer to."""
    nodes = (node for part in parts for node in ast.walk(part))
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def _read(games: Path, use: Sequence[str]) -> str:
    file = games / FILE
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"features.python.use names '{use[0]}', but there is no {file}. Write the function "
            "there, or leave it out."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {reason(error)}.") from None


@lru_cache(maxsize=8)
def _load(file: Path, source: str) -> ModuleType:
    """Executes the module, once for each text of it."""
    module = ModuleType(f"{file.parent.name}_{file.stem}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module  # As dataclasses and pickles expect.
    try:
        exec(compile(source, str(file), "exec"), vars(module))
    except Exception as error:
        kind = type(error).__name__
        raise SettingsError(f"{file} cannot be loaded: {kind}: {reason(error)}.") from error
    return module
