"""What the source tells: the text of a function, and where a call's arguments come from."""

import ast
import copy
import importlib.util
import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from prefect.tasks import Task
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from churnlib.settings import Settings
from flows.map.graph import Argument, Source
from flows.map.stand_ins import Unknown

Functions = ast.FunctionDef | ast.AsyncFunctionDef


def source_of(module: str, name: str) -> Source:
    """Reads the source of a function of a module, with its decorators."""
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    text = Path(spec.origin).read_text(encoding="utf-8")
    (found,) = (
        node
        for node in ast.walk(_parsed(spec.origin))
        if isinstance(node, Functions) and node.name == name
    )
    first = min(node.lineno for node in (found, *found.decorator_list))
    lines = text.splitlines()[first - 1 : found.end_lineno]
    tail = "/__init__.py" if spec.submodule_search_locations else ".py"
    return Source(module.replace(".", "/") + tail, first, "\n".join(lines))


def first_paragraph(docstring: str | None) -> str:
    """Takes the first paragraph of a docstring, as one line."""
    return " ".join((docstring or "").strip().split("\n\n")[0].split())


def arguments_of(
    task: Task[..., Any], values: Mapping[str, Any], frame: FrameType, settings: Settings
) -> tuple[Argument, ...]:
    """Tells of a call's arguments what they are and where they come from.

    Args:
        task: The task that is called.
        values: The arguments to tell of, by parameter.
        frame: Where the call stands.
        settings: The settings, to know their paths by.
    """
    stated = _expressions(task, frame)
    return tuple(
        _argument(name, value, stated.get(name, ast.Constant(None)), settings)
        for name, value in values.items()
    )


def _argument(name: str, value: Any, stated: ast.expr, settings: Settings) -> Argument:
    named = [*_settings_in(stated, settings)]
    if isinstance(value, BaseModel) and not named:
        named = [n for n in Settings.model_fields if getattr(settings, n) == value]
    told = to_jsonable_python(value, fallback=str) if _needs_no_data(stated) else None
    origin = "" if isinstance(stated, ast.Constant) else ast.unparse(stated)
    return Argument(name, None if isinstance(value, Unknown) else told, origin, tuple(named))


def _needs_no_data(expression: ast.expr) -> bool:
    """Tells whether an expression is made of settings and the day, so not of stand-ins."""
    calls = [node for node in ast.walk(expression) if isinstance(node, ast.Call)]
    called = {call.func.id for call in calls if isinstance(call.func, ast.Name)}
    names = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
    whole = any(isinstance(a, ast.Name) and a.id == "run" for call in calls for a in call.args)
    return names - called <= {"run", "settings", "as_of"} and not whole


def _expressions(task: Task[..., Any], frame: FrameType) -> dict[str, ast.expr]:
    """Finds the expressions of a call's arguments, with local names replaced by what they are."""
    position = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    tree = _parsed(frame.f_code.co_filename)
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Call | Functions)]
    call = next((n for n in nodes if isinstance(n, ast.Call) and _position(n) == position), None)
    if call is None:
        return {}
    parameters = inspect.signature(task.fn).parameters
    stated = dict(zip(parameters, call.args, strict=False))
    stated |= {word.arg: word.value for word in call.keywords if word.arg is not None}
    caller = next(n for n in nodes if isinstance(n, Functions) and n.name == frame.f_code.co_name)
    local = _Locals(frame.f_locals, dict(_assignments(caller)))
    resolved = {name: local.visit(copy.deepcopy(node)) for name, node in stated.items()}
    constant = (ast.Constant, ast.JoinedStr)
    return {name: node for name, node in resolved.items() if not isinstance(node, constant)}


class _Locals(ast.NodeTransformer):
    """Replaces a local name by its text, or by the expression that it was assigned."""

    def __init__(self, values: Mapping[str, Any], assigned: Mapping[str, ast.expr]) -> None:
        self.values, self.assigned = values, assigned

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self.values.get(node.id)
        return ast.Constant(value) if isinstance(value, str) else self.assigned.get(node.id, node)


def _assignments(function: Functions) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value


def _settings_in(node: ast.AST, settings: Settings) -> Iterator[str]:
    """Yields the paths of the settings that an expression names, as `<...>.settings.<path>`."""
    match node:
        case ast.Call(func=ast.Attribute(attr="window"), args=[ast.Constant(value=str(name))]):
            yield f"windows.{name}"
        case ast.Attribute() if (
            path := re.fullmatch(r"(?:\w+\.)*settings\.([\w.]+)", ast.unparse(node))
        ) and _is_setting(settings, path[1]):
            yield path[1]
        case _:
            for inner in ast.iter_child_nodes(node):
                yield from _settings_in(inner, settings)


def _is_setting(settings: BaseModel, path: str) -> bool:
    at: Any = settings
    for part in path.split("."):
        if not isinstance(at, BaseModel) or part not in type(at).model_fields:
            return False
        at = getattr(at, part)
    return True


def _position(node: ast.Call) -> tuple[int | None, ...]:
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset


@cache
def _parsed(file: str) -> ast.Module:
    return ast.parse(Path(file).read_text(encoding="utf-8"))
