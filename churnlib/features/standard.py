"""Standard features: what is known about a subscription at its start, without its activity."""

import sys
from dataclasses import dataclass
from datetime import date

import polars as pl

from churnlib.months import months_from
from churnlib.schemas.columns import (
    CHAR_ID,
    CREATION_DATE,
    PRICE,
    SUB_MONTHS,
    SUB_ORDER,
    SUB_START_DATE,
    date_feature,
    milestone_features,
)
from churnlib.schemas.raw_tables import raw_tables
from churnlib.schemas.spec import FACTS, ColumnKind
from churnlib.schemas.validation import require
from churnlib.settings import Settings

LARGEST = sys.float_info.max
KNOWN = "_is_known"
"""Whether the character of a row is known; null if it is not."""


@dataclass(frozen=True)
class StandardColumns:
    """The columns that standard features are built from.

    Attributes:
        subscription: Those of subscriptions.
        facts: Those of characters that are known from their creation. Undated columns are among
            both only if they are features.
        milestones: The days of characters' milestones.
        dates: Other dates of characters, of which the months until the start are features.
        keeps_unknown: Whether subscriptions of unknown characters have a row.
    """

    subscription: tuple[str, ...]
    facts: tuple[str, ...]
    milestones: tuple[str, ...]
    dates: tuple[str, ...]
    keeps_unknown: bool

    @classmethod
    def of(cls, settings: Settings) -> "StandardColumns":
        """Takes them from the settings of a game."""
        tables = raw_tables(settings)
        characters = tables.characters
        undated = settings.standard.undated_totals
        kinds: tuple[ColumnKind, ...] = (*FACTS, "undated") if undated else FACTS
        leaky = () if undated else tables.subscriptions.of_kind("undated")
        return cls(
            tuple(name for name in tables.subscriptions.columns if name not in leaky),
            characters.of_kind(*kinds),
            characters.of_kind("milestone"),
            tuple(name for name in characters.of_kind("date") if name != CREATION_DATE),
            settings.raw.unknown_parent == "keep",
        )


def standard_features(
    characters: pl.LazyFrame,
    subs: pl.LazyFrame,
    columns: StandardColumns | Settings,
    *,
    as_of: date,
) -> pl.LazyFrame:
    """Builds the standard features of every subscription, as of its start.

    Args:
        characters: The checked table of characters, one row per character.
        subs: That of subscriptions, one row per subscription.
        columns: The settings of the game, or only what these features depend on.
        as_of: The day of the run; later subscriptions are left out.

    Returns:
        One row per subscription that started on or before `as_of` and whose character is known,
        sorted by character, start and subscription: the columns of the subscription, those of the
        character, then the computed ones. Months are calendar months. No label. With
        `raw.unknown_parent = "keep"`, subscriptions of unknown characters have a row, too, in which
        the facts of the character are null.

    Raises:
        DataError: A column is missing.
    """
    if isinstance(columns, Settings):
        columns = StandardColumns.of(columns)
    facts = (CHAR_ID, *columns.facts, *columns.milestones)
    require(characters.collect_schema(), facts, "the characters")
    require(subs.collect_schema(), columns.subscription, "the subscriptions")
    rows = (
        subs.select(*columns.subscription)
        .filter(pl.col(SUB_START_DATE) <= as_of)
        .join(
            characters.select(*facts, pl.lit(True).alias(KNOWN)),
            on=CHAR_ID,
            how="left" if columns.keeps_unknown else "inner",
        )
    )
    if CREATION_DATE in columns.facts:
        rows = rows.pipe(add_age)
    for milestone in columns.milestones:
        rows = rows.pipe(add_milestone, milestone, has_creation=CREATION_DATE in columns.facts)
    for name in columns.dates:
        rows = rows.pipe(add_months_since, name)
    rows = rows.drop(columns.milestones, KNOWN).pipe(add_sub_history)
    if PRICE not in columns.subscription:
        return rows
    revenue = (pl.col(SUB_MONTHS) * pl.col(PRICE)).clip(-LARGEST, LARGEST)
    return rows.with_columns(expected_revenue=revenue)


