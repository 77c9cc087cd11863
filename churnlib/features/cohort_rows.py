"""The rows of a cohort: which rows a subscription has, and what is known on the day of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from churnlib.errors import DataError
from churnlib.features.month_runs import MANY_MONTHS
from churnlib.features.payment_history import add_missed_months, add_previous_churn, previous_churn
from churnlib.features.standard import KNOWN, StandardColumns, add_milestone, add_months_since
from churnlib.months import month_index, month_start, months_from
from churnlib.schemas.columns import (
    CHAR_ID,
    CREATION_DATE,
    DAY,
    MONTHS_LEFT,
    SUB_MONTHS,
    SUB_START_DATE,
    TENURE,
    date_feature,
    day_column,
    milestone_features,
)
from churnlib.schemas.validation import require
from churnlib.settings import CohortSettings, Settings
from churnlib.settings.tables import TableKind

Span = tuple[date, date]
"""The first and the last day of rows, both included."""


@dataclass(frozen=True)
class CohortRows:
    """What the rows of a cohort depend on.

    Attributes:
        settings: Which rows a subscription has, and whether they tell its missed months.
        standard: The columns that standard features are built from.
    """

    settings: CohortSettings
    standard: StandardColumns

    @classmethod
    def of(cls, settings: Settings) -> "CohortRows":
        """Takes them from the settings of a game."""
        return cls(settings.cohort, StandardColumns.of(settings))

    @property
    def changing(self) -> tuple[str, ...]:
        """The dates of characters from which features change while a subscription runs."""
        return (*self.standard.milestones, *self.standard.dates)

    @property
    def kinds(self) -> tuple[TableKind, ...]:
        """The kinds of the raw tables that are read besides the standard features."""
        if not self.settings.is_monthly:
            return ()
        characters: tuple[TableKind, ...] = ("entity",) if self.changing else ()
        return (*characters, "misses") if self.settings.has_payment_history else characters

    @property
    def batch_kinds(self) -> tuple[TableKind, ...]:
        """The kinds of the raw tables that a batch is made of, besides histories and events.

        Misses are among them if its rows tell them; and at the monthly grain, because a
        subscription that has churned has no row.
        """
        reads_misses = self.settings.is_monthly or self.settings.has_payment_history
        return ("entity", "subscriptions", *(("misses",) if reads_misses else ()))


def cohort_rows(
    subs: pl.LazyFrame,
    cohort: CohortRows,
    tables: Mapping[TableKind, pl.LazyFrame],
    *,
    as_of: date,
    span: Span | None = None,
) -> pl.LazyFrame:
    """Gives each subscription the rows of a cohort.

    At the start grain it has one, on the day of its start. At the monthly grain it has one on the
    first day of each month in which it runs and has not churned: the columns of the subscription
    stay as at its start, and milestones and other dates of the character are as known on that day.

    Args:
        subs: The standard features of all subscriptions, sorted as they are, with `churned_on` as
            known on `as_of`; the start grain needs it only for the payment history.
        cohort: Which rows, and what they tell.
        tables: The checked raw tables of `cohort.kinds`, by kind.
        as_of: The day of the run; there are no later rows.
        span: The days of the rows; all if None.

    Returns:
        The rows, sorted by character, start, subscription and day, with `day`. At the monthly grain
        they have `tenure_months`, the calendar months since the start, and `months_left` of the
        term. With `reads_misses`, `previous_sub_churned` tells whether the character's last earlier
        subscription had churned by then, null if there is none; and at the monthly grain the
        missed months are counted, see `churnlib.features.payment_history.add_missed_months`.

    Raises:
        DataError: A column or a table is missing, or the window ends before it starts.
    """
    settings = cohort.settings
    require(tables, cohort.kinds, "the tables")
    if settings.has_payment_history:
        subs = subs.pipe(previous_churn)
    rows = rows_on_days(subs, settings, as_of=as_of, span=span)
    if "entity" in cohort.kinds:
        rows = rows.pipe(_facts_on_day, tables["entity"], cohort.standard)
    if "misses" in cohort.kinds:
        rows = rows.pipe(add_missed_months, tables["misses"], as_of=as_of)
    return rows.pipe(add_previous_churn) if settings.has_payment_history else rows


def rows_on_days(
    subs: pl.LazyFrame, settings: CohortSettings, *, as_of: date, span: Span | None = None
) -> pl.LazyFrame:
    """Gives each subscription the rows of a cohort, with its columns as at the start.

    Args:
        subs: One row per subscription; see `cohort_rows`.
        settings: Which rows a subscription has.
        as_of: The day of the run; there are no later rows.
        span: The days of the rows; all if None.

    Returns:
        The rows, with `day`, and at the monthly grain the columns of `monthly_rows`.
    """
    if settings.is_monthly:
        return monthly_rows(subs, as_of=as_of, span=span)
    rows = subs.with_columns(pl.col(SUB_START_DATE).alias(DAY))
    return rows if span is None else in_window(rows, *span)


def monthly_rows(subs: pl.LazyFrame, *, as_of: date, span: Span | None = None) -> pl.LazyFrame:
    """Gives each subscription a row on the first day of each month in which it runs.

    It runs from its start until `sub_months` later, or until the day on which it churned.

    Args:
        subs: One row per subscription, with `sub_start_date`, `sub_months` and `churned_on`.
        as_of: The last day of rows.
        span: The first and the last day of rows; all if None.

    Returns:
        The rows of each subscription in the order of their days, with `day`, `tenure_months` and
        `months_left`.

    Raises:
        DataError: A column is missing, or the window ends before it starts.
    """
    require(subs.collect_schema(), (SUB_START_DATE, SUB_MONTHS, "churned_on"), "the subscriptions")
    first, last = span or (date.min, as_of)
    _check_window(first, last)
    start = pl.col(SUB_START_DATE)
    began = month_index(start)
    is_within_month = start.dt.day() > 1
    opens = month_index(pl.lit(first)) + int(first.day > 1)
    term = pl.col(SUB_MONTHS).clip(0, MANY_MONTHS).cast(pl.Int32)
    months = pl.int_ranges(
        pl.max_horizontal(began + is_within_month, opens),
        1
        + pl.min_horizontal(
            began + term - (~is_within_month),
            month_index(pl.col("churned_on")) - 1,
            month_index(pl.lit(min(last, as_of))),
        ),
        dtype=pl.Int32,
    )
    return (
        subs.with_columns(months.alias(DAY))
        .filter(pl.col(DAY).list.len() > 0)
        .explode(DAY)
        .with_columns(month_start(pl.col(DAY)).alias(DAY))
        .with_columns(months_from(start, pl.col(DAY)).alias(TENURE))
        .with_columns((pl.col(SUB_MONTHS) - pl.col(TENURE)).cast(pl.Int32).alias(MONTHS_LEFT))
    )


def _facts_on_day(
    rows: pl.LazyFrame, characters: pl.LazyFrame, columns: StandardColumns
) -> pl.LazyFrame:
    """Replaces what is known of a character's dates at the start by what is known on the day."""
    names = rows.collect_schema().names()
    computed = {name for each in columns.milestones for name in milestone_features(each)}
    computed |= {name for each in columns.dates for name in (each, date_feature(each))}
    facts = characters.select(
        CHAR_ID, *columns.milestones, *columns.dates, pl.lit(True).alias(KNOWN)
    )
    rows = rows.drop(computed, strict=False).join(
        facts, on=CHAR_ID, how="left", maintain_order="left"
    )
    about: dict[str, Any] = {"has_creation": CREATION_DATE in columns.facts, "day": DAY}
    for milestone in columns.milestones:
        rows = rows.pipe(add_milestone, milestone, **about)
    for name in columns.dates:
        rows = rows.pipe(add_months_since, name, day=DAY)
    return rows.select(names)


def in_window(rows: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """Keeps the rows of the days from `first` to `last`, both included.

    Args:
        rows: Rows of a cohort, with `day`; or of subscriptions, whose day is `sub_start_date`.
        first: The first day.
        last: The last day.

    Raises:
        DataError: There is no day, or the window ends before it starts.
    """
    _check_window(first, last)
    columns = rows.collect_schema()
    day = day_column(columns)
    require(columns, (day,), "the rows")
    return rows.filter(pl.col(day).is_between(first, last))


def _check_window(first: date, last: date) -> None:
    if last < first:
        raise DataError(f"the window ends on {last}, before it starts on {first}.")
