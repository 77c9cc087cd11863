"""Whether the last months of a table hold far fewer rows than those before.

The rows of the last months are compared with those of the `REFERENCE` months before, which are
counted as they were known at the same distance: a run of missed months that is delivered when it
ends is not expected earlier. The number of rows is taken to be negative binomial. Its mean follows
the reference months and their decline, if they declined; growth is not extrapolated. Its dispersion
is that of the reference months around their trend, by the method of moments, at least
`MIN_DISPERSION`, and grows with the number of months compared, because levels drift. There are too
few rows if so few have a probability below `LEVEL`. `benchmarks/RESULTS.md` has the error rates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, log
from statistics import median

REFERENCE = 12
"""The number of months that the last ones are compared with."""
MIN_REFERENCE = 6
"""The minimum number of such months. A younger table is not judged."""
MIN_DISPERSION = 0.03
"""The minimum of the squared relative deviation of a month's rows from their mean: a month
of more than about half of the expected rows is never short, however large the table is."""
LEVEL = 1e-3
"""The probability of so few rows below which they are too few; for each number of months compared,
up to `REFERENCE`."""
PEAK = 2
"""A reference month counts with at most this multiple of the median month, such as a launch."""

Counts = Sequence[int]
"""Rows by month, without gaps."""


@dataclass(frozen=True)
class Shortfall:
    """Too few rows in the last months of a table.

    Attributes:
        months: How many months are short, up to the last.
        found: The number of their rows.
        expected: The number to be expected.
    """

    months: int
    found: int
    expected: float


@dataclass(frozen=True)
class _Level:
    """Rows a month: those of the month after the reference, their change, and their dispersion."""

    next: float
    change: float
    dispersion: float

    def ahead(self, months: int) -> float:
        """The expected rows of a month so many months after the reference; never growing."""
        return self.next * min(self.change, 1) ** (months - 1)


def find_shortfall(known: Sequence[Counts]) -> Shortfall | None:
    """Compares the last months of a table with those before.

    Args:
        known: For each number of months from 0 on, the rows of each month that were known that
            many months after its end; the same months for each number, the last being the last
            complete one. Beyond the last number, all rows are known.

    Returns:
        The months with the smallest share of the expected rows; None if none hold too few.
    """
    silent = next((n for n, rows in enumerate(reversed(known[-1])) if rows), 0)
    lengths = {*range(1, REFERENCE + 1), silent} - {0}
    short = [found for months in lengths if (found := _shortfall(known, months))]
    return min(short, key=lambda each: (each.found / each.expected, -each.months), default=None)


def _shortfall(known: Sequence[Counts], months: int) -> Shortfall | None:
    """Compares the last months; None if they hold enough rows, or too few months are before."""
    found, expected, dispersion = 0, 0.0, MIN_DISPERSION
    for age in range(months):
        rows = known[min(age, len(known) - 1)]
        level = _level(rows[:-months])
        if level is None:
            return None
        found += rows[-1 - age]
        expected += level.ahead(months - age)
        dispersion = max(dispersion, level.dispersion)
    drift = dispersion * min(months, REFERENCE)
    if found >= expected or probability_of_at_most(found, expected, drift) >= LEVEL:
        return None
    return Shortfall(months, found, expected)


def _level(rows: Counts) -> _Level | None:
    """Estimates the level of the last `REFERENCE` months; None if too few months have rows."""
    begins = next((n for n, count in enumerate(rows) if count), len(rows))
    last = rows[max(begins, len(rows) - REFERENCE) :]
    if len(last) < MIN_REFERENCE:
        return None
    cut = [min(count, PEAK * median(last)) for count in last]
    half = len(cut) // 2
    before, after = sum(cut[:half]), sum(cut[-half:])
    change = (after / before) ** (1 / (len(cut) - half)) if before else 1.0
    if not sum(cut):
        return _Level(0, 1, MIN_DISPERSION)
    shape = [change**n for n in range(len(cut))]
    scale = sum(cut) / sum(shape)
    fitted = [scale * factor for factor in shape]
    squares = sum((count - mean) ** 2 for count, mean in zip(cut, fitted, strict=True))
    noise = len(cut) / (len(cut) - 2) * squares - sum(fitted)
    dispersion = max(noise / sum(mean**2 for mean in fitted), MIN_DISPERSION)
    level = fitted[-1] * change if change < 1 else sum(cut) / len(cut)
    return _Level(level, change, dispersion)


def probability_of_at_most(rows: int, mean: float, dispersion: float) -> float:
    """The probability of at most so many rows, by the negative binomial distribution."""
    size = 1 / dispersion
    term = exp(
        lgamma(rows + size)
        - lgamma(size)
        - lgamma(rows + 1)
        + size * log(size / (size + mean))
        + (rows * log(mean / (mean + size)) if rows else 0)
    )
    total = term
    for count in range(rows, 0, -1):
        term *= count / (count - 1 + size) * (mean + size) / mean
        total += term
        if term < total * 1e-9:
            break
    return total
