"""Numbers whose level changes at once, as if their unit did: a price in cents from some month on.

Rows are grouped by month of start. The level of a month is the mean of the decimal logarithms of
its numbers, without their signs and without zeros. Logarithms are limited, so that a few extreme
numbers do not move it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import fmean

import polars as pl
from polars import selectors as cs

from churnlib.schemas.columns import NEVER_FEATURES, day_column

MIN_MONTHS = 3
"""The minimum number of months before and after a change."""
MIN_ROWS = 5
"""The minimum number of numbers in a month; months with fewer are left out."""
MIN_STEP = 1.0
"""The least difference between each level after a change and each before it: ten times as much."""
LIMIT = 6
"""The greatest logarithm, and with a minus the least."""

_MONTH = "_month"


@dataclass(frozen=True)
class UnitChange:
    """A change of the level of a column.

    Attributes:
        column: The column.
        month: The first day of the first month with the new level.
        factor: The new level divided by the old one.
    """

    column: str
    month: date
    factor: float


def find_unit_changes(rows: pl.LazyFrame) -> list[UnitChange]:
    """Finds the numbers of which all months after one are ten times those before, or a tenth.

    Args:
        rows: A feature table.

    Returns:
        The greatest change of each column that has one, in the order of the table.
    """
    numbers = cs.numeric() - cs.by_name(*NEVER_FEATURES, require_all=False)
    sizes = numbers.cast(pl.Float64).abs().replace(0, None)
    day = day_column(rows.collect_schema())
    month = pl.col(day).dt.truncate("1mo").alias(_MONTH)
    months = (
        rows.select(sizes.log10().clip(-LIMIT, LIMIT), month)
        .group_by(_MONTH)
        .agg(pl.when(cs.numeric().count() >= MIN_ROWS).then(cs.numeric().mean()))
        .sort(_MONTH)
        .collect(engine="streaming")
    )
    names = [name for name in months.columns if name != _MONTH]
    changes = (_change(name, months.select(_MONTH, name).drop_nulls().rows()) for name in names)
    return [change for change in changes if change]


def _change(column: str, levels: Sequence[tuple[date, float]]) -> UnitChange | None:
    found = []
    for cut in range(MIN_MONTHS, len(levels) - MIN_MONTHS + 1):
        before, after = ([level for _, level in part] for part in (levels[:cut], levels[cut:]))
        step = max(min(after) - max(before), min(before) - max(after))
        if step >= MIN_STEP:
            factor = 10 ** (fmean(after) - fmean(before))
            found.append((step, UnitChange(column, levels[cut][0], factor)))
    return max(found, key=lambda each: each[0])[1] if found else None
