"""The same features by one lazy query of Polars, without the labels.

One row per subscription, sorted as the engine's, with facts dated on or before its start. Columns
have the types that Polars infers. Nothing is checked, and all rows count as known, as the raw
tables of sample data end on the day of their extract.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import polars as pl

from benchmarks.currency import currency_settings
from churnlib.settings import Settings
from churnlib.settings.history_features import Aggregation, Difference, HistoryFeatures

KEYS = ["char_id", "sub_start_date", "sub_id"]
SCANS: dict[str, Callable[[Path], pl.LazyFrame]] = {
    "csv": partial(pl.scan_csv, try_parse_dates=True),
    "parquet": pl.scan_parquet,
}


def features(raw: Path, file_format: str, settings: Settings, target: Path) -> None:
    """Builds the features of all subscriptions, and writes them as Parquet.

    Args:
        raw: The folder of the raw tables.
        file_format: `csv` or `parquet`.
        settings: The game's settings.
        target: The file to write.
    """
    characters, currency, subs = (
        SCANS[file_format](raw / f"{table}.{file_format}")
        for table in ("character_data", "character_currency", "sub_data")
    )
    subs = standard_features(characters, subs)
    balances = currency_features(subs, currency, currency_settings(settings))
    subs.join(balances, on="sub_id", how="left", maintain_order="left").sink_parquet(
        target, compression="zstd"
    )


def standard_features(characters: pl.LazyFrame, subs: pl.LazyFrame) -> pl.LazyFrame:
    """The features of each subscription except those of the currency, sorted by `KEYS`."""
    start, mastery = pl.col("sub_start_date"), pl.col("class_mastery_date")
    creation = pl.col("creation_date")
    started, created = month_index(start), month_index(creation)
    mastered = (mastery <= start).fill_null(False)
    is_odd = mastered & (mastery < creation)
    first = start.first().over("char_id")
    earlier = pl.when(start > start.shift()).then(start.shift()).forward_fill().over("char_id")
    return (
        subs.join(characters.drop("total_kills", "total_deaths"), on="char_id")
        .sort(KEYS)
        .with_columns(
            age_at_sub_months=pl.when(creation <= start).then(started - created),
            is_mastered=pl.when(~is_odd).then(mastered),
            months_to_mastery=pl.when(mastered & ~is_odd).then(month_index(mastery) - created),
            first_sub_date=first,
            is_first_sub=start == first,
            sub_number=start.rank("min").over("char_id"),
            months_since_previous_sub=started - month_index(earlier),
            expected_revenue=pl.col("sub_months") * pl.col("price"),
        )
        .drop("class_mastery_date")
    )


def currency_features(
    subs: pl.LazyFrame, currency: pl.LazyFrame, settings: HistoryFeatures
) -> pl.LazyFrame:
    """The configured features of the currency, for the subscriptions that see any row of it."""
    age = month_index(pl.col("sub_start_date")) - month_index(pl.col("date"))
    rows = (
        subs.select(KEYS)
        .join(currency, on="char_id")
        .filter(pl.col("date") <= pl.col("sub_start_date"))
        .with_columns(age=age)
    )
    if settings.lookback_months is not None:
        rows = rows.filter(pl.col("age") < settings.lookback_months)
    rows = rows.with_columns(
        pl.col(column).fill_null(fill.value)
        for fill in settings.fill_values
        for column in fill.columns
    )
    newest = rows.group_by("sub_id").agg(currency_age_months=pl.col("age").min())
    return (
        rows.join(newest, on="sub_id")
        .group_by("sub_id")
        .agg(
            *(value_at(column, 0) for column in settings.latest),
            pl.col("currency_age_months").first(),
            *(each for item in settings.aggregations for each in aggregated(item)),
            *(each for item in settings.differences for each in changed(item)),
        )
    )


def aggregated(aggregation: Aggregation) -> Iterator[pl.Expr]:
    """Aggregates the visible rows; `first` is the oldest row's value, even if it is null."""
    for column in aggregation.columns:
        for function in aggregation.functions:
            value = pl.col(column)
            if function == "first":
                value = value.sort_by("date")
            value = getattr(value, function)()
            if aggregation.fill is not None:
                value = value.fill_null(aggregation.fill)
            yield value.alias(f"{column}_{function}")


def changed(difference: Difference) -> Iterator[pl.Expr]:
    """The newest values minus those a period of months before."""
    for column in difference.columns:
        newest = value_at(column, 0)
        for period in difference.periods:
            change = newest - value_at(column, period)
            if difference.fill is not None:
                change = change.fill_null(newest if difference.fill == "self" else difference.fill)
            yield change.alias(f"{column}_diff_{period}")


def value_at(column: str, months: int) -> pl.Expr:
    """The value of the row dated exactly some months before the newest."""
    is_then = pl.col("age") == pl.col("currency_age_months") + months
    return pl.when(is_then).then(pl.col(column)).max()


def month_index(day: pl.Expr) -> pl.Expr:
    """Counts the months from year 0 to a day's month."""
    return 12 * day.dt.year() + day.dt.month() - 1
