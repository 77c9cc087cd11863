"""The record of a table: everything the code knows about it, in one place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cached_property
from typing import Any, Literal

import dataframely as dy
import polars as pl

from churnlib.schemas.columns import CHAR_ID
from churnlib.schemas.reading import PLAIN, Reading
from churnlib.settings.data import NULL_VALUES
from churnlib.settings.tables import DeclaredKind, TableKind

ColumnKind = Literal["id", "time", DeclaredKind]
"""The kind of values of a column: an id, the time of an event, or one that a game declares."""

FACTS: tuple[ColumnKind, ...] = ("category", "number", "flag", "date")
"""Kinds of the columns of a character that never change and are known from its creation."""

Rule = Callable[[], pl.Expr]
"""Returns a flag per row that is false if the row breaks the rule, which the docstring states. Null
passes: whether a value may be missing is decided by its column."""
Check = Callable[[pl.Expr], pl.Expr]
"""The same for one column; the docstring continues the column's name: `Must be positive.`"""

DATES = (date(1900, 1, 1), date(2200, 12, 31))
"""The first and the last day that a date in a raw table may be."""
TIMES = (datetime.combine(DATES[0], time.min), datetime.combine(DATES[1], time.max))
"""The first and the last time that one in a raw table may be."""
LINE_BREAKS = ["\n", "\r"]

_TYPES: dict[ColumnKind, type[dy.Column]] = {
    "id": dy.Int64,
    "category": dy.String,
    "number": dy.Float64,
    "flag": dy.Bool,
    "time": dy.Datetime,
    "date": dy.Date,
    "milestone": dy.Date,
    "undated": dy.Int64,
}


def one_line(value: pl.Expr) -> pl.Expr:
    """Must not contain a line break."""
    return ~value.str.contains_any(LINE_BREAKS)


def column(
    kind: ColumnKind,
    description: str,
    column_type: type[dy.Column] | None = None,
    **properties: Any,
) -> dy.Column:
    """Declares a column of a raw table.

    Args:
        kind: The kind of its values.
        description: A short description.
        column_type: Its type; by default that of its kind.
        properties: Further properties of the dataframely column, such as `nullable`,
            `primary_key`, `min`, `max`, or a `check`, a mapping from names to `Check`s. By default,
            dates are bounded by `DATES`, times by `TIMES`, and text has no line breaks.
    """
    cls = column_type or _TYPES[kind]
    if cls is dy.Date:
        properties = {"min": DATES[0], "max": DATES[1], **properties}
    if cls is dy.Datetime:
        properties = {"min": TIMES[0], "max": TIMES[1], **properties}
    if cls is dy.String:
        properties["check"] = {"one_line": one_line, **properties.get("check", {})}
    return cls(description=description, metadata={"kind": kind}, **properties)


@dataclass(frozen=True)
class Parent:
    """The table that another refers to.

    Attributes:
        table: The parent's name.
        column: The column that refers to it, of the same name in both.
        unknown: The data warning that counts rows without a parent. If None, they are a fault.
    """

    table: str
    column: str
    unknown: str | None = None

    @property
    def is_required(self) -> bool:
        """Whether a row without a parent is a fault."""
        return self.unknown is None


@dataclass(frozen=True, eq=False)
class DataWarning:
    """An implausible fact that is counted and reported, but breaks no rule.

    Attributes:
        text: Its name in reports.
        rows: A flag per row of the checked table, in its order.
        parent_columns: The columns of the parent that `rows` needs.
        known_on: The day on which it became a fact, if later than that of the row.
        beside: Adds columns that `rows` needs to the rows, given all rows of the parent that belong
            to the same characters.
        least_share: The share of the table's rows from which they are counted, if a few are normal.
        doubt: What may be wrong if many rows have it; empty if nothing in particular.
    """

    text: str
    rows: pl.Expr
    parent_columns: tuple[str, ...] = ()
    known_on: pl.Expr | None = None
    beside: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame] | None = None
    least_share: float = 0.0
    doubt: str = ""


