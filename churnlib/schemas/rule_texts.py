"""The rules of a table in words, for messages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import dataframely as dy
import polars as pl

from churnlib.schemas.spec import TableSpec, one_line


@dataclass(frozen=True)
class RuleText:
    """A rule in words.

    Attributes:
        columns: The columns that it applies to.
        text: The rule, without a full stop.
        shows_values: Whether messages show the values of its columns.
    """

    columns: tuple[str, ...]
    text: str
    shows_values: bool = True


def rule_text(spec: TableSpec, rule: str) -> RuleText:
    """Puts a rule of a table into words.

    Args:
        spec: The table.
        rule: The rule as dataframely names it: a function's name, `primary_key`, or
            `<column>|<rule>`.

    Returns:
        The docstring of the rule's function; of a bound, a sentence with its value.
    """
    if rule == "primary_key":
        return RuleText(spec.key, f"{', '.join(spec.key)} must be unique")
    column, _, kind = rule.rpartition("|")
    if column:
        text = _of_column(spec.columns[column], kind)
        return RuleText((column,), f"{column} {text}", shows_values=kind != "nullability")
    function = next(known for known in spec.rules if known.__name__ == rule)
    columns = dict.fromkeys(function().meta.root_names())
    return RuleText(tuple(columns), _first_paragraph(function) or _words(rule))


def rule_texts(spec: TableSpec) -> list[str]:
    """The rules of a table in words, except for those that follow from the types."""
    names = [rule.__name__ for rule in spec.rules]
    for column, declared in spec.columns.items():
        kinds = declared.validation_rules(pl.col(column))
        names += [f"{column}|{kind}" for kind in kinds if kind not in OF_TYPES]
    return [rule_text(spec, name).text for name in names]


OF_TYPES = ("nullability", "nan", "inf", f"check__{one_line.__name__}")
"""Rules that every column of a type has."""


def type_text(dtype: pl.DataType) -> str:
    """The rule for values of a type."""
    if dtype == pl.Date:
        return "must be a date such as 2024-12-31"
    if dtype == pl.Datetime:
        return "must be a time such as 2024-12-31 18:30:00"
    if dtype == pl.String:
        return "must be text"
    if dtype == pl.Boolean:
        return "must be true or false"
    return "must be a whole number" if dtype.is_integer() else "must be a number"


_BOUNDS: Mapping[str, str] = {
    "nullability": "must not be empty",
    "nan": "must be a finite number",
    "inf": "must be a finite number",
    "min": "must be at least {}",
    "min_exclusive": "must be greater than {}",
    "max": "must be at most {}",
    "max_exclusive": "must be less than {}",
    "is_in": "must be one of {}",
    "min_length": "must have at least {} bytes",
    "max_length": "must have at most {} bytes",
    "regex": "must match {}",
    "resolution": "must be a multiple of {}",
}


def _of_column(column: dy.Column, kind: str) -> str:
    if kind.startswith("check"):
        name = kind.removeprefix("check__")
        text = _first_paragraph(_checks(column).get(name))
        return text[:1].lower() + text[1:] if text else f"must pass {_words(name)}"
    bound = getattr(column, kind, None)
    shown = ", ".join(map(str, bound)) if isinstance(bound, list | tuple) else bound
    return _BOUNDS.get(kind, f"must hold {_words(kind)}").format(shown)


def _checks(column: dy.Column) -> Mapping[str, Callable[..., Any]]:
    """The functions that check a column, as dataframely names them."""
    check = column.check
    if isinstance(check, Mapping):
        return check
    functions = (check,) if callable(check) else tuple(check or ())
    return {function.__name__: function for function in functions}


def _first_paragraph(function: Callable[..., Any] | None) -> str:
    """The first paragraph of a function's docstring, without a full stop; empty if it has none."""
    text = (getattr(function, "__doc__", None) or "").strip()
    return " ".join(text.split("\n\n")[0].split()).removesuffix(".")


def _words(name: str) -> str:
    return name.replace("_", " ")
