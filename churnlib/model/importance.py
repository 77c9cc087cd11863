"""Permutation importance of a model's features."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churnlib.io.hashing import hashes
from churnlib.model.predict import predict
from churnlib.schemas.columns import CHAR_ID, LABEL
from churnlib.seeds import derive_seed

if TYPE_CHECKING:
    from churnlib.model.feature_table import FeatureTable
    from churnlib.model.fitted_model import FittedModel

MAX_ROWS = 2_000
"""More rows take longer without changing the order of the important features."""
MAX_COMPARED = 1_000
"""The number of these rows that the ROC AUC is computed on, half of them churned if that many
did. Its error comes mostly from the rarer outcome, so further rows of the other one add little."""
REPEATS = 3
"""The number of shuffles of each feature. Five of all `MAX_ROWS` rows take three times as long. On
9,600 other rows, both ways find the same two features first, and on average 4.4 of the first five
and 8.2 of the first ten."""
DECIMALS = 12
"""Decimals of a loss; further ones are rounding errors."""
ROWS_AT_ONCE = 100_000
"""Number of rows to predict at once, because each call has a fixed cost."""


@dataclass(frozen=True)
class Importance:
    """The loss of ROC AUC when the values of one feature are shuffled.

    Attributes:
        feature: The feature's name.
        auc_loss: The mean loss over `REPEATS` shuffles; about 0, or below, for a feature that the
            model does not need.
        least: The smallest loss of a shuffle.
        most: The greatest loss of a shuffle.
    """

    feature: str
    auc_loss: float
    least: float
    most: float

    def to_json(self) -> dict[str, Any]:
        """The importance as plain data."""
        return asdict(self)


def permutation_importance(
    model: "FittedModel", rows: "pl.DataFrame | FeatureTable"
) -> list[Importance]:
    """Measures how much ROC AUC a model loses when the values of a feature are shuffled.

    Features are shuffled before any step of the pipeline, so that categories and missing values
    count as a whole. Each of several correlated features may seem unimportant. After Breiman,
    Machine Learning 45 (2001).

    Args:
        model: The model.
        rows: A feature table. Of its rows with a label, a random sample of characters is used, at
            most `MAX_ROWS` rows.

    Returns:
        The importance of each feature, the greatest first; empty if the rows have only one
        outcome. The same rows in the same order give the same result.
    """
    from threadpoolctl import threadpool_limits

    from churnlib.model.feature_table import FeatureTable

    labelled = FeatureTable.of(rows).where(pl.col(LABEL).is_not_null()).sample(MAX_ROWS).collect()
    churned = labelled[LABEL].to_numpy().astype(np.bool_)
    if churned.all() or not churned.any():
        return []
    compared = _balanced(churned, _random_order(labelled))
    outcome = churned[compared]
    names = [feature.name for feature in model.schema.features]
    at_once = max(1, ROWS_AT_ONCE // (REPEATS * len(compared)))
    importances: list[Importance] = []
    # Each call predicts few rows, so that more threads would only wait for each other.
    with threadpool_limits(1):
        (auc,) = _aucs(model, [labelled[compared]], outcome)
        for first in range(0, len(names), at_once):
            batch = names[first : first + at_once]
            shuffled = [table for name in batch for table in _shuffled(labelled, name, compared)]
            losses = auc - np.array(_aucs(model, shuffled, outcome)).reshape(len(batch), REPEATS)
            importances += map(_importance, batch, losses)
    return sorted(importances, key=lambda importance: (-importance.auc_loss, importance.feature))


def _importance(feature: str, losses: NDArray[np.float64]) -> Importance:
    summary = losses.mean(), losses.min(), losses.max()
    return Importance(feature, *(round(float(loss), DECIMALS) for loss in summary))


def _random_order(rows: pl.DataFrame) -> NDArray[np.int64]:
    """The numbers of the rows in a random order of characters, the same in every run."""
    if CHAR_ID not in rows.columns:
        return np.random.default_rng(0).permutation(len(rows))
    return np.argsort(hashes(rows[CHAR_ID]), kind="stable")


def _balanced(churned: NDArray[np.bool_], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Selects `MAX_COMPARED` rows with as many of each outcome as possible, the first in order."""
    kinds = [order[churned[order] == outcome] for outcome in (True, False)]
    rarer = min(*map(len, kinds), MAX_COMPARED // 2)
    return np.sort(np.concatenate([kind[: MAX_COMPARED - rarer] for kind in kinds]))


def _shuffled(rows: pl.DataFrame, name: str, compared: NDArray[np.int64]) -> Iterator[pl.DataFrame]:
    """Shuffles a feature among all rows, and yields the compared ones."""
    draws = np.random.default_rng(derive_seed(0, "importance", name))
    kept = rows[compared]
    for _ in range(REPEATS):
        yield kept.with_columns(rows[name][draws.permutation(len(rows))[compared]])


def _aucs(
    model: "FittedModel", tables: Sequence[pl.DataFrame], outcome: NDArray[np.bool_]
) -> list[float]:
    """The ROC AUC on each of several tables of the same subscriptions, predicted at once."""
    probabilities = predict(model, pl.concat(tables)).to_numpy()
    return [_auc(outcome, part) for part in np.split(probabilities, len(tables))]


def _auc(outcome: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> float:
    """The ROC AUC by ranks, with ties counted half; scikit-learn's checks would take longer."""
    churned = int(outcome.sum())
    ranks = pl.Series(probabilities).rank("average").to_numpy()[outcome].sum()
    wins = ranks - churned * (churned + 1) / 2
    return float(wins / (churned * (len(outcome) - churned)))
