"""The same features in idiomatic pandas.

They have the same definitions as the engine's: one row per subscription, with facts dated on or
before its start. Only the necessary columns are read, with their types; features are computed by
merges, vectorised arithmetic and built-in group functions. Nothing is checked.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.currency import currency_settings
from churnlib.settings import Settings
from churnlib.settings.history_features import Aggregation, Difference, HistoryFeatures

CATEGORIES = ("gender", "race", "class", "territory", "sub_type", "sub_size")
AMOUNTS = (
    *("sub_hard", "sub_soft", "hard_balance", "soft_balance"),
    *("price", "num_hard_currency", "num_soft_currency"),
)
TYPES = {**dict.fromkeys(CATEGORIES, "category"), **dict.fromkeys(AMOUNTS, "float64")}
DATES = ("creation_date", "class_mastery_date", "sub_start_date", "date", "start_date", "end_date")
COLUMNS = {
    "character_data": (
        *("char_id", "gender", "race", "class", "territory"),
        *("creation_date", "class_mastery_date"),
    ),
    "character_currency": (
        *("char_id", "date", "sub_hard", "sub_soft", "hard_balance", "soft_balance"),
    ),
    "sub_data": (
        *("sub_id", "char_id", "sub_start_date", "sub_type", "sub_months", "sub_size"),
        *("price", "num_hard_currency", "num_soft_currency"),
    ),
    "sub_miss": ("sub_id", "start_date", "end_date"),
}
"""The columns that are read, by table."""
KEYS = ["char_id", "sub_start_date", "sub_id"]
EPOCH = 12 * 1970
"""The `month_index` of NumPy's first month."""


def features(raw: Path, file_format: str, settings: Settings, target: Path) -> None:
    """Builds the features of all subscriptions, with their labels, and writes them as Parquet.

    Args:
        raw: The folder of the raw tables.
        file_format: `csv` or `parquet`.
        settings: The game's settings; the day is the latest in the currency table.
        target: The file to write.
    """
    read = {"csv": read_csv, "parquet": read_parquet}[file_format]
    currency = read(raw, "character_currency")
    as_of = currency["date"].max()
    subs = standard_features(read(raw, "character_data"), read(raw, "sub_data"), as_of)
    misses = read(raw, "sub_miss")
    missed_months = settings.outcome.missed_months or 3
    subs = subs.merge(churned_on(misses, missed_months, as_of), "left", "sub_id")
    subs["sub_churn"] = label(subs, settings.horizon_months, as_of)
    balances = currency_features(subs[KEYS], currency, currency_settings(settings))
    subs.join(balances).to_parquet(target, index=False)


def read_csv(raw: Path, table: str) -> pd.DataFrame:
    """Reads a raw table from CSV, by pandas' parser: PyArrow's is six times slower on dates.

    Args:
        raw: The folder of the raw tables.
        table: The name of the table.
    """
    columns = COLUMNS[table]
    return pd.read_csv(
        raw / f"{table}.csv",
        usecols=columns,
        dtype={name: TYPES[name] for name in columns if name in TYPES},
        parse_dates=[name for name in columns if name in DATES],
    )


def read_parquet(raw: Path, table: str) -> pd.DataFrame:
    """Reads a raw table from Parquet."""
    categories = [name for name in COLUMNS[table] if name in CATEGORIES]
    return pd.read_parquet(
        raw / f"{table}.parquet",
        columns=list(COLUMNS[table]),
        to_pandas_kwargs={"date_as_object": False, "categories": categories},
    )


def standard_features(
    characters: pd.DataFrame, subs: pd.DataFrame, as_of: pd.Timestamp
) -> pd.DataFrame:
    """The features of each subscription except those of the currency, sorted by `KEYS`."""
    subs = subs[subs["sub_start_date"] <= as_of]
    subs = subs.merge(characters, on="char_id").sort_values(KEYS, ignore_index=True)
    start = subs["sub_start_date"]
    start_month = month_index(start)
    created = month_index(subs["creation_date"])
    mastery = subs.pop("class_mastery_date")
    subs["age_at_sub_months"] = (start_month - created).where(subs["creation_date"] <= start)
    mastered, is_odd = mastery <= start, mastery < subs["creation_date"]
    subs["is_mastered"] = mastered.astype("boolean").mask(mastered & is_odd)
    subs["months_to_mastery"] = (month_index(mastery) - created).where(mastered & ~is_odd)
    per_character = subs.groupby("char_id")["sub_start_date"]
    subs["first_sub_date"] = per_character.transform("min")
    subs["is_first_sub"] = start == subs["first_sub_date"]
    subs["sub_number"] = per_character.rank(method="min").astype("int32")
    subs["months_since_previous_sub"] = start_month - month_index(previous_starts(subs))
    subs["expected_revenue"] = subs["sub_months"] * subs["price"]
    return subs


def previous_starts(subs: pd.DataFrame) -> pd.Series:
    """The latest strictly earlier start of the same character, by the rows of `subs`."""
    keys = ["char_id", "sub_start_date"]
    days = subs[keys].drop_duplicates()
    days["previous"] = days.groupby("char_id")["sub_start_date"].shift()
    return subs[keys].merge(days, "left", keys)["previous"]


