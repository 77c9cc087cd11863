"""What the code knows about raw tables of each kind: order, rules, references, data warnings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import polars as pl

from churnlib.months import is_in_month_before, month_index, month_start, months_from
from churnlib.schemas.columns import (
    CHAR_ID,
    CREATION_DATE,
    DATE,
    END_DATE,
    START_DATE,
    SUB_ID,
    SUB_MONTHS,
    SUB_START_DATE,
)
from churnlib.schemas.declared import columns_of, implausible
from churnlib.schemas.next_start import NEXT_START_DATE, add_next_start
from churnlib.schemas.reading import Reading
from churnlib.schemas.spec import DATES, DataWarning, Parent, TableSpec
from churnlib.settings.data import RawSettings
from churnlib.settings.tables import TableKind, TableSettings

MOST_MONTHS = 120
"""The greatest plausible term."""
LONGEST_MONTH = timedelta(days=31)
"""The longest distance between the first days of two consecutive months."""


@dataclass(frozen=True)
class Known:
    """What the tables of a game refer to.

    Attributes:
        characters: The name of the table of characters.
        subscriptions: The name of the table of subscriptions.
        has_creation: Whether characters have a day of creation.
        keeps_unknown: Whether subscriptions of unknown characters are kept.
    """

    characters: str
    subscriptions: str
    has_creation: bool
    keeps_unknown: bool

    def before_creation(self, text: str, rows: pl.Expr) -> tuple[DataWarning, ...]:
        """The data warning of rows before their character's creation, if that is known."""
        if not self.has_creation:
            return ()
        doubt = f"char_id may mean other characters in {self.characters}"
        return (DataWarning(text, rows, parent_columns=(CREATION_DATE,), doubt=doubt),)


def spec_of(name: str, table: TableSettings, raw: RawSettings, known: Known) -> TableSpec:
    """Makes the record of a raw table.

    Args:
        name: Its name.
        table: Its settings.
        raw: The settings of all raw tables.
        known: What it refers to.
    """
    facts = {
        "name": name,
        "kind": table.kind,
        "description": table.description,
        "columns": columns_of(table, raw),
        "known_after_days": table.known_after_days,
        "null_values": raw.null_values,
        "no_date": raw.no_date,
        "reading": Reading.of(table),
        "unused": table.removed,
    }
    return TableSpec(**{**facts, **_KINDS[table.kind](table, known)})


def known_on(day: pl.Expr, table: TableSettings) -> pl.Expr:
    """The day on which a fact becomes known."""
    return day.dt.offset_by(f"{table.known_after_days}d") if table.known_after_days else day


def same_as_before(names: list[str]) -> pl.Expr:
    """Whether a row has the values of the row before it in some columns; nulls are equal."""
    return pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in names)


def run_in_order() -> pl.Expr:
    """A run of missed months must not end before it starts."""
    return pl.col(END_DATE) >= pl.col(START_DATE)


def _characters(table: TableSettings, known: Known) -> dict[str, Any]:
    milestones = [name for name, c in table.declared.items() if c.kind == "milestone"]
    created = pl.col(CREATION_DATE)
    always = pl.when(pl.col(CHAR_ID).is_not_null()).then(pl.lit(DATES[0]))
    early = tuple(
        DataWarning(f"{name} before the character's creation", pl.col(name) < created)
        for name in milestones
        if known.has_creation
    )
    return {
        "order": (CHAR_ID,),
        "dated": CREATION_DATE if known.has_creation else CHAR_ID,
        "known_on": created if known.has_creation else always,
        "warnings": (*early, *implausible(table)),
    }


def _history(table: TableSettings, known: Known) -> dict[str, Any]:
    day = pl.col(DATE)
    gaps = DataWarning(
        "months missing before a row",
        (pl.col(CHAR_ID) == pl.col(CHAR_ID).shift()) & (day - day.shift() > LONGEST_MONTH),
    )
    is_monthly = table.every == "month"
    created, text = pl.col(CREATION_DATE), "row before its character's creation"
    before = is_in_month_before(day, created) if is_monthly else day < created
    return {
        "order": (CHAR_ID, DATE),
        "dated": DATE,
        "every": table.every,
        "known_on": known_on(day, table),
        "parent": Parent(known.characters, CHAR_ID, unknown="row of an unknown character"),
        "warnings": (
            *known.before_creation(text, before),
            *((gaps,) if is_monthly else ()),
            *implausible(table),
        ),
    }


