"""Features from events, computed in three ways: see `benchmarks.events`."""

import sys
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

import flows  # noqa: F401  First, as in a run: it sets the memory allocator.
from churnlib.features.events import add_event_features
from churnlib.io import buckets, datasets
from churnlib.io.datasets import Dataset
from churnlib.io.table_writer import write_table
from churnlib.months import month_index
from churnlib.settings.event_features import EventAggregation, EventFeatures, EventFunction
from churnlib.settings.event_windows import EventWindow

FUNCTIONS: tuple[EventFunction, ...] = ("sum", "mean", "max", "std")
PLATFORMS = ("pc", "mobile")
FEATURES = EventFeatures(
    windows=("7d", "30d", "90d", "30d..60d", "6mo"),
    count=True,
    days_since_last=True,
    days_since_first=True,
    distinct=("platform",),
    aggregations=(EventAggregation(columns=("minutes",), functions=FUNCTIONS),),
    by={"platform": PLATFORMS},
)
LATE = date(2030, 1, 1)
FIRST_DAY = np.datetime64("2023-01-01", "us")
DAYS = 730
PART = 50_000
"""The number of characters that are generated at a time."""


def generate(folder: Path, characters: int, events: int) -> None:
    """Writes events over two years, and a cohort with 11 rows for 10 characters."""
    facts, rows = _places(folder)
    random = np.random.default_rng(1)
    parts = [min(PART, characters - first) for first in range(0, characters, PART)]
    owners = np.sort(random.integers(0, characters, characters * 11 // 10))
    days = FIRST_DAY.astype("datetime64[D]") + random.integers(0, DAYS, len(owners))
    cohort = pl.DataFrame({"char_id": owners, "sub_id": np.arange(len(owners)), "day": days})
    write_table([cohort], rows, cohort.schema)
    each = events / characters
    frames = (
        _events(random, first * PART, part, int(part * each)) for first, part in enumerate(parts)
    )
    write_table(frames, facts, _events(random, 0, 1, 0).schema)


def _events(random: np.random.Generator, first: int, characters: int, count: int) -> pl.DataFrame:
    # Some characters play far more than others.
    weights = random.exponential(1.0, characters)
    owners = first + random.choice(characters, count, p=weights / weights.sum())
    seconds = random.integers(0, DAYS * 86_400, count) * 1_000_000
    names = pl.Series(["pc", "mobile", "console", "web"])
    return pl.DataFrame(
        {
            "char_id": owners,
            "at": FIRST_DAY + seconds,
            "minutes": random.exponential(40.0, count).round(2),
            "platform": names.gather(random.integers(0, len(names), count)),
        }
    ).sort("char_id", "at")


def churnlib(folder: Path, memory_mib: int) -> None:
    """The kernel of the flows, bucket by bucket."""
    facts, rows = map(datasets.ref, _places(folder))
    function = partial(_with_features, settings=FEATURES, as_of=LATE)
    target = Dataset("features", "events", str(folder / "churnlib.parquet"))
    buckets.build(function, (rows, facts), target, {}, memory_mib)


def _with_features(
    rows: pl.LazyFrame, facts: pl.LazyFrame, settings: EventFeatures, as_of: date
) -> pl.LazyFrame:
    return add_event_features(rows, facts, settings, table="e", time="at", as_of=as_of, day="day")


def duckdb(folder: Path) -> None:
    """One query of DuckDB."""
    from duckdb import connect

    from benchmarks.duckdb_features import OPTIONS

    facts, rows = (f"read_parquet('{place.uri}')" for place in _places(folder))
    aggregates = ", ".join(_sql())
    query = f"""
        select r.*, f.* exclude (sub_id) from {rows} as r left join (
            select r.sub_id, {aggregates}
            from {rows} as r left join {facts} as e
            on e.char_id = r.char_id and e.at::date <= r.day
            group by r.sub_id
        ) as f using (sub_id)
        order by r.char_id, r.sub_id
    """
    with connect(config={**OPTIONS, "temp_directory": str(folder / "duckdb.tmp")}) as connection:
        target = folder / "duckdb.parquet"
        connection.execute(f"copy ({query}) to '{target}' (format parquet, compression zstd)")


def _sql() -> Iterator[str]:
    words = {"mean": "avg", "std": "stddev_samp", "sum": "coalesce(sum({}){}, 0)"}
    for each in FEATURES.of_table("e"):
        inside = f" filter (where {_inside_sql(each.window)})" if each.window else ""
        if each.kind == "days_since_last":
            value = "date_diff('day', max(e.at::date), any_value(r.day))"
        elif each.kind == "days_since_first":
            value = "date_diff('day', min(e.at::date), any_value(r.day))"
        elif each.kind == "distinct":
            value = f"count(distinct e.{each.column}){inside}"
        elif each.kind == "count" and each.value is not None:
            value = f"count(*){inside[:-1]} and e.{each.column} = '{each.value}')"
        elif each.kind == "count":
            value = f"count(e.at){inside}"
        else:
            form = words.get(str(each.function), str(each.function))
            form = form if "{" in form else f"{form}({{}}){{}}"
            value = form.format(f"e.{each.column}", inside)
        yield f"{value} as {each.name}"


def _inside_sql(window: EventWindow) -> str:
    unit = "day" if window.unit == "d" else "month"
    age = f"date_diff('{unit}', e.at::date, r.day)"
    return f"{age} < {window.end} and {age} >= {window.start}"


def polars(folder: Path) -> None:
    """One lazy query of Polars."""
    facts, rows = (pl.scan_parquet(place.uri) for place in _places(folder))
    at = pl.col("at").dt.date()
    age = {
        "d": (pl.col("day") - at).dt.total_days(),
        "mo": month_index(pl.col("day")) - month_index(at),
    }
    figures = (
        rows.join(facts, on="char_id")
        .filter(at <= pl.col("day"))
        .with_columns(_d=age["d"], _mo=age["mo"])
        .group_by("sub_id")
        .agg(_expressions())
    )
    zeros = [
        e.name
        for e in FEATURES.of_table("e")
        if e.kind in ("count", "distinct") or e.function == "sum"
    ]
    rows.join(figures, on="sub_id", how="left", maintain_order="left").with_columns(
        pl.col(zeros).fill_null(0)
    ).sink_parquet(folder / "polars.parquet", compression="zstd")


def _expressions() -> Iterator[pl.Expr]:
    for each in FEATURES.of_table("e"):
        if each.window is None:
            value = pl.col("_d").min() if each.kind == "days_since_last" else pl.col("_d").max()
        else:
            age = pl.col(f"_{each.window.unit}")
            inside = (age < each.window.end) & (age >= each.window.start)
            column = pl.col(each.column or "at")
            if each.kind == "distinct":
                value = column.filter(inside).n_unique()
            elif each.kind == "count":
                value = (inside if each.value is None else inside & (column == each.value)).sum()
            else:
                value = getattr(column.filter(inside), str(each.function))()
        yield value.alias(each.name)


def _places(folder: Path) -> tuple[Dataset, Dataset]:
    facts, rows = (
        Dataset(name, "events", str(folder / f"{name}.parquet")) for name in ("facts", "cohort")
    )
    return facts, rows


STEPS: dict[str, Callable[..., None]] = {
    step.__name__: step for step in (generate, churnlib, duckdb, polars)
}

if __name__ == "__main__":
    STEPS[sys.argv[1]](Path(sys.argv[2]), *map(int, sys.argv[3:]))