def churned_on(misses: pd.DataFrame, missed_months: int, as_of: pd.Timestamp) -> pd.DataFrame:
    """The day of a subscription's churn; adjacent or overlapping runs of misses are merged."""
    runs = pd.DataFrame(
        {
            "sub_id": misses["sub_id"],
            "first": month_index(misses["start_date"]),
            "last": month_index(misses["end_date"]),
        }
    ).sort_values(["sub_id", "first"], ignore_index=True)
    reached = runs.groupby("sub_id")["last"].cummax().shift()
    same_sub = runs["sub_id"] == runs["sub_id"].shift()
    begins = ~(same_sub & (runs["first"] <= reached + 1))
    joined = runs.groupby(begins.cumsum()).agg({"sub_id": "first", "first": "min", "last": "max"})
    long = joined[joined["last"] - joined["first"] + 1 >= missed_months]
    first = long.groupby("sub_id", as_index=False)["first"].min()
    day = month_start(first.pop("first") + missed_months)
    return first.assign(churned_on=day)[day <= as_of]


def label(subs: pd.DataFrame, horizon_months: int, as_of: pd.Timestamp) -> pd.Series:
    """Whether the subscription churned within the horizon; missing if not yet known."""
    start = month_index(subs["sub_start_date"])
    now = 12 * as_of.year + as_of.month - 1
    within = month_index(subs["churned_on"]) - start <= horizon_months
    churned = within & (subs["churned_on"] > subs["sub_start_date"])
    return churned.astype("Int8").where(now - start >= horizon_months)


def currency_features(
    subs: pd.DataFrame, currency: pd.DataFrame, settings: HistoryFeatures
) -> pd.DataFrame:
    """The configured features of the currency, by the positions of the subscriptions in `subs`."""
    rows = visible_rows(subs, currency, settings)
    position = rows["position"].to_numpy()
    ends = np.flatnonzero(np.append(position[1:] != position[:-1], True))
    starts = np.append(0, ends[:-1] + 1)
    at = pd.Index(position[ends])
    oldest, newest = rows.iloc[starts].set_index(at), rows.iloc[ends].set_index(at)
    groups = rows.groupby("position", sort=False)
    features_by_name: dict[str, pd.Series] = {column: newest[column] for column in settings.latest}
    features_by_name["currency_age_months"] = newest["start_month"] - newest["month"]
    for each in settings.aggregations:
        features_by_name |= aggregated(each, groups, oldest)
    back = np.repeat(newest["month"].to_numpy(), ends - starts + 1) - rows["month"].to_numpy()
    for difference in settings.differences:
        features_by_name |= changed(difference, rows, newest, back)
    return pd.DataFrame(features_by_name)


def visible_rows(
    subs: pd.DataFrame, currency: pd.DataFrame, settings: HistoryFeatures
) -> pd.DataFrame:
    """The currency rows visible to each subscription, by its `position`, oldest first.

    They are dated on the first day of a month, so comparing months is enough.
    """
    for fill in settings.fill_values:
        currency = currency.fillna(dict.fromkeys(fill.columns, fill.value))
    currency = currency.sort_values(["char_id", "date"])
    currency["month"] = month_index(currency.pop("date"))
    whose = pd.DataFrame(
        {
            "char_id": subs["char_id"],
            "position": np.arange(len(subs)),
            "start_month": month_index(subs["sub_start_date"]),
        }
    )
    rows = whose.merge(currency, on="char_id")
    age = rows["start_month"] - rows["month"]
    visible = age >= 0
    if settings.lookback_months is not None:
        visible &= age < settings.lookback_months
    return rows[visible]


def aggregated(aggregation: Aggregation, groups: Any, oldest: pd.DataFrame) -> dict[str, pd.Series]:
    """Aggregates the visible rows; `first` is the oldest row's value, even if it is missing."""
    features_by_name = {}
    for column in aggregation.columns:
        for function in aggregation.functions:
            value = oldest[column] if function == "first" else groups[column].agg(function)
            if aggregation.fill is not None:
                value = value.fillna(aggregation.fill)
            features_by_name[f"{column}_{function}"] = value
    return features_by_name


def changed(
    difference: Difference, rows: pd.DataFrame, newest: pd.DataFrame, back: np.ndarray
) -> dict[str, pd.Series]:
    """The newest values minus those a period of months before; `back` is each row's age."""
    features_by_name = {}
    for period in difference.periods:
        then = rows[back == period].set_index("position")
        for column in difference.columns:
            change = newest[column] - then[column].reindex(newest.index)
            if difference.fill == "self":
                change = change.fillna(newest[column])
            elif difference.fill is not None:
                change = change.fillna(difference.fill)
            features_by_name[f"{column}_diff_{period}"] = change
    return features_by_name


def month_index(day: pd.Series) -> pd.Series:
    """Counts the months from year 0 to a day's month."""
    return 12 * day.dt.year + day.dt.month - 1


def month_start(index: pd.Series) -> pd.Series:
    """The first day of a month counted as in `month_index`."""
    months = (index.to_numpy() - EPOCH).astype("datetime64[M]")
    return pd.Series(months.astype("datetime64[s]"), index.index)
