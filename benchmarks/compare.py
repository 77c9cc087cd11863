"""Whether two tables of features say the same: `python -m benchmarks.compare FILE FILE`."""

import sys
from pathlib import Path

import polars as pl

TOLERANCE = 1e-9
"""Of a number, relative to the larger of the two, or to 1."""


def main(one: str, other: str) -> int:
    """Prints in which columns two Parquet files differ; returns 1 where they do."""
    found = differences(pl.read_parquet(Path(one)), pl.read_parquet(Path(other)))
    print("\n".join(found))
    return bool(found)


def differences(one: pl.DataFrame, other: pl.DataFrame) -> list[str]:
    """Compares two tables with a row a `sub_id`, whatever their order and types of number.

    Returns:
        What differs: rows, columns, or values by column.
    """
    if len(one) != len(other):
        return [f"{len(one)} rows and {len(other)}"]
    if extra := set(one.columns) ^ set(other.columns):
        return [f"only one has {', '.join(sorted(extra))}"]
    one, other = one.sort("sub_id"), other.sort("sub_id")
    unlike = {name: _unlike(one[name], other[name]) for name in one.columns}
    return [f"{name}: {rows} rows differ" for name, rows in unlike.items() if rows]


def _unlike(one: pl.Series, other: pl.Series) -> int:
    """In how many rows two columns differ; missing is like missing."""
    a, b = _plain(one), _plain(other)
    same = a.eq_missing(b)
    if a.dtype == pl.Float64:
        size = pl.max_horizontal(a.abs(), b.abs(), 1.0)
        near = pl.select((a - b).abs() <= TOLERANCE * size).to_series().fill_null(False)
        same = same | near
    return int((~same).sum())


def _plain(values: pl.Series) -> pl.Series:
    """Puts equal meanings into one type."""
    if values.dtype.is_temporal():
        return values.cast(pl.Date)
    if values.dtype.is_numeric():
        return values.cast(pl.Float64)
    return values if values.dtype == pl.Boolean else values.cast(pl.String)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
