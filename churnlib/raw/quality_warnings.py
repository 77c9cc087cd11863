"""Implausible facts in the raw tables: counted and reported, but the rows are kept."""

from datetime import date

import polars as pl
from polars import selectors as cs

from churnlib.raw.availability import known_by
from churnlib.schemas.spec import DataWarning, Parent, TableSpec

PLAUSIBLE = (date(1990, 1, 1), date(2100, 12, 31))
"""Plausible days. Fixed, because the clock is not read, and a later extract rightly contains rows
dated after the day of a run."""


def count_warnings(
    rows: pl.LazyFrame, spec: TableSpec, *, as_of: date, parent: pl.LazyFrame | None = None
) -> dict[str, int]:
    """Counts implausible facts in the rows of a checked table that were known on a day.

    Args:
        rows: The checked table or a bucket of it, in its order.
        spec: The raw table's record.
        as_of: The day.
        parent: The checked table that it refers to, or its bucket. Facts that need it are left out
            without it.

    Returns:
        The number of rows by fact, without facts that no row shows.
    """
    known = rows.filter(known_by(spec, as_of))
    own = [warning for warning in spec.warnings if not warning.parent_columns]
    frames = [known.select(map(_count, own))] if own else []
    if spec.parent and parent is not None:
        frames += _of_parent(known, spec, spec.parent, parent)
    frames.append(_implausible_dates(known))
    counts = {text: n for f in pl.collect_all(frames) for text, n in f.row(0, named=True).items()}
    return {text: count for text, count in counts.items() if count}


def _of_parent(
    rows: pl.LazyFrame, spec: TableSpec, reference: Parent, parent: pl.LazyFrame
) -> list[pl.LazyFrame]:
    """Counts facts that are implausible in comparison with the parent's row."""
    on, frames = reference.column, []
    beside = [warning for warning in spec.warnings if warning.parent_columns]
    if beside:
        wanted = dict.fromkeys((on, *(c for warning in beside for c in warning.parent_columns)))
        frames.append(rows.join(parent.select(*wanted), on=on).select(map(_count, beside)))
    if reference.unknown:
        unknown = rows.join(parent, on=on, how="anti")
        frames.append(unknown.select(pl.len().alias(reference.unknown)))
    return frames


def _count(warning: DataWarning) -> pl.Expr:
    return warning.rows.sum().alias(warning.text)


def _implausible_dates(rows: pl.LazyFrame) -> pl.LazyFrame:
    far = pl.any_horizontal(~cs.date().is_between(*PLAUSIBLE))
    text = f"date before {PLAUSIBLE[0].year} or after {PLAUSIBLE[1].year}"
    return rows.select(far.sum().alias(text))
