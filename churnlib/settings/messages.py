"""Error messages for invalid settings: which setting, what is wrong, and where it was set."""

from collections.abc import Iterator, Sequence
from datetime import date, time
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from churnlib.settings.features import TAGS
from churnlib.settings.fields import configurable_fields, models_in, others_in
from churnlib.settings.layers import NULL, Layers
from churnlib.settings.tree import KeyPath

EXPECTED = {
    "bool_type": "should be true or false",
    "dict_type": "should be a table",
    "float_type": "should be a number",
    "int_type": "should be a whole number",
    "model_type": "should be a table",
    "string_pattern_mismatch": "should be a name in lower case such as scale_2",
    "string_too_short": "should be longer",
    "string_type": 'should be text such as "a"',
    "too_short": "should be longer",
    "tuple_type": 'should be a list such as [1, 2] or ["a", "b"]',
}
"""What was expected, by pydantic's type of error, where its own message is in terms of Python."""

MAX_LENGTH = 60
"""The length beyond which a value is cut."""


def explain(error: ValueError, model: type[BaseModel], layers: Layers) -> str:
    """Returns the error message for a game's invalid settings, a line for each of them."""
    game = layers.merged["game"]
    if not isinstance(error, ValidationError):
        return f"{game}: {error}."
    problems: dict[KeyPath, dict[str, list[str]]] = {}
    for detail in _without_consequences(error.errors()):
        path, expected, got = _problem(detail, model)
        problems.setdefault(path, {}).setdefault(got, []).append(expected)
    lines = (
        (f"  {'.'.join(path)} ({layers.origin(path)}): " if path else "  ")
        + "; or ".join(" or ".join(dict.fromkeys(texts)) + got for got, texts in by_value.items())
        for path, by_value in problems.items()
    )
    return "\n".join([f"{game}: invalid settings:", *lines])


def _without_consequences(details: Sequence[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Leaves out that a list is too short where it is so because its entries are invalid."""
    places = [detail["loc"] for detail in details]
    for detail in details:
        depth = len(detail["loc"])
        is_above = any(len(loc) > depth and loc[:depth] == detail["loc"] for loc in places)
        if not (is_above and detail["type"] == "too_short"):
            yield detail


def _problem(detail: ErrorDetails, model: type[BaseModel]) -> tuple[KeyPath, str, str]:
    """Returns the path of a setting, what was expected, and what was found instead."""
    kind, message = detail["type"], detail["msg"]
    if kind in ("extra_forbidden", "missing", "renamed"):
        *above, last = detail["loc"]
        path = (*_path_of_settings(model, above), str(last))
        return path, "is missing" if kind == "missing" else message, ""
    path = _path_of_settings(model, detail["loc"])
    if kind == "value_error":
        return path, message.removeprefix("Value error, "), ""
    expected = EXPECTED.get(kind, message.removeprefix("Input "))
    return path, expected, f", not {_format(detail['input'])}"


def _format(value: Any) -> str:
    """Formats a value as in TOML, and cuts it where it is long."""
    toml = {"None": NULL, "True": "true", "False": "false"}
    text = str(value) if isinstance(value, date | time) else toml.get(repr(value), repr(value))
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}..."


def _path_of_settings(model: type[BaseModel], loc: Sequence[str | int]) -> KeyPath:
    """Returns the part of an error's location that consists of names of settings.

    Pydantic appends the members of a union that it tried.
    """
    path: list[str] = []
    at: Any = model
    for part in loc:
        fields = configurable_fields(at) if _is_model(at) else {}
        if isinstance(part, int):
            path.append(str(part))
        elif part in fields:
            path.append(part)
            annotation = fields[part].annotation
            is_table = get_origin(annotation) is dict
            at = annotation if is_table else next(models_in(annotation), annotation)
        elif get_origin(at) is dict:
            path.append(part)
            at = next(models_in(get_args(at)[1]), None)
        elif isinstance(at, tuple):  # The name of the member of a union, which is no setting.
            at = next((each for each in at if TAGS.get(each.__name__) == part), None)
        elif _is_model(at) and others_in(at):
            path.append(part)
            at = others_in(at)
        elif not fields:
            break
    return tuple(path)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