def _events(table: TableSettings, known: Known) -> dict[str, Any]:
    assert table.time is not None
    day, text = pl.col(table.time).dt.date(), "event before its character's creation"
    return {
        "order": (CHAR_ID, table.time, *table.declared),
        "dated": table.time,
        "known_on": known_on(day, table),
        "parent": Parent(known.characters, CHAR_ID, unknown="event of an unknown character"),
        "warnings": (
            *known.before_creation(text, day < pl.col(CREATION_DATE)),
            *implausible(table),
        ),
    }


def _subscriptions(table: TableSettings, known: Known) -> dict[str, Any]:
    facts = [CHAR_ID, SUB_START_DATE, SUB_MONTHS, *table.declared]
    unknown = "subscription of an unknown character" if known.keeps_unknown else None
    return {
        "order": (CHAR_ID, SUB_START_DATE, SUB_ID),
        "dated": SUB_START_DATE,
        "known_on": pl.col(SUB_START_DATE),
        "parent": Parent(known.characters, CHAR_ID, unknown),
        "warnings": (
            DataWarning("subscribed for less than a month", pl.col(SUB_MONTHS) < 1),
            DataWarning(
                f"subscribed for more than {MOST_MONTHS} months",
                pl.col(SUB_MONTHS) > MOST_MONTHS,
                doubt="sub_months may be in days",
            ),
            *implausible(table),
            *known.before_creation(
                "subscription before its character's creation",
                pl.col(SUB_START_DATE) < pl.col(CREATION_DATE),
            ),
            DataWarning(
                "equal to another subscription in all columns but sub_id",
                same_as_before(facts),
                least_share=0.01,
                doubt="the table may have subscriptions twice, with new ids",
            ),
        ),
    }


def after_term() -> pl.Expr:
    """The day on which a miss in the first month after its subscription's term is known."""
    term = pl.col(SUB_MONTHS).clip(0, MOST_MONTHS)
    return month_start(month_index(pl.col(SUB_START_DATE)) + term + 1)


def _misses(_table: TableSettings, known: Known) -> dict[str, Any]:
    # A missed month is known on the first day of the next.
    day = month_start(month_index(pl.col(START_DATE)) + 1)
    return {
        "order": (CHAR_ID, SUB_ID, START_DATE),
        "dated": START_DATE,
        "known_on": day,
        "complete_after": months_from(pl.col(START_DATE), pl.col(END_DATE)),
        "parent": Parent(known.subscriptions, SUB_ID),
        "rules": (run_in_order,),
        "warnings": _warnings_of_misses(known.subscriptions),
    }


def _warnings_of_misses(subscriptions: str) -> tuple[DataWarning, ...]:
    start, end, sub_start = pl.col(START_DATE), pl.col(END_DATE), pl.col(SUB_START_DATE)
    replaced = months_from(sub_start, pl.col(NEXT_START_DATE)) < pl.col(SUB_MONTHS)
    return (
        DataWarning(
            "miss before its subscription",
            is_in_month_before(start, sub_start),
            parent_columns=(SUB_START_DATE,),
            doubt=f"sub_id may mean other subscriptions in {subscriptions}, or dates be written "
            "year-day-month",
        ),
        DataWarning(
            "miss that starts on the last day of a month, and counts as a miss of that month",
            start == start.dt.month_end(),
            least_share=0.5,
            doubt="a time zone may have moved the first of each month to the day before",
        ),
        DataWarning(
            "miss after its subscription's term",
            months_from(sub_start, end.fill_null(start)) >= pl.col(SUB_MONTHS),
            parent_columns=(SUB_START_DATE, SUB_MONTHS),
            known_on=after_term(),
            doubt="end_date may be the first month after the missed ones, or sub_months too short",
        ),
        DataWarning(
            "miss without an end after its subscription's term",
            end.is_null() & (months_from(sub_start, start) < pl.col(SUB_MONTHS)),
            parent_columns=(SUB_START_DATE, SUB_MONTHS),
            known_on=after_term(),
        ),
        DataWarning(
            "miss of a subscription that a newer one of its character seems to replace",
            replaced & (months_from(pl.col(NEXT_START_DATE), end) >= 0).fill_null(True),
            parent_columns=(SUB_START_DATE, SUB_MONTHS),
            known_on=pl.col(NEXT_START_DATE),
            beside=add_next_start,
        ),
    )


_KINDS: Mapping[TableKind, Callable[[TableSettings, Known], dict[str, Any]]] = {
    "entity": _characters,
    "history": _history,
    "events": _events,
    "subscriptions": _subscriptions,
    "misses": _misses,
}
