"""Compares two feature tables: `python -m benchmarks.compare FILE FILE`."""

import sys
from pathlib import Path

import polars as pl

from churnlib.schemas.outputs import CAMPAIGNS, DAYS

TOLERANCE = 1e-9
"""Allowed difference of two numbers, relative to the larger of them, or to 1."""
LABELS = {"churned_on", "sub_churn", *DAYS, *CAMPAIGNS}
"""Columns that only some ways compute; they are compared if both tables have them."""


def main(one: str, other: str) -> int:
    """Prints the columns in which two Parquet files differ; returns 1 if any do."""
    messages = differences(pl.scan_parquet(Path(one)), pl.scan_parquet(Path(other)))
    print("\n".join(messages))
    return bool(messages)


def differences(one: pl.LazyFrame, other: pl.LazyFrame) -> list[str]:
    """Compares two tables with one row per `sub_id`, ignoring order and numeric types.

    A column of `LABELS` may be missing from one of them. One column is in memory at a time.

    Returns:
        A message for each difference: of rows, of columns, or of values by column.
    """
    sorting = [
        frame.select(pl.col("sub_id").arg_sort()).collect()["sub_id"] for frame in (one, other)
    ]
    if len(sorting[0]) != len(sorting[1]):
        return [f"{len(sorting[0])} rows and {len(sorting[1])}"]
    columns, others = one.collect_schema().names(), other.collect_schema().names()
    if extra := (set(columns) ^ set(others)) - LABELS:
        return [f"only one has {', '.join(sorted(extra))}"]
    messages = []
    for name in columns:
        if name in others:
            a, b = (
                frame.select(name).collect()[name].gather(order)
                for frame, order in zip((one, other), sorting, strict=True)
            )
            if rows := _differing_rows(a, b):
                messages.append(f"{name}: {rows} rows differ")
    return messages


def _differing_rows(one: pl.Series, other: pl.Series) -> int:
    """Counts the rows in which two columns differ; two nulls are equal."""
    a, b = _normalized(one), _normalized(other)
    same = a.eq_missing(b)
    if a.dtype == pl.Float64:
        size = pl.max_horizontal(a.abs(), b.abs(), 1.0)
        near = pl.select((a - b).abs() <= TOLERANCE * size).to_series().fill_null(False)
        same = same | near
    return int((~same).sum())


def _normalized(values: pl.Series) -> pl.Series:
    """Casts types of the same meaning to one type."""
    if values.dtype.is_temporal():
        return values.cast(pl.Date)
    if values.dtype.is_numeric():
        return values.cast(pl.Float64)
    return values if values.dtype == pl.Boolean else values.cast(pl.String)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
