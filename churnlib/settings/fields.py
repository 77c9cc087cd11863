"""The types and base classes of all settings."""

import inspect
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from churnlib.errors import closest

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
"""The range of days in settings, which leaves room for adding and subtracting months."""

Flag = Annotated[bool, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]
Whole = Annotated[int, Field(strict=True)]
"""Strict: neither `true` nor text is a number, and 1 is not `true`."""

Months = Annotated[Whole, Field(ge=1, le=120)]
"""A number of months that is added to a day."""


def _day(value: Any) -> date:
    day = value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        with suppress(ValueError):
            day = date.fromisoformat(value)
    if type(day) is not date:  # A datetime is a date, too, for isinstance.
        raise PydanticCustomError("day", "should be a day such as 2024-12-31")
    if not FIRST_DAY <= day <= LAST_DAY:
        raise PydanticCustomError("day", f"should be a day from {FIRST_DAY} to {LAST_DAY}")
    return day


DAY_PATTERN = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"
"""The pattern by which editors and forms check a day."""

Day = Annotated[date, BeforeValidator(_day), Field(json_schema_extra={"pattern": DAY_PATTERN})]
"""A day, or its text as in `2024-12-31`, and no other format."""


@dataclass(frozen=True)
class OperatorOnly:
    """Marks a setting that the parameters of a deployment's run may not change.

    It decides what a worker trusts or reaches; the game's files and the environment set it.

    Attributes:
        why: The reason, after "because".
        inside: Whether a run may name a folder inside the one that is set.
    """

    why: str
    inside: bool = False


def configurable_fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Returns the fields that may be set: all but `game`, which is the name of the file."""
    return {name: field for name, field in model.model_fields.items() if name != "game"}


def others_in(model: type[BaseModel]) -> tuple[type[BaseModel], ...]:
    """The models of the values that a model takes under other names than those of its fields."""
    declared = inspect.get_annotations(model, eval_str=True).get("__pydantic_extra__")
    return tuple(dict.fromkeys(models_in(declared)))


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yields the models in a type, such as those of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def all_optional(schema: dict[str, Any]) -> None:
    """Makes all properties of a JSON schema optional: a file states only its differences."""
    schema.pop("required", None)
    schema["properties"].pop("game", None)


def refused(kind: str, *path: str | int, message: str = "") -> ValidationError:
    """The error of a setting below the one that a validator validates, for it to raise.

    Args:
        kind: Why it is refused, such as `extra_forbidden`.
        path: The names from the validated setting to the other.
        message: What to do.
    """
    error = PydanticCustomError(kind, "{message}", {"message": message})
    detail = InitErrorDetails(type=error, loc=path, input=None)
    return ValidationError.from_exception_data("settings", [detail])


def repeated(names: Sequence[str]) -> str:
    """The names that occur more than once; empty if there are none."""
    return ", ".join(sorted({name for name in names if names.count(name) > 1}))


class Item(BaseModel):
    """Settings that must be complete, as an entry of a list. Unknown names are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    @model_validator(mode="wrap")
    @classmethod
    def _suggest_names(cls, values: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Replaces pydantic's message for an unknown name, which suggests none."""
        try:
            return validate(values)
        except ValidationError as error:
            names = configurable_fields(cls)
            details = [_with_suggestion(detail, names) for detail in error.errors()]
            raise ValidationError.from_exception_data(error.title, details) from None


def _with_suggestion(detail: ErrorDetails, names: dict[str, FieldInfo]) -> InitErrorDetails:
    message = detail["msg"]
    if detail["type"] == "extra_forbidden" and len(detail["loc"]) == 1:
        message = f"there is no such setting. {closest(str(detail['loc'][0]), names)}"
    error = PydanticCustomError(detail["type"], "{message}", {"message": message})
    return InitErrorDetails(type=error, loc=detail["loc"], input=detail["input"])


class Section(Item):
    """A table of a game's file; what a file does not state comes from the layers below."""

    model_config = ConfigDict(json_schema_extra=all_optional)
