"""All raw tables of a game at once, for scripts and notebooks."""

from datetime import date
from typing import NamedTuple

import polars as pl

from churnlib.errors import DataError
from churnlib.io.catalog import Catalog
from churnlib.raw.validate import check_table
from churnlib.schemas.tables import PARENTS
from churnlib.settings import Settings

ORDER = ("character_data", "character_currency", "sub_data", "sub_miss")
"""The raw tables, each after the one that it refers to."""


class Tables(NamedTuple):
    """The raw tables of a game, typed, without the rows that break a rule."""

    characters: pl.LazyFrame
    """A row a character."""
    currency: pl.LazyFrame
    """A row a character and month."""
    subs: pl.LazyFrame
    """A row a subscription."""
    misses: pl.LazyFrame
    """A row a run of missed months."""


def read_tables(settings: Settings, *, as_of: date | None = None) -> Tables:
    """Reads the raw tables of a game, and holds every row against the rules of its table.

    Args:
        settings: The game's settings, which say where its data are and what to do with faults.
        as_of: See `churnlib.check_table`.

    Raises:
        DataError: A table is missing or cannot be read, or rows break rules and may not be set
            apart; names file, columns, rules, how many rows and the first of them.
    """
    catalog, checked = Catalog(settings.data_dir, settings.game), dict[str, pl.LazyFrame]()
    for table in ORDER:
        parent = checked.get(PARENTS.get(table, ""))
        found = check_table(catalog.raw(table), table, settings.raw, parent=parent, as_of=as_of)
        checked[table] = found.rows.lazy()
    return Tables(*(checked[table] for table in ORDER))


def latest_day(currency: pl.LazyFrame, game: str) -> date:
    """The day of a run that names none: the latest date in the currency table.

    Args:
        currency: `character_currency`.
        game: Whose it is.

    Raises:
        DataError: The table is empty.
    """
    latest = currency.select(pl.col("date").max()).collect().item()
    if not isinstance(latest, date):
        raise DataError(
            f"{game}: character_currency has no rows, so the day of the run cannot be told from "
            "it. Name it with --as-of."
        )
    return latest
