"""Features from the day of a row alone."""

import polars as pl

from churnlib.schemas.columns import SUB_START_DATE
from churnlib.schemas.validation import require
from churnlib.settings.features import CalendarFeatures


def add_calendar(
    rows: pl.LazyFrame, calendar: CalendarFeatures, *, day: str = SUB_START_DATE
) -> pl.LazyFrame:
    """Adds the features that depend on the day of a row alone.

    Args:
        rows: Rows with a day.
        calendar: The features to compute.
        day: The column with the day.

    Returns:
        The rows, with `month` if it is asked for: the month of the year, 1 to 12, as Int32.

    Raises:
        DataError: The column with the day is missing.
    """
    require(rows.collect_schema(), (day,), "the rows")
    features = {"month": pl.col(day).dt.month().cast(pl.Int32)}
    return rows.with_columns(features[name].alias(name) for name in calendar.use)
