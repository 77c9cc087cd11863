"""Checks of the types of arguments, with clear messages."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from types import UnionType
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin

from churnlib.errors import DataError

P = ParamSpec("P")
R = TypeVar("R")

HINTS = {
    "Catalog": "Make one with Catalog(settings.data_dir, settings.game).",
    "DataFrame": "Read it with polars.read_parquet or polars.read_csv.",
    "DatasetRef": "Get one from a Catalog.",
    "FittedModel": "Get one from churnlib.fit or churnlib.load_model.",
    "LazyFrame": "Read it with polars.scan_parquet or polars.scan_csv.",
    "RawSettings": 'Pass that section of the settings: load_settings("game1").raw.',
    "Settings": 'Load them with load_settings("game1").',
    "TrainSettings": 'Pass that section of the settings: load_settings("game1").train.',
    "date": "Write date(2025, 1, 1).",
}
"""How to get an argument of a type, by the type's name."""


Class = type | str
"""A class, or the name of one that takes long to import."""


def check_type(value: object, expected: Class | tuple[Class, ...], what: str) -> None:
    """Refuses a value of another type.

    Args:
        value: The value.
        expected: The type, or several.
        what: The value's name in messages.

    Raises:
        DataError: Names the value, the expected types and its own, and says what to do.
    """
    types = expected if isinstance(expected, tuple) else (expected,)
    if any(_is_instance(value, cls) for cls in types):
        return
    names = " or ".join(_name(cls) for cls in types)
    actual = "None" if value is None else _name(type(value))
    simple = [cls if isinstance(cls, str) else cls.__name__ for cls in reversed(types)]
    hint = next((HINTS[name] for name in simple if name in HINTS), "")
    if actual.startswith("pandas."):
        hint = "Convert it with polars.from_pandas."
    raise DataError(f"{what} must be of the type {names}, not {actual}. {hint}".rstrip())


def _is_instance(value: object, cls: Class) -> bool:
    """Like `isinstance`, but a bool is not a number, a datetime not a date, and text not a list."""
    if isinstance(cls, str):
        return any(base.__name__ == cls for base in type(value).__mro__)
    if cls is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if (cls is int and isinstance(value, bool)) or (cls is date and isinstance(value, datetime)):
        return False
    return isinstance(value, cls) and not (cls is Sequence and isinstance(value, str | bytes))


def _name(cls: Class) -> str:
    """The name of a type, with its package unless that is Python's or this one."""
    if isinstance(cls, str):
        return cls
    if cls is type(None):
        return "None"
    root = cls.__module__.partition(".")[0]
    own = ("builtins", "churnlib", "collections", "datetime")
    return cls.__name__ if root in own else f"{root}.{cls.__name__}"


def check_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Makes a function check the types of its arguments, by its annotations.

    Where a lazy frame is expected, also as a value of a dict, an eager one is made lazy.

    Args:
        function: The function.
    """
    signature = inspect.signature(function)
    hints = {name: p.annotation for name, p in signature.parameters.items()}
    types = {name: _types(hint) for name, hint in hints.items()}

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            call = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{function.__name__}() got wrong arguments: {error}") from None
        for name, value in call.arguments.items():
            what = f"{function.__name__}: {name}"
            call.arguments[name] = _checked(value, types[name], what)
            if types[name] == (Mapping,) and (each := _types_of_values(hints[name])):
                call.arguments[name] = {
                    key: _checked(inner, each, f"{what}[{key!r}]") for key, inner in value.items()
                }
        return function(*call.args, **call.kwargs)

    return checked


def _checked(value: Any, types: tuple[Class, ...], what: str) -> Any:
    """Checks the type of a value, and makes a frame lazy where that is expected."""
    is_lazy = [_name(cls) for cls in types] == ["polars.LazyFrame"]
    if is_lazy and type(value).__module__.startswith("polars."):
        value = value.lazy()
    if types:
        check_type(value, types, what)
    return value


def _types_of_values(annotation: Any) -> tuple[Class, ...]:
    """The classes that the annotation of a mapping allows for its values."""
    return _types(get_args(annotation)[-1]) if get_args(annotation) else ()


def _types(annotation: Any) -> tuple[Class, ...]:
    """The classes that an annotation allows; empty if it allows any, or cannot be read."""
    if get_origin(annotation) in (Union, UnionType):
        members = [_types(member) for member in get_args(annotation)]
        return tuple(cls for classes in members for cls in classes) if all(members) else ()
    if isinstance(annotation, str):
        return (annotation,) if annotation.isidentifier() else ()
    cls = get_origin(annotation) or annotation
    is_class = isinstance(cls, type) and cls not in (Any, inspect.Parameter.empty)
    return (cls,) if is_class else ()
