"""Applying a model to feature tables."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from churnlib.errors import ModelError, reason
from churnlib.model.feature_schema import FeatureSchema
from churnlib.model.feature_table import FeatureTable
from churnlib.model.threads import one_thread
from churnlib.schemas.columns import BASELINE, KEYS, LABEL, PROBABILITY
from churnlib.schemas.validation import collected

if TYPE_CHECKING:
    from churnlib.model.fitted_model import Fitted

SCORED_COLUMNS = (*KEYS, "is_first_sub", "currency_age_months", LABEL, PROBABILITY, BASELINE)
"""What evaluation needs to know of a row."""


def predict(
    pipeline: "Fitted", schema: FeatureSchema, rows: pl.DataFrame | pl.LazyFrame
) -> pl.Series:
    """Predicts the churn probability of each row of a feature table.

    Args:
        pipeline: The fitted estimators.
        schema: The columns that they take.
        rows: The feature table.

    Returns:
        `churn_probability` between 0 and 1, in the order of `rows`.

    Raises:
        ModelError: See `FeatureSchema.apply`; or the model fails, or gives something else.
        DataError: The rows are no frame.
    """
    rows = collected(rows, "a feature table")
    if rows.is_empty():
        return pl.Series(PROBABILITY, [], pl.Float64)
    given = schema.apply(rows)
    try:
        with one_thread():
            found = pipeline.predict_proba(given)[:, 1]
    except Exception as error:  # The steps are the user's choice, and each fails in its own way.
        raise ModelError(
            f"the model cannot predict these rows: {type(error).__name__}: {reason(error)}."
        ) from error
    probabilities = pl.Series(PROBABILITY, found, pl.Float64)
    if not probabilities.is_between(0, 1).all():
        raise ModelError("the model gives what is no probability between 0 and 1.")
    return probabilities


@dataclass(frozen=True)
class Scored:
    """What is kept of rows that were predicted.

    Attributes:
        rows: Those of `SCORED_COLUMNS` that there are, in the order in which the rows came.
        unknown: How many rows have a category not met in training, by column.
    """

    rows: pl.DataFrame
    unknown: Mapping[str, int]


def predict_in_parts(
    pipeline: "Fitted",
    schema: FeatureSchema,
    rows: pl.DataFrame | FeatureTable,
    *,
    baseline: "Fitted | None" = None,
    also: Sequence[str] = (),
) -> Scored:
    """Predicts part after part, and keeps of each only what evaluation and ranking need.

    The probabilities are those of `predict` to the bit, whatever the size of the parts; of linear
    models where that is a multiple of 16, because BLAS sums the rows at the end otherwise.

    Args:
        pipeline: The fitted estimators.
        schema: The columns that they take.
        rows: The feature table.
        baseline: What else to predict by, if there is anything; see `churnlib.model.baseline`.
        also: Other columns to keep.

    Raises:
        ModelError: See `predict`.
    """
    wanted = dict.fromkeys((*SCORED_COLUMNS, *also))
    kept: list[pl.DataFrame] = []
    unknown: Counter[str] = Counter()
    for part in FeatureTable.of(rows):
        said = [predict(pipeline, schema, part)]
        if baseline is not None:
            said.append(predict(baseline, schema, part).alias(BASELINE))
        given = part.with_columns(said)
        kept.append(given.select(name for name in wanted if name in given.columns))
        unknown.update(schema.unknown_categories(part))
    return Scored(pl.concat(kept), unknown)


def rank_by_risk(batch: pl.DataFrame, version: str) -> pl.DataFrame:
    """Makes predictions of a scored batch.

    Args:
        batch: A row a subscription, with keys and `churn_probability`.
        version: The model that gave the probabilities.

    Returns:
        The table `predictions` of `churnlib.schemas.outputs`, likeliest to churn first; equal
        probabilities are ranked by `sub_id`.
    """
    return (
        batch.select(*KEYS, PROBABILITY, _baseline_of(batch))
        .sort(PROBABILITY, "sub_id", descending=[True, False])
        .with_row_index("risk_rank", offset=1)
        .select(
            *KEYS,
            PROBABILITY,
            pl.col("risk_rank").cast(pl.UInt32),
            pl.lit(version).alias("model_version"),
            BASELINE,
        )
    )


def _baseline_of(batch: pl.DataFrame) -> pl.Expr:
    """The baseline's probabilities; null where the model has none beside it."""
    return (
        pl.col(BASELINE) if BASELINE in batch.columns else pl.lit(None, pl.Float64).alias(BASELINE)
    )
