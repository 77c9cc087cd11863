"""Compares two feature tables: `python -m benchmarks.compare FILE FILE`."""

import sys
from pathlib import Path

import polars as pl

TOLERANCE = 1e-9
"""Allowed difference of two numbers, relative to the larger of them, or to 1."""


def main(one: str, other: str) -> int:
    """Prints the columns in which two Parquet files differ; returns 1 if any do."""
    messages = differences(pl.read_parquet(Path(one)), pl.read_parquet(Path(other)))
    print("\n".join(messages))
    return bool(messages)


def differences(one: pl.DataFrame, other: pl.DataFrame) -> list[str]:
    """Compares two tables with one row per `sub_id`, ignoring order and numeric types.

    Returns:
        A message for each difference: of rows, of columns, or of values by column.
    """
    if len(one) != len(other):
        return [f"{len(one)} rows and {len(other)}"]
    if extra := set(one.columns) ^ set(other.columns):
        return [f"only one has {', '.join(sorted(extra))}"]
    one, other = one.sort("sub_id"), other.sort("sub_id")
    differing = {name: _differing_rows(one[name], other[name]) for name in one.columns}
    return [f"{name}: {rows} rows differ" for name, rows in differing.items() if rows]


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
