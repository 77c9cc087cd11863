"""The outcome of a subscription: the day on which it churned, and its label."""

from datetime import date

import polars as pl

from churnlib.features.month_runs import FIRST, LAST, MANY_MONTHS, earliest_alone, merge_months
from churnlib.months import month_index, month_start, months_from
from churnlib.schemas.columns import (
    CHAR_ID,
    END_DATE,
    LABEL,
    START_DATE,
    SUB_ID,
    SUB_MONTHS,
    SUB_START_DATE,
    day_column,
)
from churnlib.schemas.validation import require
from churnlib.settings.outcome import OutcomeSettings


def add_churned_on(
    subs: pl.LazyFrame, misses: pl.LazyFrame, outcome: OutcomeSettings, *, as_of: date
) -> pl.LazyFrame:
    """Adds `churned_on`, the day on which a subscription churned.

    By missed months in a row, it is the first day after those that make churn. By a term that was
    not renewed, it is the first day of the month some months after that of the end of the term, if
    the character began no other subscription until then, after this one and at most as many months
    before the end. If only characters churn, it is the first month on whose first day no other
    subscription of the character runs; and, by missed months, in the last of which none did.

    Args:
        subs: All subscriptions of some characters, with `char_id`, `sub_id`, `sub_start_date` and
            `sub_months`.
        misses: `sub_miss`, one row per run of missed months; runs that touch or overlap are merged,
            and one without an end goes on.
        outcome: What counts as churn.
        as_of: The day of the run; later churn is not yet known.

    Returns:
        The rows of `subs`. `churned_on` is the first day of a month; null if the subscription
        has not churned by `as_of`.

    Raises:
        DataError: A column is missing.
    """
    needed = (CHAR_ID, SUB_ID, SUB_START_DATE, SUB_MONTHS)
    require(subs.collect_schema(), needed, "the subscriptions")
    require(misses.collect_schema(), (SUB_ID, START_DATE, END_DATE), "the misses")
    is_alone, kinds = outcome.of == "character", []
    if outcome.missed_months is not None:
        missed = _by_misses(misses, outcome.missed_months, as_of)
        kinds.append(earliest_alone(missed, subs, is_since=True) if is_alone else missed)
    if outcome.not_renewed_months is not None:
        ended = _by_terms(subs, outcome.not_renewed_months)
        kinds.append(earliest_alone(ended, subs) if is_alone else ended)
    churned = (
        pl.concat(kinds)
        .group_by(SUB_ID)
        .agg(churned_on=month_start(pl.col(FIRST).min()))
        .filter(pl.col("churned_on") <= as_of)
    )
    return subs.join(churned, on=SUB_ID, how="left", maintain_order="left")


def _by_misses(misses: pl.LazyFrame, months: int, as_of: date) -> pl.LazyFrame:
    """The months in which a subscription is churned by missed months, first and last."""
    first, last = pl.col(FIRST), pl.col(LAST)
    long = missed_runs(misses, as_of).filter(last - first + 1 >= months)
    return long.select(SUB_ID, first_month=first + months, last_month=last + 1)


def _by_terms(subs: pl.LazyFrame, months: int) -> pl.LazyFrame:
    """The months in which a subscription is churned because it was not renewed."""
    start = month_index(pl.col(SUB_START_DATE))
    terms = subs.select(
        CHAR_ID,
        SUB_ID,
        SUB_START_DATE,
        end=start + pl.col(SUB_MONTHS).clip(0, MANY_MONTHS).cast(pl.Int32),
    )
    others = subs.select(CHAR_ID, began=SUB_START_DATE).unique()
    began = month_index(pl.col("began"))
    is_renewal = (pl.col("began") > pl.col(SUB_START_DATE)) & (
        (began - pl.col("end")).is_between(-months, months - 1)
    )
    renewed = terms.join(others, on=CHAR_ID).filter(is_renewal).select(SUB_ID).unique()
    return terms.join(renewed, on=SUB_ID, how="anti").select(
        SUB_ID,
        first_month=pl.col("end") + months,
        last_month=pl.lit(MANY_MONTHS).cast(pl.Int32),
    )


def missed_runs(misses: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """Merges runs of missed months that touch or overlap.

    Args:
        misses: `sub_miss`, with `start_date` and `end_date`, both included. A run whose end is null
            goes on.
        as_of: The day of the run. A missed month is known on the first day of the next, so a run
            that goes on is known up to the month before this day's.

    Returns:
        One row per merged run, in any order: `sub_id`, and `first_month` and `last_month` as month
        indices.
    """
    known = month_index(pl.lit(as_of)) - 1
    return misses.select(
        SUB_ID,
        first_month=month_index(pl.col(START_DATE)),
        last_month=month_index(pl.col(END_DATE)).fill_null(known),
    ).pipe(merge_months)


def is_at_risk(outcome: OutcomeSettings) -> pl.Expr:
    """Whether a subscription can churn: one for fewer months cannot miss so many in a row.

    Args:
        outcome: What counts as churn.

    Returns:
        A flag per row, from `sub_months`.
    """
    return pl.col(SUB_MONTHS) >= outcome.least_months


def add_label(
    subs: pl.LazyFrame,
    *,
    as_of: date,
    horizon_months: int,
    outcome: OutcomeSettings | None = None,
) -> pl.LazyFrame:
    """Adds the label `sub_churn`: 1 if the subscription churned within the horizon, 0 if not.

    Churn up to the day of the row, such as by misses before the start, does not count.

    Args:
        subs: Rows of a cohort, with `day` and `churned_on`; or one row per subscription, whose day
            is `sub_start_date`.
        as_of: The day of the run.
        horizon_months: The number of calendar months after the day within which churn counts.
        outcome: What counts as churn. If given, subscriptions that are not at risk have no label;
            see `is_at_risk`.

    Returns:
        The rows of `subs`, with the label as Int8; null if it is not yet available, because `as_of`
        is less than the horizon after the day, or if the subscription is not at risk.

    Raises:
        DataError: A column is missing.
    """
    term = () if outcome is None else (SUB_MONTHS,)
    columns = subs.collect_schema()
    require(columns, (day_column(columns), "churned_on", *term), "the subscriptions")
    day = pl.col(day_column(columns))
    is_available = months_from(day, pl.lit(as_of)) >= horizon_months
    if outcome is not None:
        is_available &= is_at_risk(outcome)
    churned_on = pl.col("churned_on")
    churned = (churned_on > day) & (months_from(day, churned_on) <= horizon_months)
    label = pl.when(is_available).then(churned.fill_null(False).cast(pl.Int8))
    return subs.with_columns(label.alias(LABEL))
