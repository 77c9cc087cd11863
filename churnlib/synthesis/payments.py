"""The parameters of a process whose customers pay or miss each month; its values are in `games`."""

from dataclasses import dataclass

import numpy as np

CHURN_AFTER_MONTHS = 3
"""The number of consecutive missed months that count as churn."""


@dataclass(frozen=True, slots=True)
class Paces:
    """How much characters play: one of a few paces, which change by chance from month to month.

    No table has a character's pace. It shows in what the character does, which is Poisson.

    Attributes:
        rates: What a character does on average at each pace, the slowest first.
        shares: The probability of each pace in the month of the character's creation.
        after_payment: The probabilities of the next month's pace, a row for each pace; also while
            nothing is to be paid.
        after_miss: The same after a missed month.
        effects: What each pace adds to the log-odds of a miss, and takes from those of a renewal.
    """

    rates: tuple[float, ...]
    shares: tuple[float, ...]
    after_payment: tuple[tuple[float, ...], ...]
    after_miss: tuple[tuple[float, ...], ...]
    effects: tuple[float, ...]

    def __post_init__(self) -> None:
        """Checks that every distribution is one, over all paces."""
        rows = np.array([self.shares, *self.after_payment, *self.after_miss])
        if rows.shape != (1 + 2 * len(self.rates), len(self.rates)) or len(self.effects) != len(
            self.rates
        ):
            raise ValueError(f"{self.rates}: shares, changes and effects must be of all paces.")
        if not np.allclose(rows.sum(axis=1), 1) or rows.min() < 0:
            raise ValueError(f"{self.rates}: shares, and each row of changes, must sum to 1.")


@dataclass(frozen=True, slots=True)
class Payments:
    """How customers pay, month by month.

    Attributes:
        paces: How much characters play.
        miss: The log-odds of missing a month after 0, 1 and 2 missed months in a row.
        renewal: The log-odds of another subscription in the month in which a term ends, after a
            paid and after a missed last month.
        seasons: What each month of the year, from January, adds to the log-odds of a miss.
        not_renewed_months: The number of months after the end of a term within which another
            subscription must begin, or the end counts as churn; if None, only misses do. It has no
            effect on the tables, only on the true probabilities.
    """

    paces: Paces
    miss: tuple[float, float, float]
    renewal: tuple[float, float]
    seasons: tuple[float, ...] = (0.0,) * 12
    not_renewed_months: int | None = None

    def __post_init__(self) -> None:
        """Checks the lengths, and that a subscription can be renewed before its end is churn."""
        if len(self.miss) != CHURN_AFTER_MONTHS or len(self.seasons) != 12:
            raise ValueError("must have the log-odds of 3 misses, and the effects of 12 months.")
        if self.not_renewed_months is not None and self.not_renewed_months < 1:
            raise ValueError(f"not_renewed_months is {self.not_renewed_months}; at least 1.")
