"""A plain model beside the configured one: whatever cannot beat it is not worth its keep."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from churnlib.model.columns import OfKind
from churnlib.model.feature_schema import FeatureSchema
from churnlib.model.feature_table import FeatureTable
from churnlib.schemas.columns import LABEL

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MOST_ROWS = 100_000
"""More rows make no other coefficients; the first are those of characters drawn by their hash."""


def fit_baseline(rows: FeatureTable, schema: FeatureSchema) -> "Pipeline | None":
    """Fits a logistic regression on the features of a model.

    Numbers are put on one scale, nulls filled by the median and told apart, and categories become
    a column for each value; one not met in training has none.

    Args:
        rows: A feature table, all of whose rows have labels; both outcomes occur.
        schema: The features.

    Returns:
        Null where the features cannot be fitted so, such as infinite numbers: the baseline is no
        reason to go without the model.
    """
    from threadpoolctl import threadpool_limits

    parts: list[pl.DataFrame] = []
    labels: list[pl.Series] = []
    room = MOST_ROWS
    for part in rows:
        parts.append(schema.apply(part.head(room)))
        labels.append(part[LABEL].head(room))
        room -= len(parts[-1])
        if room <= 0:
            break
    given, outcome = pl.concat(parts), pl.concat(labels).to_numpy().astype(np.int64)
    pipeline = _pipeline()
    try:
        with threadpool_limits(1, "blas"):  # Sums over threads would differ in their last bits.
            pipeline.fit(given, outcome)
    except ValueError:
        return None
    return pipeline


def _pipeline() -> "Pipeline":
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    filled = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    numbers = Pipeline([("fill", filled), ("scale", StandardScaler())])
    values = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=20, max_categories=100
    )
    prepared = ColumnTransformer(
        [("numbers", numbers, OfKind("number")), ("categories", values, OfKind("category"))]
    )
    return Pipeline([("prepare", prepared), ("model", LogisticRegression(max_iter=500))])