def add_age(subs: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `age_at_sub_months`, the months from the character's creation to the start.

    Keeps the rows. Needs `creation_date` and `sub_start_date`. The age is null in dirty data in
    which a character starts a subscription before its creation.
    """
    created, start = pl.col(CREATION_DATE), pl.col(SUB_START_DATE)
    age = pl.when(created <= start).then(months_from(created, start))
    return subs.with_columns(age_at_sub_months=age)


def add_milestone(
    rows: pl.LazyFrame, name: str, *, has_creation: bool, day: str = SUB_START_DATE
) -> pl.LazyFrame:
    """Adds whether a milestone is reached by a day, and how many months after the creation.

    Keeps the rows. Needs the date of the milestone, the day, and whether the character is known,
    without which both are null; the months need `creation_date`. They are null if the milestone is
    not reached by the day. Both are null in dirty data in which it was reached before the
    character's creation.

    Args:
        rows: Rows of subscriptions, or of a cohort.
        name: The column of the milestone.
        has_creation: Whether the day of the character's creation is known.
        day: The column of the day.
    """
    is_reached, months_to = milestone_features(name)
    created, reached_on = pl.col(CREATION_DATE), pl.col(name)
    reached = pl.when(KNOWN).then((reached_on <= pl.col(day)).fill_null(False))
    if not has_creation:
        return rows.with_columns(reached.alias(is_reached))
    is_odd = reached & (reached_on < created)
    return rows.with_columns(
        pl.when(~is_odd).then(reached).alias(is_reached),
        pl.when(reached & ~is_odd).then(months_from(created, reached_on)).alias(months_to),
    )


def add_months_since(rows: pl.LazyFrame, name: str, *, day: str = SUB_START_DATE) -> pl.LazyFrame:
    """Adds the months from a date of the character to a day; both are null if it is later.

    Keeps the rows. Needs the date and the day.

    Args:
        rows: Rows of subscriptions, or of a cohort.
        name: The column of the date.
        day: The column of the day.
    """
    known = pl.when(pl.col(name) <= pl.col(day)).then(pl.col(name))
    return rows.with_columns(known.alias(name)).with_columns(
        months_from(pl.col(name), pl.col(day)).alias(date_feature(name))
    )


def add_sub_history(subs: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the character's earlier subscriptions: their number and dates.

    Keeps the rows and sorts them by `SUB_ORDER`. Adds `first_sub_date`, `is_first_sub`,
    `sub_number` (1 + the number of subscriptions that started strictly before) and
    `months_since_previous_sub` (since the latest strictly earlier start; null for the first).
    Subscriptions that start on the same day do not precede each other.
    """
    start, row = pl.col(SUB_START_DATE), pl.int_range(pl.len())
    is_first = (pl.col(CHAR_ID) != pl.col(CHAR_ID).shift()).fill_null(True)
    is_new_day = is_first | (start != start.shift())
    return (
        subs.sort(SUB_ORDER)
        .with_columns(
            _first=pl.when(is_first).then(row).forward_fill(),
            _first_of_day=pl.when(is_new_day).then(row).forward_fill(),
        )
        .with_columns(
            first_sub_date=start.gather(pl.col("_first")),
            is_first_sub=pl.col("_first_of_day") == pl.col("_first"),
            sub_number=(1 + pl.col("_first_of_day") - pl.col("_first")).cast(pl.Int32),
        )
        .with_columns(
            _previous=pl.when(~pl.col("is_first_sub")).then(
                start.gather((pl.col("_first_of_day") - 1).clip(0))
            ),
        )
        .with_columns(months_since_previous_sub=months_from(pl.col("_previous"), start))
        .drop("_first", "_first_of_day", "_previous")
    )
