"""What the tables of a game's file have in common: frozen, and unknown keys are refused."""

from typing import Any

from pydantic import BaseModel, ConfigDict


def all_optional(schema: dict[str, Any]) -> None:
    """A game's file states only its differences, so editors must not ask for the rest."""
    schema.pop("required", None)


class Item(BaseModel):
    """An entry of a list, which must be stated whole."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class Section(BaseModel):
    """A table of a game's file, of which every part may be left to the file below."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        json_schema_extra=all_optional,
    )
