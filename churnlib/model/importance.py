"""How much a model leans on each of its features: by what it loses when one says nothing."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churnlib.features.labels import LABEL
from churnlib.model.predict import predict
from churnlib.seeds import derive_seed

if TYPE_CHECKING:
    from churnlib.model.rows import Rows
    from churnlib.model.train import FittedModel

MAX_ROWS = 5_000
"""More rows change the order of the features that matter no more, but take their time."""
REPEATS = 5


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


def permutation_importance(model: "FittedModel", rows: "pl.DataFrame | Rows") -> list[Importance]:
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
    known = _first_known(rows)
    outcome = known[LABEL].to_numpy().astype(np.bool_)
    if outcome.all() or not outcome.any():
        return []
    whole = _auc(model, known, outcome)
    found = []
    for feature in model.schema.features:
        losses = [whole - _auc(model, s, outcome) for s in _shuffled(known, feature.name)]
        found.append(Importance(feature.name, float(np.mean(losses)), min(losses), max(losses)))
    return sorted(found, key=lambda importance: (-importance.auc_loss, importance.feature))


def _first_known(rows: "pl.DataFrame | Rows") -> pl.DataFrame:
    from churnlib.model.rows import Rows

    parts: list[pl.DataFrame] = []
    missing = MAX_ROWS
    for part in Rows.of(rows).where(pl.col(LABEL).is_not_null()):
        parts.append(part.head(missing))
        missing -= len(parts[-1])
        if not missing:
            break
    return pl.concat(parts)


def _shuffled(rows: pl.DataFrame, name: str) -> Iterator[pl.DataFrame]:
    draws = np.random.default_rng(derive_seed(0, "importance", name))
    for _ in range(REPEATS):
        yield rows.with_columns(rows[name][draws.permutation(len(rows))])


def _auc(model: "FittedModel", rows: pl.DataFrame, outcome: NDArray[np.bool_]) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(outcome, predict(model.pipeline, model.schema, rows).to_numpy()))
