"""How much a model leans on each of its features: by what it loses when one says nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churnlib.model.predict import predict
from churnlib.schemas.columns import LABEL
from churnlib.seeds import derive_seed

if TYPE_CHECKING:
    from churnlib.model.feature_table import FeatureTable
    from churnlib.model.fitted_model import FittedModel

MAX_ROWS = 2_000
"""More rows change the order of the features that matter no more, but take their time."""
REPEATS = 5
DECIMALS = 12
"""Of a loss: more of them are what calculation leaves over."""
ROWS_AT_ONCE = 100_000
"""So many rows are predicted together, because each prediction has a cost of its own."""


@dataclass(frozen=True)
class Importance:
    """What shuffling one feature costs.

    Attributes:
        feature: The feature's name.
        auc_loss: By how much the ROC AUC falls, the mean of `REPEATS` shuffles; about 0, or below,
            where the model does without.
        least: The smallest loss of a shuffle.
        most: The greatest.
    """

    feature: str
    auc_loss: float
    least: float
    most: float

    def to_json(self) -> dict[str, Any]:
        """The figures as plain data."""
        return asdict(self)


def permutation_importance(
    model: "FittedModel", rows: "pl.DataFrame | FeatureTable"
) -> list[Importance]:
    """Measures what a model loses when the values of a feature are shuffled among the rows.

    On the features as the model is given them, before any step of its pipeline, so that categories
    and missing values count as a whole. Of features that say the same, each may seem needless.
    After Breiman, Machine Learning 45 (2001).

    Args:
        model: The model.
        rows: A feature table with labels, of which the first `MAX_ROWS` that have one count. Where
            characters stand in the order of their hashes, these are a fair sample.

    Returns:
        A figure for each feature of the model, the most important first; none where the rows have
        not both outcomes. The same rows in the same order give the same figures.
    """
    from threadpoolctl import threadpool_limits

    known = _first_known(rows)
    outcome = known[LABEL].to_numpy().astype(np.bool_)
    if outcome.all() or not outcome.any():
        return []
    names = [feature.name for feature in model.schema.features]
    at_once = max(1, ROWS_AT_ONCE // (REPEATS * len(known)))
    found: list[Importance] = []
    # A thread more would wait longer than it works: each prediction is of few rows.
    with threadpool_limits(1):
        (whole,) = _aucs(model, [known], outcome)
        for first in range(0, len(names), at_once):
            some = names[first : first + at_once]
            shuffled = [table for name in some for table in _shuffled(known, name)]
            losses = whole - np.array(_aucs(model, shuffled, outcome)).reshape(len(some), REPEATS)
            found += map(_importance, some, losses)
    return sorted(found, key=lambda importance: (-importance.auc_loss, importance.feature))


def _importance(feature: str, losses: NDArray[np.float64]) -> Importance:
    told = (round(float(loss), DECIMALS) for loss in (losses.mean(), losses.min(), losses.max()))
    return Importance(feature, *told)


def _first_known(rows: "pl.DataFrame | FeatureTable") -> pl.DataFrame:
    from churnlib.model.feature_table import FeatureTable

    parts: list[pl.DataFrame] = []
    missing = MAX_ROWS
    for part in FeatureTable.of(rows).where(pl.col(LABEL).is_not_null()):
        parts.append(part.head(missing))
        missing -= len(parts[-1])
        if not missing:
            break
    return pl.concat(parts)


def _shuffled(rows: pl.DataFrame, name: str) -> Iterator[pl.DataFrame]:
    draws = np.random.default_rng(derive_seed(0, "importance", name))
    for _ in range(REPEATS):
        yield rows.with_columns(rows[name][draws.permutation(len(rows))])


def _aucs(
    model: "FittedModel", tables: Sequence[pl.DataFrame], outcome: NDArray[np.bool_]
) -> list[float]:
    """The ROC AUC on each of some tables of the same subscriptions, predicted at once."""
    said = predict(model, pl.concat(tables)).to_numpy()
    return [_auc(outcome, part) for part in np.split(said, len(tables))]


def _auc(outcome: NDArray[np.bool_], said: NDArray[np.float64]) -> float:
    """By ranks, ties counting half: scikit-learn's checks take longer than the work."""
    churned = int(outcome.sum())
    ranks = pl.Series(said).rank("average").to_numpy()[outcome].sum()
    won = ranks - churned * (churned + 1) / 2
    return float(won / (churned * (len(outcome) - churned)))
