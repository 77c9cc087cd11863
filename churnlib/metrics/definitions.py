"""The figures that judge probabilities: each from the rows, and from every draw of characters."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl

from churnlib.errors import DataError
from churnlib.metrics import ranking
from churnlib.metrics.bootstrap import Flags, Floats, Resampling
from churnlib.metrics.intervals import CONFIDENCE, Interval, of_positive, of_share, standard_error
from churnlib.metrics.ranking import Tally, levels, ratio

MOST_LEVELS = 1000
"""How many levels of probability are told apart in draws; ranks within one count as ties."""
DECIMALS = 10
"""Of the figures of tenths: more of them are what calculation leaves over."""
CALIBRATION_GROUPS = 10
"""How many groups of equal size the expected calibration error is taken over."""

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

    def where(self, keep: Flags) -> "Predicted":
        """Those of some rows."""
        return Predicted(self.outcome[keep], self.probability[keep], self.characters.where(keep))

    @cached_property
    def tally(self) -> Tally:
        """The rows by their distinct probabilities."""
        return Tally.of(self.outcome, self.probability)

    @cached_property
    def drawn(self) -> Tally:
        """The rows of each draw by level of probability."""
        level = levels(self.probability, MOST_LEVELS)
        count = int(level.max()) + 1
        both = self.characters.totals(level + count * ~self.outcome, 2 * count)
        return Tally(both[:count], both[count:])

    @cached_property
    def is_ranked(self) -> bool:
        """Whether not all probabilities are equal."""
        return len(self.tally.churned) > 1

    @cached_property
    def gains(self) -> Floats:
        """The share of all churners among the likeliest tenth, two tenths, to all."""
        # Rounded, so that what calculation leaves over does not pass for a lift.
        return ranking.gains(self.tally)[:, 0].round(12)

    @cached_property
    def gains_drawn(self) -> Floats:
        """The same of each draw, a column each."""
        return ranking.gains(self.drawn)

    @cached_property
    def units(self) -> int:
        """How many characters there are."""
        return len(self.characters.weights)

    @cached_property
    def ranked_units(self) -> int:
        """How many characters there are with the rarer outcome."""
        return min(self.characters.count(kind) for kind in (self.outcome, ~self.outcome))


def probabilities(rows: pl.DataFrame, column: str) -> Floats:
    """The probabilities in a column.

    Raises:
        DataError: It holds what is no probability.
    """
    found = rows[column].cast(pl.Float64, strict=False)
    if not found.is_between(0, 1).fill_null(False).all():
        raise DataError(f"the column '{column}' holds values that are no probability.")
    return found.to_numpy()


@dataclass(frozen=True, eq=False)
class MetricValue:
    """A figure of some rows, and of each draw of their characters.

    Attributes:
        value: The figure of the rows; NaN where it is not defined.
        draws: The figure of each draw, or of a `distance` how far the draw is from the rows; NaN
            where it is not defined.
        units: How many characters it rests on.
        scale: A `share` lies within 0 and 1, what is `positive` above 0, and a `distance` within 0
            and 1, 0 being where all is well, so that chance can only make it larger.
    """

    value: float
    draws: Floats
    units: int
    scale: Literal["share", "positive", "distance"] = "share"

    def interval(self, confidence: float = CONFIDENCE) -> Interval | None:
        """The interval that holds the true figure so often; null where it is not known."""
        if np.isnan(self.value):
            return None
        if self.scale == "distance":
            if self.units < 2:
                return None
            reach = float(np.nanquantile(self.draws, confidence))
            return max(0.0, self.value - reach), min(1.0, self.value + reach)
        error = standard_error(self.draws, self.units)
        if self.scale == "positive":
            return of_positive(self.value, error, confidence)
        return of_share(self.value, error, self.units, confidence)


def roc_auc(predicted: Predicted) -> MetricValue:
    """The probability that a churner is ranked above one who stays, ties counting half."""
    (value,) = ranking.roc_auc(predicted.tally)
    return MetricValue(float(value), ranking.roc_auc(predicted.drawn), predicted.ranked_units)


def average_precision(predicted: Predicted) -> MetricValue:
    """Precision averaged over recall."""
    (value,) = ranking.average_precision(predicted.tally)
    return MetricValue(
        float(value), ranking.average_precision(predicted.drawn), predicted.ranked_units
    )


def log_loss(predicted: Predicted) -> MetricValue:
    """The mean negative log-likelihood, in nats; certainty that fails counts as 2^-52."""
    least = np.finfo(np.float64).eps
    said = np.where(predicted.outcome, predicted.probability, 1 - predicted.probability)
    return replace(mean(predicted, -np.log(np.clip(said, least, 1 - least))), scale="positive")


def brier(predicted: Predicted) -> MetricValue:
    """The mean squared difference of probability and outcome."""
    squares = (predicted.probability - predicted.outcome) ** 2
    return replace(mean(predicted, squares), scale="positive")


def mean(predicted: Predicted, values: Floats) -> MetricValue:
    """The mean of a value of each row."""
    draws = ratio(predicted.characters.sums(values), predicted.characters.rows)
    return MetricValue(float(values.mean()), draws, predicted.units)


def share_of(predicted: Predicted, whole: Flags, part: Flags) -> MetricValue:
    """The share of some rows, of others in which they lie."""
    value = part.sum() / whole.sum() if whole.any() else float("nan")
    found, of = (predicted.characters.sums(rows.astype(np.float64)) for rows in (part, whole))
    return MetricValue(float(value), ratio(found, of), predicted.characters.count(whole))


def lift_top_decile(predicted: Predicted) -> MetricValue:
    """The churn rate among the likeliest tenth, over that of all; both outcomes occur."""
    value, draws = (10 * gains[0] for gains in (predicted.gains, predicted.gains_drawn))
    return MetricValue(round(float(value), DECIMALS), draws, predicted.ranked_units, "positive")


def expected_calibration_error(predicted: Predicted) -> MetricValue:
    """How far churn rates are from predictions, on average over groups of equal size.

    The groups are `CALIBRATION_GROUPS` by predicted probability; equal probabilities stay together.
    Its interval takes what the gaps of the groups move by in a draw, all as losses: by the triangle
    inequality the true error is no farther away than that, and where the interval reaches 0, the
    gaps are what chance makes of calibrated probabilities.
    """
    group = levels(predicted.probability, CALIBRATION_GROUPS)
    count = int(group.max()) + 1
    missed = predicted.outcome - predicted.probability
    gaps = np.bincount(group, missed, count).reshape(-1, 1) / len(group)
    drawn = ratio(predicted.characters.totals(group, count, missed), predicted.characters.rows)
    distance = np.abs(drawn - gaps).sum(axis=0)
    return MetricValue(float(np.abs(gaps).sum()), distance, predicted.units, "distance")


METRICS: dict[Metric, Callable[[Predicted], MetricValue]] = {
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
