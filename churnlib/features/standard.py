"""Standard features: what is known about a subscription at its start, except for currency."""

import sys
from datetime import date

import polars as pl

from churnlib.months import months_from
from churnlib.schemas.columns import (
    CHAR_ID,
    CREATION_DATE,
    MASTERY_DATE,
    PRICE,
    SUB_MONTHS,
    SUB_START_DATE,
)
from churnlib.schemas.raw_tables import raw_tables
from churnlib.schemas.spec import FACTS, ColumnKind
from churnlib.schemas.validation import require

SUB_ORDER = raw_tables().subscriptions.order
LARGEST = sys.float_info.max


def standard_features(
    characters: pl.LazyFrame, subs: pl.LazyFrame, *, as_of: date, undated_totals: bool = False
) -> pl.LazyFrame:
    """Builds the standard features of every subscription, as of its start.

    Args:
        characters: `character_data`, one row per character.
        subs: `sub_data`, one row per subscription.
        as_of: The day of the run; later subscriptions are left out.
        undated_totals: Whether to keep `total_kills` and `total_deaths`. They are as of the
            extract, so they leak the future.

    Returns:
        One row per subscription that started on or before `as_of` and whose character is known,
        sorted by character, start and subscription: the columns of `sub_data`, those of the
        character, then the computed ones. Months are calendar months. Neither currency nor label.

    Raises:
        DataError: A column is missing.
    """
    tables = raw_tables()
    kinds: tuple[ColumnKind, ...] = (*FACTS, "undated") if undated_totals else FACTS
    milestones = tables.characters.of_kind("milestone")
    known = tables.characters.of_kind(*kinds)
    facts = (CHAR_ID, *known, *milestones)
    require(characters.collect_schema(), facts, "the characters")
    require(subs.collect_schema(), tables.subscriptions.columns, "the subscriptions")
    return (
        subs.select(*tables.subscriptions.columns)
        .filter(pl.col(SUB_START_DATE) <= as_of)
        .join(
            characters.select(facts),
            on=CHAR_ID,
        )
        .pipe(add_age)
        .pipe(add_mastery)
        .drop(milestones)
        .pipe(add_sub_history)
        .with_columns(expected_revenue=(pl.col(SUB_MONTHS) * pl.col(PRICE)).clip(-LARGEST, LARGEST))
    )


def add_age(subs: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `age_at_sub_months`, the months from the character's creation to the start.

    Keeps the rows. Needs `creation_date` and `sub_start_date`. The age is null in dirty data in
    which a character starts a subscription before its creation.
    """
    created, start = pl.col(CREATION_DATE), pl.col(SUB_START_DATE)
    age = pl.when(created <= start).then(months_from(created, start))
    return subs.with_columns(age_at_sub_months=age)


def add_mastery(subs: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `is_mastered` and `months_to_mastery`, as known at the start.

    Keeps the rows. Needs `creation_date`, `class_mastery_date` and `sub_start_date`.
    `months_to_mastery` counts from creation, and is null if the class is not mastered by the start.
    Both are null in dirty data in which it was mastered before the character's creation.
    """
    created, day = pl.col(CREATION_DATE), pl.col(MASTERY_DATE)
    mastered = (day <= pl.col(SUB_START_DATE)).fill_null(False)
    is_odd = mastered & (day < created)
    return subs.with_columns(
        is_mastered=pl.when(~is_odd).then(mastered),
        months_to_mastery=pl.when(mastered & ~is_odd).then(months_from(created, day)),
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
