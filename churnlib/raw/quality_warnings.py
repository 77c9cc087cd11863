"""Odd facts in the raw tables: counted and reported, but the rows are kept."""

from collections.abc import Callable
from datetime import date, timedelta

import polars as pl
from polars import selectors as cs

from churnlib.months import months_from
from churnlib.raw.availability import known_by

PLAUSIBLE = (date(1990, 1, 1), date(2100, 12, 31))
"""The days that data of a game may name. Fixed, because the clock is not read, and what is dated
after the day of a run is there by right in a later extract."""
LONGEST_MONTH = 31
"""Days; what is dated the first of its month lies no further behind the month before."""


def count_oddities(
    rows: pl.LazyFrame, table: str, *, as_of: date, parent: pl.LazyFrame | None = None
) -> dict[str, int]:
    """Counts the rows of a checked table that show each odd fact, of those known on a day.

    Args:
        rows: The checked table or a bucket of it, in its order.
        table: Which raw table it is.
        as_of: The day.
        parent: The checked table that it refers to: characters for subscriptions and currency,
            subscriptions for misses; or its bucket. Facts that need it are left out without it.

    Returns:
        The number of rows by fact; facts that no row shows are left out.
    """
    known = rows.filter(known_by(table, as_of))
    facts = (_ODDITIES[table](known, parent), _dates(known))
    counts = {k: v for frame in pl.collect_all(facts) for k, v in frame.row(0, named=True).items()}
    return {fact: count for fact, count in counts.items() if count}


def _dates(rows: pl.LazyFrame) -> pl.LazyFrame:
    far = pl.any_horizontal(~cs.date().is_between(*PLAUSIBLE))
    words = f"date before {PLAUSIBLE[0].year} or after {PLAUSIBLE[1].year}"
    return rows.select(far.sum().alias(words))


def _characters(rows: pl.LazyFrame, _parent: pl.LazyFrame | None) -> pl.LazyFrame:
    early = pl.col("class_mastery_date") < pl.col("creation_date")
    return rows.select(early.sum().alias("class mastered before the character's creation"))


def _currency(rows: pl.LazyFrame, parent: pl.LazyFrame | None) -> pl.LazyFrame:
    same = pl.col("char_id") == pl.col("char_id").shift()
    since = pl.col("date") - pl.col("date").shift()
    gap = same & (since > timedelta(days=LONGEST_MONTH))
    own = rows.select(gap.sum().alias("months missing before a currency row"))
    if parent is None:
        return own
    unknown = rows.join(parent, on="char_id", how="anti").select(
        pl.len().alias("currency of an unknown character")
    )
    return pl.concat([own, unknown], how="horizontal")


def _subs(rows: pl.LazyFrame, parent: pl.LazyFrame | None) -> pl.LazyFrame:
    own = rows.select(
        (pl.col("price") < 0).sum().alias("negative price"),
        (pl.col("sub_months") < 1).sum().alias("subscribed for less than a month"),
    )
    if parent is None:
        return own
    early = (
        rows.join(parent.select("char_id", "creation_date"), on="char_id")
        .filter(pl.col("sub_start_date") < pl.col("creation_date"))
        .select(pl.len().alias("subscription before its character's creation"))
    )
    return pl.concat([own, early], how="horizontal")


def _misses(rows: pl.LazyFrame, parent: pl.LazyFrame | None) -> pl.LazyFrame:
    if parent is None:
        return pl.LazyFrame([{}])
    return (
        rows.join(parent.select("sub_id", "sub_start_date"), on="sub_id")
        .filter(months_from(pl.col("sub_start_date"), pl.col("start_date")) < 0)
        .select(pl.len().alias("miss before its subscription"))
    )


_ODDITIES: dict[str, Callable[[pl.LazyFrame, pl.LazyFrame | None], pl.LazyFrame]] = {
    "character_data": _characters,
    "character_currency": _currency,
    "sub_data": _subs,
    "sub_miss": _misses,
}
