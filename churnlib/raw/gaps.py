"""Gaps in raw tables: months far below those before and after them, such as a lost export.

The rows of up to `LONGEST` months in a row are compared with those of the `AROUND` months on either
side, of which the lower median is expected. The number of rows is taken to be negative binomial,
with the dispersion of the months around it, at least `MIN_DISPERSION`. Months with more than half
of the expected rows are no gap. The ends of a table are not judged: see `churnlib.raw.late_feeds`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from churnlib.months import months_apart, shift_months
from churnlib.raw.late_feeds import FewRows, MonthlyRows, last_complete
from churnlib.raw.shortfall import probability_of_at_most
from churnlib.schemas.spec import TableSpec

AROUND = 6
"""The number of months before, and of months after, that are compared with."""
LONGEST = 24
"""The number of months of the longest gap."""
MIN_DISPERSION = 0.01
"""The minimum of the squared relative deviation of a month's rows from their mean."""
LEVEL = 1e-5
"""The probability of so few rows below which they are a gap. Low, because every month is judged."""


@dataclass(frozen=True)
class Gap(FewRows):
    """Months of a raw table with far fewer rows than those around them; see `FewRows`."""

    def __str__(self) -> str:
        """The gap, in a sentence without its full stop."""
        return (
            f"{self.table} may have a gap: {self.comparison} and after. If rows are missing, "
            "labels and features of these months are wrong"
        )


def find_gap(spec: TableSpec, rows: MonthlyRows, as_of: date) -> Gap | None:
    """Finds the months of a raw table that are farthest below those around them.

    Args:
        spec: The raw table's record.
        rows: Its rows by month.
        as_of: The day of the run; rows that became known later do not count.

    Returns:
        The months; None if there is no gap.
    """
    counts, last = Counter[date](), last_complete(spec, as_of)
    for months in rows.values():
        counts.update({date.fromisoformat(month): number for month, number in months.items()})
    first = min(counts, default=None)
    if first is None or first > last:
        return None
    span = [shift_months(first, n) for n in range(months_apart(first, last) + 1)]
    found = deepest_gap([counts[month] for month in span])
    if found is None:
        return None
    begins, ends, expected = found
    return Gap(
        table=spec.name,
        column=spec.dated,
        first=shift_months(span[begins], -spec.months_until_known),
        last=shift_months(span[ends - 1], -spec.months_until_known),
        found=sum(counts[month] for month in span[begins:ends]),
        expected=round(expected),
    )


def deepest_gap(counts: Sequence[int]) -> tuple[int, int, float] | None:
    """Finds the months with the smallest share of the rows expected from those around them.

    Args:
        counts: Rows by month, without any month left out.

    Returns:
        The position of the first month, that after the last, and the number of rows expected in
        them; None if there is no gap.
    """
    gaps = (
        (begins, begins + months, expected)
        for months in range(1, LONGEST + 1)
        for begins in range(AROUND, len(counts) - AROUND - months + 1)
        if (expected := _expected_in_gap(counts, begins, begins + months))
    )
    return min(
        gaps, key=lambda gap: (sum(counts[gap[0] : gap[1]]) / gap[2], gap[0] - gap[1]), default=None
    )


def _expected_in_gap(counts: Sequence[int], begins: int, ends: int) -> float | None:
    """The number of rows expected in some months; None if these are no gap."""
    sides = counts[begins - AROUND : begins], counts[ends : ends + AROUND]
    level, months = min(median(side) for side in sides), ends - begins
    expected, found = level * months, sum(counts[begins:ends])
    if not level or max(counts[begins], counts[ends - 1]) > level / 2 or found > expected / 2:
        return None
    spread = sum((count - median(side)) ** 2 for side in sides for count in side)
    mean = sum(map(sum, sides)) / (2 * AROUND)
    dispersion = max((spread / (2 * AROUND - 2) - mean) / mean**2, MIN_DISPERSION)
    if probability_of_at_most(found, expected, dispersion * months) >= LEVEL:
        return None
    return expected
