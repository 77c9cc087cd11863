"""Faults in settings, worded: which setting, what is wrong with it, and where it is set."""

from collections.abc import Iterator, Sequence
from datetime import date, time
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from churnlib.errors import closest
from churnlib.settings.layers import NULL, Layers
from churnlib.settings.parts import stated_fields
from churnlib.settings.tree import Way

WORDS = {
    "bool_type": "should be true or false",
    "dict_type": "should be a table",
    "float_type": "should be a number",
    "int_type": "should be a whole number",
    "model_type": "should be a table",
    "string_pattern_mismatch": "should be a name in lower case such as scale_2",
    "string_too_short": "should be longer",
    "string_type": 'should be a text as in "a"',
    "too_short": "should be longer",
    "tuple_type": 'should be a list such as [1, 2] or ["a", "b"]',
}
"""What a value should be, by pydantic's name for the fault, where its own words are for Python."""

SHOWN = 60
"""The length to which a wrong value is shown."""


def explain(error: ValueError, model: type[BaseModel], layers: Layers) -> str:
    """Words what is wrong with a game's settings: each setting, what it is, and where it is set."""
    game = layers.merged["game"]
    if not isinstance(error, ValidationError):
        return f"{game}: {error}."
    complaints: dict[Way, dict[str, list[str]]] = {}
    for fault in _first_hand(error.errors()):
        path, text, found = _complaint(fault, model)
        complaints.setdefault(path, {}).setdefault(found, []).append(text)
    lines = (
        (f"  {'.'.join(path)} ({layers.origin(path)}): " if path else "  ")
        + "; or ".join(" or ".join(dict.fromkeys(texts)) + found for found, texts in said.items())
        for path, said in complaints.items()
    )
    return "\n".join([f"{game}: these settings cannot be:", *lines])


def _first_hand(faults: Sequence[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Leaves out that a list is too short where that is so only because its entries are refused."""
    places = [fault["loc"] for fault in faults]
    for fault in faults:
        depth = len(fault["loc"])
        below = any(len(loc) > depth and loc[:depth] == fault["loc"] for loc in places)
        if not (below and fault["type"] == "too_short"):
            yield fault


def _complaint(fault: ErrorDetails, model: type[BaseModel]) -> tuple[Way, str, str]:
    """The setting, what is wrong with it, and what was found in its place."""
    path, known = _known_path(model, fault["loc"])
    stated = tuple(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return stated, f"there is no such setting. {closest(stated[-1], known)}", ""
    if fault["type"] == "missing":
        return stated, "is missing", ""
    if fault["type"] == "value_error":
        return path, fault["msg"].removeprefix("Value error, "), ""
    text = WORDS.get(fault["type"], fault["msg"].removeprefix("Input "))
    return path, text, f", not {_shown(fault['input'])}"


def _shown(value: Any) -> str:
    """A value, with TOML's words for Python's, and cut where it is long."""
    words = {"None": NULL, "True": "true", "False": "false"}
    text = str(value) if isinstance(value, date | time) else words.get(repr(value), repr(value))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _known_path(model: type[BaseModel], loc: Sequence[str | int]) -> tuple[Way, tuple[str, ...]]:
    """The part of a fault's place that names settings, and the names known where it ends.

    Pydantic also puts the tried members of a union there, which are no settings.
    """
    path: list[str] = []
    at: Any = model
    known = tuple(stated_fields(model))
    for part in loc:
        fields = stated_fields(at) if _is_model(at) else {}
        if isinstance(part, int):
            path.append(str(part))
        elif part in fields:
            path.append(part)
            annotation = fields[part].annotation
            at = next(_models_in(annotation), annotation)
            known = tuple(stated_fields(at)) if _is_model(at) else ()
        elif get_origin(at) is dict:
            path.append(part)
            at = None
        elif not fields:
            break
    return tuple(path), known


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if _is_model(annotation):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
