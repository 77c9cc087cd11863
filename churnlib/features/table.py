"""The feature table as a whole: which columns it has."""

from datetime import date

import polars as pl

from churnlib.features.churn import add_churned_on
from churnlib.features.currency import add_currency_features
from churnlib.features.labels import add_label
from churnlib.features.standard import standard_features
from churnlib.schemas import RAW_SCHEMAS
from churnlib.settings import CurrencySettings, StandardSettings


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
