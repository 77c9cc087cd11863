"""All figures of scored rows at once: their values, their intervals, and why there are none."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from churnlib.metrics import definitions
from churnlib.metrics.bootstrap import Flags, Resampling
from churnlib.metrics.deciles import deciles
from churnlib.metrics.definitions import MetricValue, Predicted, probabilities
from churnlib.metrics.intervals import Interval
from churnlib.schemas.columns import LABEL, PROBABILITY


def known(scored: pl.DataFrame) -> pl.DataFrame:
    """The rows whose outcome is known."""
    return scored.filter(pl.col(LABEL).is_not_null())


def known_rows(scored: pl.DataFrame) -> pl.DataFrame:
    """The rows whose outcome is known, in an order that does not depend on that of all."""
    return known(scored).sort(PROBABILITY, "sub_id")


def predictions(known: pl.DataFrame) -> Predicted:
    """Predictions whose outcome is known, with draws of their characters.

    Whoever needs the figures of a part takes the part of these (`Predicted.where`), so that a
    figure has one interval, wherever it is told.
    """
    characters = known["char_id" if "char_id" in known.columns else "sub_id"]
    return Predicted(
        known[LABEL].to_numpy().astype(np.bool_),
        probabilities(known, PROBABILITY),
        Resampling.over(characters),
    )


def measure(predicted: Predicted, threshold: float | None = None) -> dict[str, MetricValue]:
    """Computes all figures of probabilities, those of ranking only where both outcomes are there.

    Args:
        predicted: The probabilities, with what came of them.
        threshold: The probability from which on a subscription is called a churner; without it
            there is no `precision` and no `recall`.
    """
    found = {
        "mean_predicted": definitions.mean(predicted, predicted.probability),
        "log_loss": definitions.log_loss(predicted),
        "brier": definitions.brier(predicted),
        "expected_calibration_error": definitions.expected_calibration_error(predicted),
    }
    if is_mixed(predicted.outcome):
        found["roc_auc"] = definitions.roc_auc(predicted)
        found["average_precision"] = definitions.average_precision(predicted)
        found["lift_top_decile"] = definitions.lift_top_decile(predicted)
    if threshold is not None:
        called = predicted.probability >= threshold
        hit = called & predicted.outcome
        found["precision"] = definitions.share_of(predicted, called, hit)
        found["recall"] = definitions.share_of(predicted, predicted.outcome, hit)
    return found


def values_of(found: Mapping[str, MetricValue]) -> dict[str, Any]:
    """The values of figures; null where not defined."""
    return {name: None if np.isnan(f.value) else f.value for name, f in found.items()}


def intervals_of(
    found: Mapping[str, MetricValue], predicted: Predicted
) -> dict[str, Interval | None]:
    """The intervals of figures; null where not known, of ranking also where nothing was ranked.

    That of the lift is the first tenth's, which knows what is possible.
    """
    intervals = {name: figure.interval() for name, figure in found.items()}
    if "lift_top_decile" in found:
        intervals["lift_top_decile"] = deciles(predicted)[0].intervals["lift"]
    if not predicted.is_ranked:
        intervals |= dict.fromkeys(intervals.keys() & {"roc_auc"})
    return intervals


def why_undefined(predicted: Predicted) -> str | None:
    """Tells why nothing can be ranked; null where something can."""
    n = len(predicted.outcome)
    if not is_mixed(predicted.outcome):
        churned = bool(predicted.outcome.any())
        if n == 1:
            return f"the only subscription {'churned' if churned else 'did not churn'}"
        return f"{'each' if churned else 'none'} of the {n:,} subscriptions churned"
    if not predicted.is_ranked:
        return f"all {n:,} subscriptions have the same predicted probability"
    return None


def is_mixed(outcome: Flags) -> bool:
    """Whether some churned and some stayed."""
    return bool(outcome.any() and not outcome.all())
