"""Descriptions of the settings, for people and for editors."""

import json
import re
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import NullableSchema

from churnlib.settings.fields import OperatorOnly, configurable_fields, others_in
from churnlib.settings.game import Settings
from churnlib.settings.layers import NULL


def describe_settings() -> str:
    """Lists all settings by path, with type and meaning, for people."""
    return "\n".join(_describe(Settings, ""))


def settings_schema() -> str:
    """Returns the JSON schema of a game's file, by which editors complete and check it."""
    return json.dumps(Settings.model_json_schema(schema_generator=_TomlSchema), indent=2) + "\n"


def overrides_schema() -> dict[str, Any]:
    """Returns the JSON schema of overrides: settings by dotted path, with their types.

    Of a path into a list or into parameters, only the beginning is checked.
    """
    whole = Settings.model_json_schema(mode="validation")
    patterns = dict(_patterns(Settings, "", whole))
    return {
        "type": "object",
        "patternProperties": patterns,
        "additionalProperties": False,
        "default": {},
    }


def _patterns(
    model: type[BaseModel], prefix: str, schema: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    definitions = schema.get("$defs", {})
    for name, field in configurable_fields(model).items():
        path, kind = f"{prefix}{re.escape(name)}", field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield f"^{path}$", {"type": "object"}
            inner = kind.model_json_schema(mode="validation")
            yield from _patterns(kind, rf"{path}\.", {**inner, "$defs": definitions})
            if others_in(kind):
                known = "|".join(map(re.escape, kind.model_fields))
                yield rf"^{path}\.(?!({known})(\.|$))[A-Za-z]\w*(\..+)?$", {}
        elif get_origin(kind) in (tuple, dict):
            yield rf"^{path}(\..+)?$", {}
        else:
            yield f"^{path}$", _plain(schema["properties"][name])


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Keeps the constraints of a value."""
    kept = {k: v for k, v in schema.items() if k not in ("title", "description", "default")}
    return {} if "$ref" in json.dumps(kept) else kept


class _TomlSchema(GenerateJsonSchema):
    """Replaces null, for which TOML has no literal, by the text that unsets a value."""

    def nullable_schema(self, schema: NullableSchema) -> JsonSchemaValue:
        null = {"const": NULL, "description": "No value; unsets that of the layers below."}
        return self.get_union_of_schemas([self.generate_inner(schema["schema"]), null])

    def encode_default(self, dft: Any) -> Any:
        return NULL if dft is None else super().encode_default(dft)


def operator_settings(settings: Settings) -> dict[str, OperatorOnly]:
    """Lists the settings that no parameter of a deployment's run may change, by path.

    Args:
        settings: The settings of a game, which say what tables it has.
    """
    return dict(_marked(settings, ""))


def _marked(settings: BaseModel, prefix: str) -> Iterator[tuple[str, OperatorOnly]]:
    for name, field in configurable_fields(type(settings)).items():
        value, path = getattr(settings, name), f"{prefix}{name}"
        if mark := _mark(field):
            yield path, mark
        elif isinstance(value, BaseModel):
            yield from _marked(value, f"{path}.")
        elif isinstance(value, dict):
            for key, inner in value.items():
                if isinstance(inner, BaseModel):
                    yield from _marked(inner, f"{path}.{key}.")


def _mark(field: FieldInfo) -> OperatorOnly | None:
    return next((each for each in field.metadata if isinstance(each, OperatorOnly)), None)


def _meaning(field: FieldInfo) -> str:
    """What a setting means, and whether the parameters of a deployment's run may change it."""
    meaning = field.description or ""
    if mark := _mark(field):
        limit = "only name a folder inside it" if mark.inside else "not change it"
        meaning += f" A run of a deployment may {limit}, because {mark.why}."
    return " ".join(meaning.split())


def _describe(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in configurable_fields(model).items():
        kind, path = field.annotation, f"{prefix}{name}"
        inner = get_args(kind)[-1] if get_origin(kind) in (tuple, dict) else kind
        inner = get_args(kind)[0] if get_origin(kind) is tuple else inner
        meaning = _meaning(field)
        if not isinstance(inner, type) or not issubclass(inner, BaseModel):
            yield f"  {path}: {_format_type(kind)}" + (f"\n      {meaning}" if meaning else "")
        else:
            if inner is not kind:
                is_named = get_origin(kind) is dict or "name" in inner.model_fields
                path += ".<name>" if is_named else ".<n>"
            yield from _describe(inner, f"{path}.")
            for other in others_in(inner):
                yield from _describe(other, f"{path}.<table>.")


def _format_type(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " | ".join(repr(value) for value in get_args(kind))
    if get_origin(kind) is tuple:
        return f"list of {_format_type(get_args(kind)[0])}"
    if get_origin(kind) in (Union, UnionType):
        return " | ".join(_format_type(part) for part in get_args(kind))
    if get_origin(kind) is Annotated:
        return _format_type(get_args(kind)[0])
    if kind is NoneType:
        return "null"
    return "table" if get_origin(kind) is dict else str(getattr(kind, "__name__", kind))
