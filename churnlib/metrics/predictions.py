"""Predictions with their outcomes, and the value of a metric on them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl

from churnlib.errors import DataError
from churnlib.metrics import ranking
from churnlib.metrics.bootstrap import Flags, Floats, Resampling, Whole
from churnlib.metrics.intervals import (
    CONFIDENCE,
    Interval,
    positive_interval,
    share_interval,
    standard_error,
)
from churnlib.metrics.ranking import Tally, levels
from churnlib.schemas.columns import CHAR_ID, DAY, LABEL, PROBABILITY, SUB_ID

MAX_LEVELS = 1000
"""How many levels of probability the draws distinguish; ranks within one count as ties."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predicted probabilities of subscriptions whose outcome is known.

    Attributes:
        outcome: Whether each subscription churned; there is at least one.
        probability: Its predicted churn probability.
        characters: Bootstrap draws of the characters that the subscriptions belong to.
        threshold: The probability from which a subscription counts as predicted to churn; None if
            there is none.
        subs: The number of the subscription of each row; None if each is another.
    """

    outcome: Flags
    probability: Floats
    characters: Resampling
    threshold: float | None = None
    subs: Whole | None = None

    @classmethod
    def of(cls, rows: pl.DataFrame, threshold: float | None = None) -> "Predictions":
        """Reads predictions from a table, and draws its characters.

        Metrics of a part of the rows come from `where`, so that a metric of the same subscriptions
        has the same interval in every table.

        Args:
            rows: One row per subscription, or per subscription and month, all with a label; see
                `known_rows`. Without `char_id` each subscription counts as a character.
            threshold: See `Predictions`.
        """
        characters = rows[CHAR_ID if CHAR_ID in rows.columns else SUB_ID]
        return cls(
            rows[LABEL].to_numpy().astype(np.bool_),
            probabilities(rows, PROBABILITY),
            Resampling.over(characters),
            threshold,
            None if rows[SUB_ID].is_unique().all() else rows[SUB_ID].rank("dense").to_numpy(),
        )

    def where(self, keep: Flags) -> "Predictions":
        """Selects some of the rows."""
        return Predictions(
            self.outcome[keep],
            self.probability[keep],
            self.characters.where(keep),
            self.threshold,
            None if self.subs is None else self.subs[keep],
        )

    @cached_property
    def subscriptions(self) -> int:
        """The number of subscriptions."""
        return self._subscriptions(np.ones(len(self.outcome), np.bool_))

    @cached_property
    def churned_subscriptions(self) -> int:
        """The number of subscriptions that churned, in one of their rows or several."""
        return self._subscriptions(self.outcome)

    def _subscriptions(self, rows: Flags) -> int:
        return int(rows.sum()) if self.subs is None else len(np.unique(self.subs[rows]))

    @cached_property
    def tally(self) -> Tally:
        """The counts of the rows by distinct probability."""
        return Tally.of(self.outcome, self.probability)

    @cached_property
    def level_tally(self) -> Tally:
        """The counts of the rows by the levels of probability of `drawn`."""
        level = levels(self.probability, MAX_LEVELS)
        count = int(level.max()) + 1
        kinds = (
            np.bincount(level[kind], minlength=count) for kind in (self.outcome, ~self.outcome)
        )
        return Tally(*(kind.astype(np.float64).reshape(-1, 1) for kind in kinds))

    @cached_property
    def drawn(self) -> Tally:
        """The counts of each draw by level of probability."""
        level = levels(self.probability, MAX_LEVELS)
        count = int(level.max()) + 1
        both = self.characters.totals(level + count * ~self.outcome, 2 * count)
        return Tally(both[:count], both[count:])

    @cached_property
    def churned_drawn(self) -> Floats:
        """The number of churners in each draw."""
        churned: Floats = self.drawn.churned_above[-1]
        return churned

    @cached_property
    def is_mixed(self) -> bool:
        """Whether some subscriptions churned and some did not."""
        return bool(self.outcome.any() and not self.outcome.all())

    @cached_property
    def is_ranked(self) -> bool:
        """Whether the probabilities are not all equal."""
        return len(self.tally.churned) > 1

    @cached_property
    def selected(self) -> Flags:
        """Which subscriptions reach the threshold; none without one."""
        if self.threshold is None:
            return np.zeros(len(self.outcome), np.bool_)
        return self.probability >= self.threshold

    @cached_property
    def hits(self) -> Flags:
        """Which subscriptions reach the threshold and churned."""
        return self.selected & self.outcome

    @cached_property
    def hits_drawn(self) -> Floats:
        """The number of hits in each draw."""
        return self.characters.sums(self.hits.astype(np.float64))

    @cached_property
    def gains(self) -> Floats:
        """The share of all churners in the riskiest decile, in the riskiest two, up to all ten."""
        # Rounded, so that floating-point residue does not count as a lift.
        return ranking.gains(self.tally)[:, 0].round(12)

    @cached_property
    def gains_drawn(self) -> Floats:
        """The same for each draw, one column per draw."""
        return ranking.gains(self.drawn)

    @cached_property
    def units(self) -> int:
        """The number of characters."""
        return len(self.characters.weights)

    @cached_property
    def ranked_units(self) -> int:
        """The number of characters with the rarer outcome."""
        return min(self.characters.count(kind) for kind in (self.outcome, ~self.outcome))


@dataclass(frozen=True, eq=False)
class MetricValue:
    """The value of a metric on some rows, and on each bootstrap draw of their characters.

    Attributes:
        value: The value on the rows; NaN if it is not defined.
        draws: The value of each draw; NaN if it is not defined.
        units: The number of characters that it is computed from.
        scale: `share` for values from 0 to 1; `positive` for values above 0.
    """

    value: float
    draws: Floats
    units: int
    scale: Literal["share", "positive"] = "share"

    def interval(self, confidence: float = CONFIDENCE) -> Interval | None:
        """Computes the confidence interval; None if it is unknown."""
        if np.isnan(self.value):
            return None
        error = standard_error(self.draws, self.units)
        if self.scale == "positive":
            return positive_interval(self.value, error, confidence)
        return share_interval(self.value, error, self.units, confidence)


def probabilities(rows: pl.DataFrame, column: str) -> Floats:
    """Reads a column of probabilities.

    Raises:
        DataError: A value is null or not between 0 and 1.
    """
    values = rows[column].cast(pl.Float64, strict=False)
    if not values.is_between(0, 1).fill_null(False).all():
        raise DataError(
            f"the column '{column}' holds values that are not probabilities. Give numbers from 0 "
            "to 1."
        )
    return values.to_numpy()


def with_label(scored: pl.DataFrame) -> pl.DataFrame:
    """Selects the rows that have a label."""
    return scored.filter(pl.col(LABEL).is_not_null())


def known_rows(scored: pl.DataFrame) -> pl.DataFrame:
    """Selects the rows that have a label, in an order that does not depend on that of the input."""
    day = [DAY] if DAY in scored.columns else []
    return with_label(scored).sort(PROBABILITY, SUB_ID, *day)
