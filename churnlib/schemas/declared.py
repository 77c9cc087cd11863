"""The columns of raw tables: those that a kind always has, and those that a game declares."""

from collections.abc import Iterable, Mapping

import dataframely as dy
import polars as pl

from churnlib.schemas.columns import (
    CHAR_ID,
    DATE,
    END_DATE,
    START_DATE,
    SUB_ID,
    SUB_MONTHS,
    SUB_START_DATE,
)
from churnlib.schemas.spec import Check, DataWarning, column
from churnlib.settings.data import RawSettings
from churnlib.settings.tables import ColumnSettings, TableKind, TableSettings

SHOWN_CATEGORIES = 10
"""Number of categories of a closed list that a message names."""


def first_of_month(day: pl.Expr) -> pl.Expr:
    """Must be the first day of a month."""
    return day.dt.day() == 1


_ROLES: Mapping[TableKind, Mapping[str, dy.Column]] = {
    "entity": {CHAR_ID: column("id", "The character", primary_key=True)},
    "history": {
        CHAR_ID: column("id", "The character", primary_key=True),
        DATE: column("date", "Day of the state", primary_key=True),
    },
    "events": {CHAR_ID: column("id", "The character")},
    "subscriptions": {
        SUB_ID: column("id", "The subscription", primary_key=True),
        CHAR_ID: column("id", "The character that subscribed"),
        SUB_START_DATE: column("date", "Day of the start"),
        SUB_MONTHS: column("number", "Months subscribed for", dy.Int32),
    },
    "misses": {
        SUB_ID: column("id", "The subscription", primary_key=True),
        START_DATE: column("date", "First missed month", primary_key=True),
        END_DATE: column(
            "date", "Last missed month, included; null if the run goes on", nullable=True
        ),
    },
}
"""The columns that tables of a kind always have; see `churnlib.settings.tables.ROLES`."""
MONTH = column(
    "date", "First day of the month", primary_key=True, check={"first_of_month": first_of_month}
)
"""The date of a monthly history."""


def columns_of(table: TableSettings, raw: RawSettings) -> dict[str, dy.Column]:
    """The columns of a table: those of its kind, then those that it declares, in their order.

    A column of its kind that the table declares, too, stands where it is declared.

    Args:
        table: The settings of the table.
        raw: The type of ids, and closed lists of categories.
    """
    roles = dict(_ROLES[table.kind])
    if table.kind == "history" and table.every == "month":
        roles[DATE] = MONTH
    if table.time is not None:
        roles[table.time] = column("time", "Day or time of the event")
    first = {name: role for name, role in roles.items() if table.columns.get(name) is None}
    own = {
        name: roles.get(name) or _declared(name, declared, table, raw)
        for name, declared in table.columns.items()
        if declared is not None
    }
    return {name: _with_id_type(each, raw) for name, each in {**first, **own}.items()}


def _declared(
    name: str, declared: ColumnSettings, table: TableSettings, raw: RawSettings
) -> dy.Column:
    nullable = declared.nullable
    if nullable is None:
        in_history = table.kind == "history" and declared.kind in ("number", "flag")
        nullable = declared.kind == "milestone" or in_history
    made = column(declared.kind, declared.description, nullable=nullable)
    if declared.kind == "category" and name in raw.categories:
        checks = made.check if isinstance(made.check, Mapping) else {}
        return made.with_check({**checks, "closed_list": one_of(raw.categories[name])})
    return made


def _with_id_type(declared: dy.Column, raw: RawSettings) -> dy.Column:
    if (declared.metadata or {}).get("kind") != "id" or raw.id_type != "text":
        return declared
    description = declared.description or ""
    return column("id", description, dy.String, primary_key=declared.primary_key)


def one_of(categories: tuple[str, ...]) -> Check:
    """Makes the check that a category is on a closed list."""

    def closed_list(value: pl.Expr) -> pl.Expr:
        return value.is_in(categories)

    shown, more = ", ".join(categories[:SHOWN_CATEGORIES]), ""
    if hidden := len(categories) - len(categories[:SHOWN_CATEGORIES]):
        more = f" and {hidden:,} more"
    closed_list.__doc__ = f"Must be one of raw.categories: {shown}{more}."
    return closed_list


def implausible(table: TableSettings) -> Iterable[DataWarning]:
    """The data warnings of numbers outside the plausible range that their columns declare."""
    by_range: dict[tuple[float, float], list[str]] = {}
    for name, declared in table.columns.items():
        if declared is not None and declared.plausible is not None:
            by_range.setdefault(declared.plausible, []).append(name)
    for (least, most), names in by_range.items():
        *others, last = names
        named = f"{', '.join(others)} or {last}" if others else last
        beyond = pl.any_horizontal(~pl.col(names).is_between(least, most))
        yield DataWarning(f"{named} below {_amount(least)} or above {_amount(most)}", beyond)


def _amount(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:,}"
