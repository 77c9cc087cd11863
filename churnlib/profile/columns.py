"""The values of the columns of a table: how many are missing or differ, and their range."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from churnlib.schemas.spec import ColumnKind, TableSpec, kind_of

EXACT = 5_000_000
"""The number of rows up to which different values are counted exactly; else to about 10 %."""
SHOWN = 3
"""The number of the most frequent categories."""
_DATED: tuple[ColumnKind, ...] = ("date", "milestone", "time")


@dataclass(frozen=True)
class ColumnProfile:
    """The values of a column of the rows that break no rule.

    Attributes:
        name: The column.
        kind: The kind of its values.
        missing: The share of nulls; 0 if there are no rows.
        distinct: The number of different values, null not included.
        is_exact: Whether that number is exact.
        least: The least number, day or time; None for others, and if all are null.
        greatest: The greatest.
        mean: The mean of a number; None for others, and if all are null.
        most: The most frequent categories, each with its share of the values that are not null.
    """

    name: str
    kind: ColumnKind | None
    missing: float
    distinct: int
    is_exact: bool
    least: Any = None
    greatest: Any = None
    mean: float | None = None
    most: tuple[tuple[str, float], ...] = ()


def profile_columns(rows: pl.LazyFrame, spec: TableSpec, height: int) -> tuple[ColumnProfile, ...]:
    """Profiles the columns that a table declares.

    Args:
        rows: The rows of the checked table.
        spec: The table's record.
        height: The number of rows.
    """
    kinds = {name: kind_of(declared) for name, declared in spec.columns.items()}
    found = rows.select(
        expression
        for name, kind in kinds.items()
        for expression in _statistics(name, kind, is_exact=height <= EXACT)
    )
    values = found.collect(engine="streaming").row(0, named=True)
    return tuple(_profile(rows, name, kind, values, height) for name, kind in kinds.items())


def _statistics(name: str, kind: ColumnKind | None, *, is_exact: bool) -> list[pl.Expr]:
    column = pl.col(name)
    known = column.drop_nulls()
    different = known.n_unique() if is_exact else known.approx_n_unique()
    found = {"nulls": column.null_count(), "distinct": different}
    if kind in _DATED or kind in ("number", "undated"):
        found |= {"least": column.min(), "greatest": column.max()}
    if kind in ("number", "undated"):
        found |= {"mean": column.mean()}
    return [expression.alias(f"{name}/{what}") for what, expression in found.items()]


def _profile(
    rows: pl.LazyFrame,
    name: str,
    kind: ColumnKind | None,
    values: Mapping[str, Any],
    height: int,
) -> ColumnProfile:
    nulls = values[f"{name}/nulls"]
    is_counted = kind in ("category", "flag") and nulls < height
    return ColumnProfile(
        name=name,
        kind=kind,
        missing=nulls / height if height else 0.0,
        distinct=values[f"{name}/distinct"],
        is_exact=height <= EXACT,
        least=values.get(f"{name}/least"),
        greatest=values.get(f"{name}/greatest"),
        mean=values.get(f"{name}/mean"),
        most=_most_frequent(rows, name, height - nulls) if is_counted else (),
    )


def _most_frequent(rows: pl.LazyFrame, name: str, known: int) -> tuple[tuple[str, float], ...]:
    counts = (
        rows.select(pl.col(name).cast(pl.String))
        .drop_nulls()
        .group_by(name)
        .agg(n=pl.len())
        .sort("n", name, descending=[True, False])
        .head(SHOWN)
        .collect(engine="streaming")
    )
    return tuple((value, rows / known) for value, rows in counts.iter_rows())
