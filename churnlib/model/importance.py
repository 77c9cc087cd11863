"""Permutation importance of a model's features."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import NormalDist
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
REACH = NormalDist().inv_cdf(0.975)
"""The half-width of a 95 % confidence interval in standard errors."""
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
        least: The lower end of its 95 % confidence interval, over characters and shuffles.
        most: The upper end; the interval of a feature without effect includes 0 in 95 % of cases.
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
    characters = _characters(labelled[compared])
    names = [feature.name for feature in model.schema.features]
    at_once = max(1, ROWS_AT_ONCE // (REPEATS * len(compared)))
    importances: list[Importance] = []
    # Each call predicts few rows, so that more threads would only wait for each other.
    with threadpool_limits(1):
        plain = _influences(model, [labelled[compared]], outcome)
        for first in range(0, len(names), at_once):
            batch = names[first : first + at_once]
            shuffled = [table for name in batch for table in _shuffled(labelled, name, compared)]
            losses = plain - _influences(model, shuffled, outcome)
            means = losses.reshape(len(batch), REPEATS, -1).mean(axis=1)
            importances += (
                _importance(*each, characters) for each in zip(batch, means, strict=True)
            )
    return sorted(importances, key=lambda importance: (-importance.auc_loss, importance.feature))


def _importance(
    feature: str, losses: NDArray[np.float64], characters: NDArray[np.int64]
) -> Importance:
    """The importance of a feature, from what each row adds to the loss of AUC.

    The standard error is that of DeLong et al., Biometrics 44 (1988), clustered by character.
    """
    loss, deviations = losses[0], np.bincount(characters, losses[1:])
    units = len(deviations)
    error = sqrt(float(deviations @ deviations) * units / max(units - 1, 1))
    ends = (float(loss) + half for half in (0.0, -REACH * error, REACH * error))
    return Importance(feature, *(round(end, DECIMALS) for end in ends))


def _characters(rows: pl.DataFrame) -> NDArray[np.int64]:
    """The number of the character of each row, from 0."""
    if CHAR_ID not in rows.columns:
        return np.arange(len(rows))
    return rows[CHAR_ID].rank("dense").to_numpy().astype(np.int64) - 1


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


def _influences(
    model: "FittedModel", tables: Sequence[pl.DataFrame], outcome: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The ROC AUC on tables of the same subscriptions, and how each row moves it; a row a table."""
    probabilities = predict(model, pl.concat(tables)).to_numpy()
    return np.array([_influence(outcome, part) for part in np.split(probabilities, len(tables))])


def _influence(
    outcome: NDArray[np.bool_], probabilities: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The ROC AUC by ranks, with ties counted half, and how each row moves it."""
    churned, stayed = int(outcome.sum()), int((~outcome).sum())
    ranks = _ranks(probabilities)
    wins = ranks[outcome].sum() - churned * (churned + 1) / 2
    auc = wins / (churned * stayed)
    influence = np.empty(1 + len(outcome))
    influence[0] = auc
    # The share of the rows with the other outcome that each row is ranked above, or below.
    above = (ranks[outcome] - _ranks(probabilities[outcome])) / stayed
    below = 1 - (ranks[~outcome] - _ranks(probabilities[~outcome])) / churned
    influence[1:][outcome] = (above - auc) / churned
    influence[1:][~outcome] = (below - auc) / stayed
    return influence


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, the mean of equal values; scikit-learn's checks would take longer."""
    return pl.Series(values).rank("average").to_numpy()
