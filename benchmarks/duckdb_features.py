"""The same features by one query of DuckDB, without the labels.

One row per subscription, sorted as the engine's, with facts dated on or before its start. Columns
have the types that DuckDB infers. Nothing is checked, and all rows count as known, as the raw
tables of sample data end on the day of their extract.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb

from benchmarks.currency import currency_settings
from churnlib.settings import Settings
from churnlib.settings.history_features import HistoryFeatures

OPTIONS: dict[str, str | bool | int | float | list[str]] = {
    "threads": len(os.sched_getaffinity(0)),
    "memory_limit": "12GB",
    "preserve_insertion_order": False,
}
FUNCTIONS = {
    "mean": "avg({})",
    "std": "stddev_samp({})",
    "sum": "coalesce(sum({}), 0)",
    "first": "arg_min_null({}, c.month)",
}
"""The functions of settings that are written differently in DuckDB."""
SUBS = """
    select
        s.*,
        c.* exclude (char_id, class_mastery_date, total_kills, total_deaths),
        case
            when creation_date <= sub_start_date
            then datediff('month', creation_date, sub_start_date)
        end as age_at_sub_months,
        case
            when class_mastery_date <= sub_start_date and class_mastery_date < creation_date
            then null
            else coalesce(class_mastery_date <= sub_start_date, false)
        end as is_mastered,
        case
            when is_mastered then datediff('month', creation_date, class_mastery_date)
        end as months_to_mastery,
        min(sub_start_date) over history as first_sub_date,
        sub_start_date = first_sub_date as is_first_sub,
        rank() over history as sub_number,
        datediff('month', max(sub_start_date) over earlier, sub_start_date)
            as months_since_previous_sub,
        sub_months * price as expected_revenue
    from {subs} as s join {characters} as c using (char_id)
    window
        history as (partition by char_id order by sub_start_date),
        earlier as (
            partition by char_id order by sub_start_date
            range between unbounded preceding and interval 1 day preceding
        )
"""
"""The standard features of each subscription."""


def features(raw: Path, file_format: str, settings: Settings, target: Path) -> None:
    """Builds the features of all subscriptions, and writes them as Parquet.

    Args:
        raw: The folder of the raw tables.
        file_format: `csv` or `parquet`.
        settings: The game's settings.
        target: The file to write.
    """
    rows = query(raw, file_format, currency_settings(settings))
    options = {**OPTIONS, "temp_directory": str(target.with_suffix(".tmp"))}
    with duckdb.connect(config=options) as connection:
        connection.execute(f"copy ({rows}) to '{target}' (format parquet, compression zstd)")


def query(raw: Path, file_format: str, settings: HistoryFeatures) -> str:
    """Writes the query for the features.

    Args:
        raw: The folder of the raw tables.
        file_format: `csv` or `parquet`.
        settings: The features from the currency.
    """
    characters, subs, currency = (
        f"read_{file_format}('{raw / table}.{file_format}')"
        for table in ("character_data", "sub_data", "character_currency")
    )
    is_visible = "c.char_id = s.char_id and c.date <= s.sub_start_date"
    if settings.lookback_months is not None:
        is_visible += (
            f" and datediff('month', c.date, s.sub_start_date) < {settings.lookback_months}"
        )
    fills = [
        f"coalesce({column}, {fill.value}) as {column}"
        for fill in settings.fill_values
        for column in fill.columns
    ]
    replaced = f"replace ({', '.join(fills)})" if fills else ""
    return f"""
    with currency as (
        select * {replaced}, 12 * year(date) + month(date) as month from {currency}
    ),
    subs as ({SUBS.format(subs=subs, characters=characters)}),
    newest as (
        select s.sub_id, s.char_id, s.sub_start_date, max(c.month) as newest
        from subs as s join currency as c on {is_visible}
        group by all
    ),
    balances as (
        select s.sub_id, {", ".join(aggregates(settings))}
        from newest as s join currency as c on {is_visible}
        group by s.sub_id
    )
    select subs.*, balances.* exclude (sub_id)
    from subs left join balances using (sub_id)
    order by subs.char_id, subs.sub_start_date, subs.sub_id
    """


def aggregates(settings: HistoryFeatures) -> Iterator[str]:
    """Yields the SQL of each configured feature of the currency."""
    for column in settings.latest:
        yield f"{value_at(column, 0)} as {column}"
    yield (
        "12 * year(any_value(s.sub_start_date)) + month(any_value(s.sub_start_date))"
        " - any_value(newest) as currency_age_months"
    )
    for each in settings.aggregations:
        for column in each.columns:
            for function in each.functions:
                value = FUNCTIONS.get(function, f"{function}({{}})").format(f"c.{column}")
                yield f"{filled(value, each.fill)} as {column}_{function}"
    for difference in settings.differences:
        for column in difference.columns:
            newest = value_at(column, 0)
            fill = newest if difference.fill == "self" else difference.fill
            for period in difference.periods:
                change = f"{newest} - {value_at(column, period)}"
                yield f"{filled(change, fill)} as {column}_diff_{period}"


def value_at(column: str, months: int) -> str:
    """The value of the row dated exactly some months before the newest."""
    return f"max(c.{column}) filter (where c.month = newest - {months})"


def filled(value: str, fill: str | float | None) -> str:
    """Replaces a null result, if the settings say so."""
    return value if fill is None else f"coalesce({value}, {fill})"
