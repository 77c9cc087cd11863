"""Compares formulations of the currency features: `python -m benchmarks.formulations`.

All compute the newest value, mean, max, min, sample standard deviation and the changes over 1, 3
and 6 months of two balances, for every subscription, from tables in the order of the flows' files.
The last one is that of `churnlib.features.history`.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import date

import numpy as np
import polars as pl

from churnlib.features.history import add_history_features
from churnlib.months import month_index
from churnlib.settings.history_features import (
    CURRENCY,
    Aggregation,
    Difference,
    HistoryFeatures,
)

BALANCES = ("hard_balance", "soft_balance")
MONTHS = (1, 3, 6)
KEYS = ("char_id", "sub_start_date", "sub_id")
SETTINGS = HistoryFeatures(
    latest=BALANCES,
    aggregations=(Aggregation(columns=BALANCES, functions=("mean", "max", "min", "std")),),
    differences=(Difference(columns=BALANCES, periods=MONTHS),),
)
AS_OF = date(2025, 1, 1)


def main() -> None:
    """Prints the CPU seconds of each formulation, and how much its results differ from the last."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--characters", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    subs, currency = tables(args.characters)
    print(f"{len(currency):,} currency rows, {len(subs):,} subscriptions; CPU s, median")
    reference = WAYS["reductions over runs of rows"](subs, currency)
    for name, way in WAYS.items():
        seconds = [cpu_seconds(way, subs, currency) for _ in range(args.rounds)]
        difference = largest_difference(way(subs, currency), reference)
        print(f"{name:<44} {statistics.median(seconds):6.3f}   differs by at most {difference:.1e}")


def tables(characters: int, seed: int = 1) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Generates subscriptions, and 24 months of balances per character, sorted by key."""
    random = np.random.default_rng(seed)
    months = pl.DataFrame(
        {"date": pl.date_range(date(2023, 1, 1), date(2024, 12, 1), "1mo", eager=True)}
    )
    currency = pl.DataFrame({"char_id": np.arange(characters)}).join(months, how="cross")
    values = {name: random.normal(1e5, 1e3, len(currency)).round(2) for name in BALANCES}
    owners = np.sort(random.choice(characters, characters * 11 // 10))
    days = random.integers(0, 730, len(owners))
    columns = {"sub_id": np.arange(len(owners)), "char_id": owners, "days": days}
    subs = pl.DataFrame(columns).select(
        "sub_id", "char_id", sub_start_date=pl.lit(date(2023, 1, 1)) + pl.duration(days="days")
    )
    return subs.sort(KEYS), currency.with_columns(**{n: pl.Series(v) for n, v in values.items()})


def cpu_seconds(
    way: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame],
    subs: pl.DataFrame,
    currency: pl.DataFrame,
) -> float:
    """The CPU time of one call, in all threads."""
    before = time.process_time()
    way(subs, currency)
    return time.process_time() - before


def largest_difference(one: pl.DataFrame, other: pl.DataFrame) -> float:
    """The largest relative difference between the features of two tables.

    Raises:
        ValueError: They have nulls in different places.
    """
    names = [each.name for each in SETTINGS.of_table(CURRENCY) if each.name in one.columns]
    one, other = one.sort("sub_id").select(names), other.sort("sub_id").select(names)
    if not one.select(pl.all().is_null()).equals(other.select(pl.all().is_null())):
        raise ValueError("the features have nulls in different places")
    parts = [((one[n] - other[n]).abs() / (1 + other[n].abs())).max() for n in names]
    return max(float(part) for part in parts if isinstance(part, float))


def seen(subs: pl.DataFrame, currency: pl.DataFrame) -> pl.LazyFrame:
    """The currency rows visible to each subscription, by a merge join."""
    return (
        subs.lazy()
        .select(KEYS)
        .with_row_index("row")
        .join(currency.lazy(), on="char_id", maintain_order="left_right")
        .filter(pl.col("date") <= pl.col("sub_start_date"))
        .with_columns(month=month_index(pl.col("date")))
    )


def aggregates() -> list[pl.Expr]:
    """The aggregations over the rows of one subscription."""
    newest = pl.col("month").last()
    return [
        *(pl.col(name).last() for name in BALANCES),
        *(
            getattr(pl.col(n), f)().alias(f"{n}_{f}")
            for n in BALANCES
            for f in ("mean", "max", "min")
        ),
        *(pl.col(name).std().alias(f"{name}_std") for name in BALANCES),
        *(
            (pl.col(n).last() - pl.col(n).filter(pl.col("month") == newest - p).first()).alias(
                f"{n}_diff_{p}"
            )
            for n in BALANCES
            for p in MONTHS
        ),
    ]


def grouped_by_keys(subs: pl.DataFrame, currency: pl.DataFrame) -> pl.DataFrame:
    """A merge join, grouped by the subscription's keys."""
    features = seen(subs, currency).group_by(KEYS, maintain_order=True).agg(aggregates())
    return subs.lazy().join(features, on=KEYS, how="left", maintain_order="left").collect()


def grouped_by_sorted_index(subs: pl.DataFrame, currency: pl.DataFrame) -> pl.DataFrame:
    """A merge join, grouped by a row index that is flagged as sorted."""
    ascending = seen(subs, currency).with_columns(pl.col("row").set_sorted())
    features = ascending.group_by("row", maintain_order=True).agg(aggregates())
    rows = subs.lazy().with_row_index("row")
    return rows.join(features, on="row", how="left", maintain_order="left").collect()


def streamed(subs: pl.DataFrame, currency: pl.DataFrame) -> pl.DataFrame:
    """The same, on the streaming engine."""
    ascending = seen(subs, currency).with_columns(pl.col("row").set_sorted())
    features = ascending.group_by("row", maintain_order=True).agg(aggregates())
    rows = subs.lazy().with_row_index("row")
    joined = rows.join(features, on="row", how="left", maintain_order="left")
    return joined.collect(engine="streaming")


def reduced(subs: pl.DataFrame, currency: pl.DataFrame) -> pl.DataFrame:
    """Reductions over runs of adjacent rows: the formulation of the library."""
    return add_history_features(
        subs.lazy(), currency.lazy(), SETTINGS, table=CURRENCY, as_of=AS_OF
    ).collect()


WAYS = {
    "merge join, group_by keys": grouped_by_keys,
    "merge join, group_by a sorted index": grouped_by_sorted_index,
    "merge join, group_by a sorted index, streaming": streamed,
    "reductions over runs of rows": reduced,
}

if __name__ == "__main__":
    main()
