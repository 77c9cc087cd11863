"""Faults in settings, worded: which setting, what is wrong with it, and where it is set."""

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from churnlib.errors import closest
from churnlib.settings.layers import Layers, Way


def explain(error: ValueError, model: type[BaseModel], layers: Layers) -> str:
    """Words what is wrong with a game's settings: each setting, what it is, and where it is set."""
    game = layers.merged["game"]
    if not isinstance(error, ValidationError):
        return f"{game}: {error}."
    complaints: dict[Way, list[str]] = {}
    for fault in error.errors():
        path, known = _known_path(model, fault["loc"])
        if fault["type"] == "extra_forbidden":
            path = tuple(str(part) for part in fault["loc"])
            text = f"there is no such setting. {closest(path[-1], known)}"
        elif fault["type"] == "missing":
            path = tuple(str(part) for part in fault["loc"])
            text = "is missing"
        else:
            text = fault["msg"].removeprefix("Value error, ")
            if fault["type"] != "value_error":
                text += f", not {fault['input']!r}"
        complaints.setdefault(path, []).append(text)
    lines = (
        (f"  {'.'.join(path)} ({layers.origin(path)}): " if path else "  ")
        + "; or ".join(dict.fromkeys(texts))
        for path, texts in complaints.items()
    )
    return "\n".join([f"{game}: these settings cannot be:", *lines])


def _known_path(model: type[BaseModel], loc: Sequence[str | int]) -> tuple[Way, tuple[str, ...]]:
    """The part of a fault's place that names settings, and the names known where it ends.

    Pydantic also puts the tried members of a union there, which are no settings.
    """
    path: list[str] = []
    at: type[BaseModel] | None = model
    known: tuple[str, ...] = tuple(model.model_fields)
    for part in loc:
        if isinstance(part, int):
            path.append(str(part))
        elif at is not None and part in at.model_fields:
            path.append(part)
            at = next(iter(_models_in(at.model_fields[part].annotation)), None)
            known = tuple(at.model_fields) if at else ()
        elif at is None:
            break
    return tuple(path), known


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
