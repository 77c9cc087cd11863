"""The kinds and names of the columns of a table that have no role."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date

from churnlib.months import months_apart
from churnlib.proposal.columns import Column, day_of
from churnlib.proposal.names import our_name
from churnlib.proposal.tables import Table
from churnlib.proposal.values import Type
from churnlib.proposal.words import hints
from churnlib.raw.number_texts import advice
from churnlib.schemas.columns import CREATION_DATE, PRICE
from churnlib.settings.tables import ColumnSettings, DeclaredKind, TableKind

MOST_CATEGORIES, MOST_SHARE = 1_000, 0.2
"""The number of different texts, and their share of the rows, up to which they are a category."""
FEW_CATEGORIES = 20
"""The number up to which they are one, however few rows there are."""
OLDEST = 12 * 30
"""Months before the first subscription from which on an earliest day is no creation."""
READ_AS: Mapping[DeclaredKind, tuple[Type, ...]] = {
    "category": ("text", "whole", "flag"),
    "number": ("whole", "number"),
    "undated": ("whole",),
    "flag": ("flag",),
    "date": ("time",),
    "milestone": ("time",),
}
"""The types of the values that a column of a kind may have."""


@dataclass(frozen=True, eq=False)
class Choice:
    """A column of a table in the settings.

    Attributes:
        column: The column of the file.
        name: Its name in the settings.
        kind: The kind of its values; None if it is not used.
        why: Why it has this name or kind, if that is a guess.
        is_nullable: Whether the settings must say that a value may be missing.
    """

    column: Column
    name: str
    kind: DeclaredKind | None
    why: str = ""
    is_nullable: bool = False


Judged = tuple[DeclaredKind | None, str]
"""A kind, and why it is a guess."""


def choose(
    table: Table,
    shared: Mapping[str, ColumnSettings],
    taken: Collection[str],
    first_start: date | None,
) -> list[Choice]:
    """Chooses the kinds and names of the columns of a table that have no role.

    Args:
        table: The table.
        shared: The columns that such a table has in all games: one with the name and the type of
            values of these has its kind.
        taken: The names that no column may have.
        first_start: The start of the first subscription.
    """
    known = _known_by_meaning(table, shared, first_start)
    names = {*taken, *table.roles, *shared}
    prefix = our_name(table.file.source.stem, (), "").lower()
    choices: list[Choice] = []
    for column in table.others:
        name, why = known.get(column.name, (column.name, ""))
        if name in shared and name not in taken and _can_be(column, shared[name].kind):
            kind: DeclaredKind | None = shared[name].kind
        else:
            kind, why = _OF_KIND[table.kind](column)
            name = our_name(column.name, names, prefix)
            names.add(name)
        choices.append(Choice(column, name, kind, why, _must_say_null(column, kind, table.kind)))
    return choices


def _known_by_meaning(
    table: Table, shared: Mapping[str, ColumnSettings], first_start: date | None
) -> dict[str, tuple[str, str]]:
    """The columns that mean the creation of a character or the price, with why, by name."""
    has_creation = CREATION_DATE in table.file.columns or CREATION_DATE not in shared
    if table.kind == "entity" and not has_creation:
        if found := _creation(table, first_start):
            return {found.name: (CREATION_DATE, "the day of creation? The first day in every row")}
    elif table.kind == "subscriptions" and PRICE in shared and PRICE not in table.file.columns:
        numbers = [c for c in table.others if c.type in ("whole", "number") and c.is_complete]
        priced = [c for c in numbers if hints(c.name, "price")]
        if len(priced) == 1:
            return {priced[0].name: (PRICE, "the price a month?")}
    return {}


def _creation(table: Table, first_start: date | None) -> Column | None:
    days = [c for c in table.others if c.is_day and c.is_complete and _is_recent(c, first_start)]
    return min(
        days,
        key=lambda c: (not hints(c.name, "creation"), hints(c.name, "birth"), c.least),
        default=None,
    )


def _is_recent(column: Column, first_start: date | None) -> bool:
    first = day_of(column.least)
    return not (first and first_start) or months_apart(first, first_start) < OLDEST


def _can_be(column: Column, kind: DeclaredKind) -> bool:
    if column.is_empty or (column.type == "time" and not column.is_days):
        return False
    return column.type in READ_AS[kind]


def _must_say_null(column: Column, kind: DeclaredKind | None, table: TableKind) -> bool:
    """Whether values are missing, and the settings must say that they may be."""
    is_usual = kind == "milestone" or (table == "history" and kind in ("number", "flag"))
    return kind is not None and not column.is_complete and not is_usual


def _of_character(column: Column) -> Judged:
    if (problem := _problem(column)) or hints(column.name, "outcome"):
        return None, problem or "may tell who churned"
    if column.type == "time":
        if hints(column.name, "birth"):
            return "date", ""
        if column.is_complete:
            return "date", "or a milestone, if it may lie ahead"
        return "milestone", "or a date, if known from the start"
    if column.type in ("whole", "number") and not column.is_zero_or_one:
        if column.is_whole and column.type == "whole":
            return "undated", "as of the extract; a number if it never changes"
        return None, "as of the extract; a number if it never changes"
    return _of_fact(column)


def _of_subscription(column: Column) -> Judged:
    if (problem := _problem(column)) or hints(column.name, "outcome"):
        return None, problem or "may tell who churned"
    if column.type == "time":
        return None, "is it known at the start? Then a date"
    if column.is_key:
        return None, "seems to be an id"
    return _of_fact(column)


def _of_state(column: Column) -> Judged:
    if problem := _problem(column):
        return None, problem
    if column.type in ("text", "time"):
        return None, "only numbers and flags of histories are features"
    return _of_fact(column)


def _of_event(column: Column) -> Judged:
    if problem := _problem(column):
        return None, problem
    if column.type == "time":
        return None, "another day"
    if column.is_key:
        return None, "seems to be the id of the event"
    if column.type == "text" and column.distinct > 0.5 * (column.rows - column.nulls):
        return None, f"{column.distinct:,} different texts"
    return ("category", "") if column.type == "text" else _of_fact(column)


def _of_fact(column: Column) -> Judged:
    """The kind of what never changes."""
    if column.type == "flag" or column.is_zero_or_one:
        return "flag", ""
    if column.type in ("whole", "number"):
        return "number", ""
    most = min(MOST_CATEGORIES, MOST_SHARE * column.rows)
    if column.distinct <= max(FEW_CATEGORIES, most):
        hint = advice(str(column.least), column.name)
        return "category", f"text? {hint}" if hint and column.distinct > FEW_CATEGORIES else ""
    return None, f"{column.distinct:,} different texts"


def _problem(column: Column) -> str:
    """Why the values of a column cannot be used; empty if they can."""
    if column.is_empty:
        return "has no values"
    if column.type == "nested":
        return "has values that are neither text nor numbers nor days"
    if column.type == "month":
        return f"months such as {column.least}; write their first days"
    if column.type == "time" and not column.is_days:
        return "times of day; write the days alone"
    return ""


_OF_KIND: Mapping[TableKind, Callable[[Column], Judged]] = {
    "entity": _of_character,
    "history": _of_state,
    "events": _of_event,
    "subscriptions": _of_subscription,
    "misses": lambda column: (None, _problem(column)),
}
