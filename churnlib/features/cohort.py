"""The feature table of a cohort: its rows, what it is made of, and which columns it has."""

from datetime import date

import polars as pl

from churnlib.features.history import add_currency_features
from churnlib.features.outcome import add_churned_on, add_label
from churnlib.features.standard import standard_features
from churnlib.schemas.tables import RAW_SCHEMAS
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
        characters: `character_data`, a row a character.
        currency: `character_currency`, a row a character and month.
        subs: `sub_data`, a row a subscription.
        misses: `sub_miss`, a row a run of missed months.
        settings: Which features there are, and what churn is.
        as_of: The day of the run; nothing dated after it is read.

    Returns:
        A row for each subscription started on or before `as_of` whose character is known: the
        standard features, `churned_on`, `sub_churn` (null where not known yet) and the currency
        features; sorted as by `standard_features`.
    """
    undated = settings.standard.undated_totals
    return (
        standard_features(characters, subs, as_of=as_of, undated_totals=undated)
        .pipe(add_churned_on, misses, as_of=as_of, churn_after_months=settings.churn_after_months)
        .pipe(add_label, as_of=as_of, horizon_months=settings.horizon_months)
        .pipe(add_currency_features, currency, settings.currency, as_of=as_of)
    )


def feature_columns(standard: StandardSettings, currency: CurrencySettings) -> pl.Schema:
    """The columns of the feature table of a window, with key and label, told without any data.

    Args:
        standard: What goes into the standard features.
        currency: Which currency features there are.
    """
    empty = {table: schema.create_empty(lazy=True) for table, schema in RAW_SCHEMAS.items()}
    as_of = date(2000, 1, 1)  # No column depends on the day, nor on the months below.
    return (
        standard_features(
            empty["character_data"],
            empty["sub_data"],
            as_of=as_of,
            undated_totals=standard.undated_totals,
        )
        .pipe(add_churned_on, empty["sub_miss"], as_of=as_of, churn_after_months=1)
        .pipe(add_label, as_of=as_of, horizon_months=1)
        .pipe(add_currency_features, empty["character_currency"], currency, as_of=as_of)
        .collect_schema()
    )


def in_window(subs: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """Keeps the subscriptions that start from `first` to `last`, both included."""
    return subs.filter(pl.col("sub_start_date").is_between(first, last))
