"""The tables that flows write, with the columns that do not depend on the game's features."""

from collections.abc import Iterator
from functools import cache

import dataframely as dy

from churnlib.schemas.columns import (
    BASELINE,
    CAMPAIGN,
    CAMPAIGN_WEIGHT,
    CHAR_ID,
    CREATION_DATE,
    DAY,
    IN_A_ROW,
    MISSED,
    MONTHS_LEFT,
    PREVIOUS,
    PREVIOUS_CHURNED,
    PRICE,
    PROBABILITY,
    SINCE_MISS,
    SUB_ID,
    SUB_START_DATE,
    TENURE,
    date_feature,
    milestone_features,
)
from churnlib.schemas.raw_tables import RawTables, raw_tables
from churnlib.schemas.spec import FACTS, Table, TableSpec
from churnlib.settings import CohortSettings, Settings
from churnlib.settings.tables import DeclaredTables

_COMPUTED = {
    "first_sub_date": dy.Date(description="Start of the character's first subscription"),
    "is_first_sub": dy.Bool(description="Whether it is the first: a new character"),
    "sub_number": dy.Int32(min=1, description="1 + how many started strictly before"),
    "months_since_previous_sub": dy.Int32(
        nullable=True, description="Since the latest strictly earlier start; null for the first"
    ),
}
_CHURNED = {
    "churned_on": dy.Date(
        nullable=True,
        description="First day of the month by which it has churned (`[outcome]`), if it has",
    ),
}
DAYS = {
    DAY: dy.Date(primary_key=True, description="The day of the row, on which it is predicted"),
}
"""The column of every cohort that says which row of a subscription it is."""
_BY_MONTH = {
    TENURE: dy.Int32(description="Calendar months from the start to the day"),
    MONTHS_LEFT: dy.Int32(description="`sub_months` - `tenure_months`"),
}
_MISSES = {
    MISSED: dy.Int32(min=0, description="Missed months known by the day"),
    IN_A_ROW: dy.Int32(
        min=0, description="Of them those in a row up to the month before the day, else 0"
    ),
    SINCE_MISS: dy.Int32(
        nullable=True, min=1, description="Calendar months since the last of them; null if none"
    ),
}
_PREVIOUS = {
    PREVIOUS_CHURNED: dy.Bool(
        nullable=True,
        description="Whether the character's subscription before had churned by the day; null if "
        "there is none",
    ),
}
PREDICTED = {
    PROBABILITY: dy.Float64(
        nullable=True,
        min=0,
        max=1,
        description="Of churn within the horizon; null if the subscription is too short to churn",
    ),
    "risk_rank": dy.UInt32(
        nullable=True, min=1, description="1 for the highest churn probability; null without one"
    ),
    "model_version": dy.String(description="The model that predicted it"),
    BASELINE: dy.Float64(
        nullable=True,
        min=0,
        max=1,
        description="Churn by the model's baseline, a logistic regression; null without one",
    ),
    "contact": dy.Bool(
        nullable=True,
        description="Whether a campaign contacts: at or above the threshold, not held out; null in "
        "all rows if no back-test of the model shows enough to contact anyone",
    ),
    "held_out": dy.Bool(
        description="Whether the character is never contacted, in any month and by any model"
    ),
    PREVIOUS: dy.Float64(
        nullable=True,
        min=0,
        max=1,
        description="The `churn_probability` in the batch before; null if it was not in that",
    ),
}
"""The columns of predictions besides the keys."""
NEWER_COLUMNS = (DAY, BASELINE, "contact", "held_out", PREVIOUS)
"""Columns that predictions may lack, because older versions of this package did not write them."""


def output_tables(settings: Settings | DeclaredTables) -> dict[str, Table]:
    """The tables that flows write, by name.

    Args:
        settings: The settings of the game; see `raw_tables`.
    """
    return _output_tables(raw_tables(settings))


@cache
def _output_tables(raw: RawTables) -> dict[str, Table]:
    subscriptions, characters = raw.subscriptions, raw.characters
    facts = {name: characters.columns[name] for name in characters.of_kind(*FACTS)}
    undated = subscriptions.of_kind("undated")
    tables = (
        Table(
            "standard_features",
            "A row per subscription, as known at its start; all months are calendar months.",
            {
                **{n: column for n, column in subscriptions.columns.items() if n not in undated},
                **{name: _nullable(column, name, raw) for name, column in facts.items()},
                **dict(computed_columns(raw)),
            },
        ),
        Table(
            "predictions",
            "A row per subscription of the batch and day.",
            {
                **{name: subscriptions.columns[name] for name in (CHAR_ID, SUB_ID, SUB_START_DATE)},
                **DAYS,
                **PREDICTED,
            },
        ),
    )
    return {table.name: table for table in tables}


def _nullable(column: dy.Column, name: str, raw: RawTables) -> dy.Column:
    """A fact is null if the character is unknown; a date also where it is after the day."""
    is_date = isinstance(column, dy.Date) and name != CREATION_DATE
    is_unknown = raw.subscriptions.required_parent is None
    return column.with_nullable(True) if is_date or is_unknown else column


def computed_columns(raw: RawTables) -> Iterator[tuple[str, dy.Column]]:
    """Yields the standard features that are computed, in their order, by name.

    Args:
        raw: The raw tables of the game. If their columns have unfortunate names, two features have
            the same one.
    """
    yield from _of_character(raw.characters)
    yield from _COMPUTED.items()
    if PRICE in raw.subscriptions.columns:
        yield "expected_revenue", dy.Float64(description="sub_months * price")
    yield from _CHURNED.items()


def _of_character(characters: TableSpec) -> Iterator[tuple[str, dy.Column]]:
    """The features that are computed from a character's dates."""
    has_creation = CREATION_DATE in characters.columns
    if has_creation:
        yield (
            "age_at_sub_months",
            dy.Int32(nullable=True, description="Creation to start; null if created later"),
        )
    for name in characters.of_kind("milestone"):
        is_reached, months_to = milestone_features(name)
        text = f"Whether {name} was by the start; null if before the creation"
        yield is_reached, dy.Bool(nullable=True, description=text)
        if has_creation:
            text = f"Creation to {name}; null if `{is_reached}` is not true"
            yield months_to, dy.Int32(nullable=True, description=text)
    for name in characters.of_kind("date"):
        if name != CREATION_DATE:
            text = f"{name} to start; null if later"
            yield date_feature(name), dy.Int32(nullable=True, description=text)


CAMPAIGNS = {
    CAMPAIGN: dy.String(
        description="Whether a campaign `contacted` the subscription within the horizon, would "
        "have but `held_out` its character, or `none`; not known on the day, so no feature"
    ),
    CAMPAIGN_WEIGHT: dy.Float64(
        min=0, description="0, 1 / hold-out share and 1, respectively; see `train.contacted`"
    ),
}
"""The columns of windows of training and back-tests about earlier batches."""


def cohort_columns(cohort: CohortSettings) -> dict[str, dy.Column]:
    """The columns that a cohort has besides the standard features, in their order, by name.

    Args:
        cohort: Which rows a subscription has, and whether they tell its missed months.
    """
    monthly = _BY_MONTH | (_MISSES if cohort.has_payment_history else {})
    return {
        **DAYS,
        **(monthly if cohort.is_monthly else {}),
        **(_PREVIOUS if cohort.has_payment_history else {}),
    }


def all_tables(settings: Settings | DeclaredTables) -> dict[str, Table]:
    """The raw tables and those that flows write, by name; see `output_tables`."""
    return {**raw_tables(settings), **output_tables(settings)}
