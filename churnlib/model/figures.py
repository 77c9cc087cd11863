"""The figures that judge probabilities: each from the rows, and from every draw of characters."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from churnlib.model import ranking
from churnlib.model.ranking import Tally, levels
from churnlib.model.resample import Flags, Floats, Resampling, Whole

MOST_LEVELS = 2000
"""How many levels of probability are told apart in draws; ranks within one count as ties."""

Metric = Literal["roc_auc", "average_precision", "log_loss", "brier"]


@dataclass(frozen=True, eq=False)
class Predicted:
    """Probabilities beside what came of them.

    Attributes:
        outcome: Whether each subscription churned; there is at least one.
        probability: What was predicted.
        characters: Draws of their characters.
    """

    outcome: Flags
    probability: Floats
    characters: Resampling

    @cached_property
    def tally(self) -> Tally:
        """The rows by their distinct probabilities."""
        level = levels(self.probability)
        count = int(level.max()) + 1
        churned, stayed = (
            np.bincount(level[kind], minlength=count).astype(np.float64).reshape(-1, 1)
            for kind in (self.outcome, ~self.outcome)
        )
        return Tally(churned, stayed)

    @cached_property
    def drawn(self) -> Tally:
        """The rows of each draw by level of probability."""
        level = levels(self.probability, MOST_LEVELS)
        count = int(level.max()) + 1
        both = self.characters.totals(level + count * ~self.outcome, 2 * count)
        return Tally(both[:count], both[count:])

    @cached_property
    def rows_drawn(self) -> Floats:
        """How many rows each draw has."""
        return self.sums(np.ones(len(self.outcome)))

    @cached_property
    def units(self) -> int:
        """How many characters there are."""
        return len(self.characters.weights)

    @cached_property
    def ranked_units(self) -> int:
        """How many characters there are with the rarer outcome."""
        return min(self.characters.count(kind) for kind in (self.outcome, ~self.outcome))

    def sums(self, values: Floats) -> Floats:
        """Adds up a value of each row in each draw."""
        every: Whole = np.zeros(len(values), np.int64)
        (sums,) = self.characters.totals(every, 1, values)
        return np.asarray(sums)


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure of some rows, and of each draw of their characters.

    Attributes:
        value: The figure of the rows; NaN where it is not defined.
        draws: The figure of each draw; NaN where it is not defined.
        units: How many characters it rests on.
    """

    value: float
    draws: Floats
    units: int


def roc_auc(predicted: Predicted) -> Figure:
    """The probability that a churner is ranked above one who stays, ties counting half."""
    (value,) = ranking.roc_auc(predicted.tally)
    return Figure(float(value), ranking.roc_auc(predicted.drawn), predicted.ranked_units)


def average_precision(predicted: Predicted) -> Figure:
    """Precision averaged over recall."""
    (value,) = ranking.average_precision(predicted.tally)
    return Figure(float(value), ranking.average_precision(predicted.drawn), predicted.ranked_units)


def log_loss(predicted: Predicted) -> Figure:
    """The mean negative log-likelihood, in nats; certainty that fails counts as 2^-52."""
    least = np.finfo(np.float64).eps
    said = np.where(predicted.outcome, predicted.probability, 1 - predicted.probability)
    return mean(predicted, -np.log(np.clip(said, least, 1 - least)))


def brier(predicted: Predicted) -> Figure:
    """The mean squared difference of probability and outcome."""
    return mean(predicted, (predicted.probability - predicted.outcome) ** 2)


def mean(predicted: Predicted, values: Floats) -> Figure:
    """The mean of a value of each row."""
    draws = _ratio(predicted.sums(values), predicted.rows_drawn)
    return Figure(float(values.mean()), draws, predicted.units)


METRICS: dict[Metric, Callable[[Predicted], Figure]] = {
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "log_loss": log_loss,
    "brier": brier,
}
"""The figures by which two models can be compared."""
HIGHER_IS_BETTER: dict[Metric, bool] = {
    "roc_auc": True,
    "average_precision": True,
    "log_loss": False,
    "brier": False,
}


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = numerator / denominator
    return ratio