@dataclass(frozen=True, eq=False)
class Table:
    """A table.

    Attributes:
        name: Its name, also that of its file.
        description: The meaning of a row.
        columns: The columns by name, with their types, bounds and descriptions.
    """

    name: str
    description: str
    columns: Mapping[str, dy.Column]

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a row."""
        return tuple(name for name, declared in self.columns.items() if declared.primary_key)

    @property
    def types(self) -> dict[str, pl.DataType]:
        """The type of each column."""
        return {name: declared.dtype for name, declared in self.columns.items()}

    @cached_property
    def schema(self) -> type[dy.Schema]:
        """The schema that holds every rule."""
        return _schema(self.name, self.columns)


@dataclass(frozen=True, eq=False)
class TableSpec(Table):
    """A raw table.

    Attributes:
        kind: The kind of its rows.
        order: The order of the checked table: `char_id`, then the order of a character's rows.
        dated: The column of the day of its fact.
        known_on: The day on which a row's fact becomes known.
        complete_after: The months from that day until the rest of the row is known, for rows about
            more than a day; None if it is known at once.
        every: For a history, how often it has a row of a character.
        known_after_days: The days from that of a fact to that on which it reaches the data, which
            `known_on` includes.
        parent: The table that it refers to.
        rules: The rules within a row, in addition to the types and bounds of columns.
        warnings: The implausible facts to report.
        null_values: The text of cells that are null.
        no_date: The days that mean "no date".
        reading: How its files are read.
        unused: Columns that its files may have and that the game does not use.
    """

    kind: TableKind
    order: tuple[str, ...]
    dated: str
    known_on: pl.Expr
    complete_after: pl.Expr | None = None
    every: Literal["month", "day"] = "month"
    known_after_days: int = 0
    parent: Parent | None = None
    rules: tuple[Rule, ...] = ()
    warnings: tuple[DataWarning, ...] = ()
    null_values: tuple[str, ...] = NULL_VALUES
    no_date: tuple[str, ...] = ()
    reading: Reading = PLAIN
    unused: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuses rules across rows that buckets cannot check, and orders that leave some open."""
        if unique := [name for name, declared in self.columns.items() if declared.unique]:
            raise ValueError(f"{self.name}: only the key can be unique, not {', '.join(unique)}.")
        if apart := [name for name in self.key if name not in self.order]:
            raise ValueError(f"{self.name}: the order must contain the key, also {apart[0]}.")
        if apart := [name for name in self.columns if not self.key and name not in self.order]:
            raise ValueError(f"{self.name}: the order must contain all columns, also {apart[0]}.")

    @property
    def is_monthly(self) -> bool:
        """Whether all facts are of the first day of a month."""
        is_monthly_history = self.kind == "history" and self.every == "month"
        return is_monthly_history or self.kind == "misses"

    @property
    def months_until_known(self) -> int:
        """The months from that of a row's fact to that in which it becomes known."""
        return 1 if self.kind == "misses" else 0

    @property
    def required_parent(self) -> Parent | None:
        """The parent, if a row without one is a fault."""
        return self.parent if self.parent and self.parent.is_required else None

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns of rows that are judged together: the key, or all in order without one."""
        return self.key or self.order

    @property
    def is_key_ordered(self) -> bool:
        """Whether rows with the same key are neighbours in the checked table."""
        if not self.key:
            return True
        refers = self.required_parent.column if self.required_parent else CHAR_ID
        has_owner = CHAR_ID in self.key or refers in self.key
        return has_owner and {*self.order} - {CHAR_ID} <= {*self.key}

    @property
    def checked_types(self) -> dict[str, pl.DataType]:
        """The type of each column of the checked table, in which every row has its `char_id`."""
        return {**self.types, CHAR_ID: self.types.get(CHAR_ID, self._id_type)}

    @property
    def _id_type(self) -> pl.DataType:
        return self.types[self.of_kind("id")[0]]

    def of_kind(self, *kinds: ColumnKind) -> tuple[str, ...]:
        """The columns of some kinds, in their order."""
        return tuple(name for name, declared in self.columns.items() if kind_of(declared) in kinds)

    @cached_property
    def schema(self) -> type[dy.Schema]:
        """The schema that holds every rule."""
        return _schema(self.name, self.columns, self.rules)

    @cached_property
    def row_schema(self) -> type[dy.Schema]:
        """The schema with every rule except the uniqueness of the key, which concerns all rows."""
        return _schema(self.name, self._columns_without_key(), self.rules)

    @cached_property
    def line_schema(self) -> type[dy.Schema]:
        """The same for rows that are lines, so that no text has a line break."""
        columns = {
            name: declared.with_check(_without_one_line(declared))
            if isinstance(declared, dy.String)
            else declared
            for name, declared in self._columns_without_key().items()
        }
        return _schema(self.name, columns, self.rules)

    def _columns_without_key(self) -> dict[str, dy.Column]:
        return {
            name: declared.with_primary_key(False) if declared.primary_key else declared
            for name, declared in self.columns.items()
        }


def _without_one_line(declared: dy.Column) -> dict[str, Check]:
    checks = declared.check if isinstance(declared.check, Mapping) else {}
    return {name: check for name, check in checks.items() if name != one_line.__name__}


def kind_of(declared: dy.Column) -> ColumnKind | None:
    """The kind of a column; None for one that is computed."""
    kind: ColumnKind | None = (declared.metadata or {}).get("kind")
    return kind


def _schema(
    name: str, columns: Mapping[str, dy.Column], rules: tuple[Rule, ...] = ()
) -> type[dy.Schema]:
    return type(name, (dy.Schema,), {**columns, **{r.__name__: _rule(r) for r in rules}})


def _rule(rule: Rule) -> Any:
    """Converts a function to a dataframely rule."""

    def hold(_schema: type[dy.Schema]) -> pl.Expr:
        return rule()

    return dy.rule()(hold)
