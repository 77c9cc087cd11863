"""What the settings have in common: their types, and tables that refuse unknown keys."""

import re
from contextlib import suppress
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
"""The days that settings may name: far from the calendar's ends, so that months can be added."""

Flag = Annotated[bool, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]
Whole = Annotated[int, Field(strict=True)]
"""Strict, because `true` is no number, 1 no truth value, and text neither."""

Months = Annotated[Whole, Field(ge=1, le=120)]
"""A number of months that dates are moved by."""


def _day(value: Any) -> date:
    day = value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        with suppress(ValueError):
            day = date.fromisoformat(value)
    if type(day) is not date:  # A time of day would make it another type.
        raise PydanticCustomError("day", "should be a day as in 2024-12-31")
    if not FIRST_DAY <= day <= LAST_DAY:
        raise PydanticCustomError("day", f"should be a day from {FIRST_DAY} to {LAST_DAY}")
    return day


DAY_PATTERN = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"
"""What editors and forms hold a day against."""

Day = Annotated[date, BeforeValidator(_day), Field(json_schema_extra={"pattern": DAY_PATTERN})]
"""A day, or its text as in `2024-12-31`; nothing that could be read as a day in some other way."""


def stated_fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a table that may be set: all but `game`, which follows from the file's name."""
    return {name: field for name, field in model.model_fields.items() if name != "game"}


def all_optional(schema: dict[str, Any]) -> None:
    """Makes an editor ask for nothing: a file states only its differences, and not its game."""
    schema.pop("required", None)
    schema["properties"].pop("game", None)


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
