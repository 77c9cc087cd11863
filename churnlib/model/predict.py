"""Predictions of a model for the rows of a feature table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from churnlib.argument_checks import check_type
from churnlib.errors import ModelError, reason
from churnlib.model.feature_schema import FeatureSchema
from churnlib.model.feature_table import FeatureTable
from churnlib.model.threads import one_thread, threads_for
from churnlib.raw.shortfall import LEVEL, MIN_DISPERSION, probability_of_at_most
from churnlib.schemas.columns import (
    BASELINE,
    DAY,
    KEYS,
    LABEL,
    PROBABILITY,
    SEGMENTS_BY_MONTH,
    SUB_ID,
)
from churnlib.schemas.validation import as_frame

if TYPE_CHECKING:
    from churnlib.model.fitted_model import Fitted, FittedModel

SCORED_COLUMNS = (*KEYS, "is_first_sub", "currency_age_months", LABEL, PROBABILITY, BASELINE)
"""The columns that evaluation needs."""


def predict(model: "FittedModel", rows: pl.DataFrame | pl.LazyFrame) -> pl.Series:
    """Predicts the churn probability of each row of a feature table.

    Args:
        model: A model from `churnlib.fit` or `churnlib.load_model`.
        rows: The feature table; columns that the model does not take are ignored.

    Returns:
        `churn_probability` between 0 and 1, in the order of `rows`.

    Raises:
        ModelError: A column is missing or of another kind, or the model fails.
        DataError: An argument is of another type.
    """
    from churnlib.model.fitted_model import FittedModel

    check_type(model, FittedModel, "predict: model")
    return predict_by(model.pipeline, model.schema, as_frame(rows, "the feature table"))


def predict_by(pipeline: "Fitted", schema: FeatureSchema, rows: pl.DataFrame) -> pl.Series:
    """Predicts by fitted estimators; see `predict`.

    Args:
        pipeline: The estimators.
        schema: The columns that they take.
        rows: The feature table.
    """
    if rows.is_empty():
        return pl.Series(PROBABILITY, [], pl.Float64)
    features = schema.apply(rows)
    try:
        with one_thread(), threads_for(len(rows)):
            churned = pipeline.predict_proba(features)[:, 1]
    except MemoryError:  # It says nothing about the model.
        raise
    except Exception as error:  # The steps are the user's choice, and each fails in its own way.
        raise ModelError(
            f"the model cannot predict these rows: {type(error).__name__}: {reason(error)}."
        ) from error
    probabilities = pl.Series(PROBABILITY, churned, pl.Float64)
    if not probabilities.is_between(0, 1).all():
        raise ModelError("the model returns values that are not probabilities between 0 and 1.")
    return probabilities


@dataclass(frozen=True)
class Scored:
    """Rows with predictions.

    Attributes:
        rows: Those of `SCORED_COLUMNS` and `SEGMENTS_BY_MONTH` that exist, in the order of the
            feature table.
        unknown: Number of rows with a category that training did not see, by column; without
            columns in which training pooled rare ones.
        rare: Number of rows with a category that training pooled or did not see, by column, where
            there are unusually many; see `churnlib.model.pooling`.
        beyond: Number of rows with a number below or above all of training, by column.
        respelled: A category that training kept in another spelling, and that one, by column.
        unfilled: Number of rows with a value, and that to be expected from training, by column,
            where there are far fewer.
    """

    rows: pl.DataFrame
    unknown: Mapping[str, int]
    rare: Mapping[str, int] = field(default_factory=dict)
    beyond: Mapping[str, int] = field(default_factory=dict)
    respelled: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    unfilled: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def predict_in_parts(
    model: "FittedModel",
    rows: pl.DataFrame | FeatureTable,
    *,
    baseline: bool = True,
    also: Sequence[str] = (),
) -> Scored:
    """Predicts part by part, and keeps only the columns that evaluation and ranking need.

    The probabilities equal those of `predict` to the bit, with parts of any size; those of
    linear models if that is a multiple of 16, because BLAS sums the last rows in another order.

    Args:
        model: The model.
        rows: The feature table.
        baseline: Whether to predict by the model's baseline too, if it has one.
        also: Other columns to keep.

    Raises:
        ModelError: See `predict`.
    """
    wanted = dict.fromkeys((*SCORED_COLUMNS, *SEGMENTS_BY_MONTH, *also))
    kept: list[pl.DataFrame] = []
    unknown: Counter[str] = Counter()
    beyond: Counter[str] = Counter()
    known: Counter[str] = Counter()
    respelled: dict[str, tuple[str, str]] = {}
    for part in FeatureTable.of(rows):
        predictions = [predict_by(model.pipeline, model.schema, part)]
        if baseline and model.baseline is not None:
            predictions.append(predict_by(model.baseline, model.schema, part).alias(BASELINE))
        predicted = part.with_columns(predictions)
        kept.append(predicted.select(name for name in wanted if name in predicted.columns))
        unknown.update(model.schema.unknown_categories(part))
        beyond.update(model.schema.beyond_training(part))
        known.update(model.schema.known_values(part))
        respelled = model.schema.respelled_categories(part) | respelled
    scored = pl.concat(kept)
    pooled = {feature.name: feature.pooled for feature in model.schema.features if feature.pooled}
    return Scored(
        rows=scored,
        unknown={name: count for name, count in unknown.items() if name not in pooled},
        rare={
            name: unknown[name]
            for name, rest in pooled.items()
            if not rest.is_usual(unknown[name], len(scored))
        },
        beyond=beyond,
        respelled=respelled,
        unfilled=_unfilled(model.schema, known, len(scored)),
    )


def _unfilled(
    schema: FeatureSchema, known: Mapping[str, int], rows: int
) -> dict[str, tuple[int, int]]:
    """The columns with less than half of the values that training had, not by chance."""
    expected = {f.name: f.known * rows for f in schema.features if f.known}
    return {
        name: (known[name], round(number))
        for name, number in expected.items()
        if known[name] < number / 2
        and probability_of_at_most(known[name], number, MIN_DISPERSION) < LEVEL
    }


def rank_by_risk(batch: pl.DataFrame, version: str) -> pl.DataFrame:
    """Ranks a batch by churn probability.

    Args:
        batch: A row per subscription and day, with keys and `churn_probability`, null if it has
            none.
        version: The model version that predicted it.

    Returns:
        The table `predictions` of `churnlib.schemas.outputs`, with the highest probability first;
        equal probabilities are ranked by `sub_id` and day. Rows without one are last, and have no
        rank.
    """
    return (
        batch.select(*KEYS, PROBABILITY, _baseline_of(batch))
        .sort(PROBABILITY, SUB_ID, DAY, descending=[True, False, False], nulls_last=True)
        .with_row_index("risk_rank", offset=1)
        .select(
            *KEYS,
            PROBABILITY,
            pl.when(pl.col(PROBABILITY).is_not_null()).then(pl.col("risk_rank").cast(pl.UInt32)),
            pl.lit(version).alias("model_version"),
            BASELINE,
        )
    )


def _baseline_of(batch: pl.DataFrame) -> pl.Expr:
    """The baseline's probabilities; null if the model has no baseline."""
    return (
        pl.col(BASELINE) if BASELINE in batch.columns else pl.lit(None, pl.Float64).alias(BASELINE)
    )
