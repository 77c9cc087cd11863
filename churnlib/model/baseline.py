"""The baseline: a logistic regression that the configured model should beat."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from churnlib.model.columns import OfKind
from churnlib.model.feature_schema import FeatureSchema
from churnlib.model.feature_table import FeatureTable
from churnlib.model.weights import weighted
from churnlib.schemas.columns import CAMPAIGN_WEIGHT, LABEL

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MOST_ROWS = 100_000
"""More rows hardly change the coefficients."""


def fit_baseline(
    rows: FeatureTable, schema: FeatureSchema, *, is_weighted: bool = False
) -> "Pipeline | None":
    """Fits a logistic regression to the features of a model.

    Numbers are scaled to ranks (`churnlib.model.ranks.RankScaler`), so that extreme values do no
    harm; nulls are replaced by the median and marked by an indicator column; categories are one-hot
    encoded, and a category that training did not see is all zeros.

    Args:
        rows: A feature table in which all rows have a label and both outcomes occur.
        schema: The features.
        is_weighted: Whether rows count by their `campaign_weight`.

    Returns:
        The fitted pipeline; None if it cannot be fitted, for example to infinite numbers, so that
        the model is trained all the same.
    """
    from threadpoolctl import threadpool_limits

    parts: list[pl.DataFrame] = []
    labels: list[pl.Series] = []
    weights: list[pl.Series] = []
    for part in rows.sample(MOST_ROWS):
        parts.append(schema.apply(part))
        labels.append(part[LABEL])
        if is_weighted:
            weights.append(part[CAMPAIGN_WEIGHT])
    features, outcome = pl.concat(parts), pl.concat(labels).to_numpy().astype(np.int64)
    pipeline = _pipeline()
    weight = weighted(pipeline, pl.concat(weights).to_numpy() if weights else None)
    try:
        with threadpool_limits(1, "blas"):  # Sums over threads would differ in their last bits.
            pipeline.fit(features, outcome, **weight)
    except ValueError:
        return None
    return pipeline


def _pipeline() -> "Pipeline":
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from churnlib.model.ranks import RankScaler

    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    numbers = Pipeline([("rank", RankScaler()), ("fill", imputer), ("scale", StandardScaler())])
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=20, max_categories=100
    )
    preprocessing = ColumnTransformer(
        [("numbers", numbers, OfKind("number")), ("categories", encoder, OfKind("category"))]
    )
    return Pipeline([("prepare", preprocessing), ("model", LogisticRegression(max_iter=500))])
