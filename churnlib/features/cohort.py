"""The feature table of a cohort: its features, its columns, and the window of its rows."""

from datetime import date

import polars as pl

from churnlib.errors import DataError
from churnlib.features.history import add_currency_features
from churnlib.features.outcome import add_churned_on, add_label
from churnlib.features.standard import standard_features
from churnlib.schemas.columns import SUB_START_DATE
from churnlib.schemas.raw_tables import raw_tables
from churnlib.schemas.validation import require
from churnlib.settings import CurrencySettings, Settings, StandardSettings


def feature_table(
    characters: pl.LazyFrame,
    currency: pl.LazyFrame,
    subs: pl.LazyFrame,
    misses: pl.LazyFrame,
    settings: Settings,
    *,
    as_of: date,
) -> pl.LazyFrame:
    """Builds features and label of every subscription, point-in-time.

    Args:
        characters: `character_data`, one row per character.
        currency: `character_currency`, one row per character and month.
        subs: `sub_data`, one row per subscription.
        misses: `sub_miss`, one row per run of missed months.
        settings: The features, and the definition of churn.
        as_of: The day of the run; nothing dated after it is read.

    Returns:
        One row per subscription that started on or before `as_of` and whose character is known,
        sorted like `standard_features`: those features, `churned_on`, `sub_churn` (null if the
        label is not yet available, or the subscription is not at risk) and the currency features.
    """
    undated = settings.standard.undated_totals
    return (
        standard_features(characters, subs, as_of=as_of, undated_totals=undated)
        .pipe(add_churned_on, misses, as_of=as_of, churn_after_months=settings.churn_after_months)
        .pipe(
            add_label,
            as_of=as_of,
            horizon_months=settings.horizon_months,
            churn_after_months=settings.churn_after_months,
        )
        .pipe(add_currency_features, currency, settings.currency, as_of=as_of)
    )


def feature_columns(standard: StandardSettings, currency: CurrencySettings) -> pl.Schema:
    """The columns of a feature table, keys and label included, without reading any data.

    Args:
        standard: The settings of the standard features.
        currency: The settings of the currency features.

    Returns:
        Names and types of the columns of `feature_table`, in their order.
    """
    tables = raw_tables()
    empty = {name: pl.LazyFrame(schema=spec.checked_types) for name, spec in tables.items()}
    as_of = date(2000, 1, 1)  # No column depends on this day or on the months below.
    return (
        standard_features(
            empty[tables.characters.name],
            empty[tables.subscriptions.name],
            as_of=as_of,
            undated_totals=standard.undated_totals,
        )
        .pipe(add_churned_on, empty[tables.misses.name], as_of=as_of, churn_after_months=1)
        .pipe(add_label, as_of=as_of, horizon_months=1)
        .pipe(add_currency_features, empty[tables.history.name], currency, as_of=as_of)
        .collect_schema()
    )


def in_window(subs: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """Keeps the subscriptions that start from `first` to `last`, both included.

    Raises:
        DataError: There is no `sub_start_date`, or the window ends before it starts.
    """
    if last < first:
        raise DataError(f"the window ends on {last}, before it starts on {first}.")
    require(subs.collect_schema(), (SUB_START_DATE,), "the subscriptions")
    return subs.filter(pl.col(SUB_START_DATE).is_between(first, last))
