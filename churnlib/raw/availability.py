"""The rows that were known on a day, and the latest day of the data."""

from datetime import date

import polars as pl

from churnlib.errors import DataError
from churnlib.schemas.columns import DATE
from churnlib.schemas.spec import TableSpec
from churnlib.schemas.validation import require


def known_by(spec: TableSpec, as_of: date) -> pl.Expr:
    """Whether the fact in a row of a raw table was known on a day.

    Args:
        spec: The raw table's record.
        as_of: The day.

    Returns:
        A flag per row; null if the row's own date is null.
    """
    return spec.known_on <= as_of


def latest_day(currency: pl.LazyFrame, game: str) -> date:
    """The default day of a run: the latest date in the currency table.

    Args:
        currency: `character_currency`.
        game: The game's name, for messages.

    Raises:
        DataError: The table is empty, or has no `date`.
    """
    require(currency.collect_schema(), (DATE,), f"{game}: the rows of character_currency")
    latest = currency.select(pl.col(DATE).max()).collect().item()
    if not isinstance(latest, date):
        raise DataError(
            f"{game}: character_currency has no rows, so the day of the run cannot be derived from "
            "it. Name it with --as-of."
        )
    return latest
