"""Fitting of the configured pipeline: a model as tested, and one in use."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from churnlib.errors import DataError, ModelError, TooFewRowsError
from churnlib.model.baseline import fit_baseline
from churnlib.model.by_character import fit_by_character
from churnlib.model.calibration import (
    MOST_ROWS,
    calibrate,
    calibrated_alike,
    calibration_record,
    method_for,
    read_calibration_rows,
    split_off_calibration,
)
from churnlib.model.feature_schema import FeatureSchema, learn_schema
from churnlib.model.feature_table import FeatureTable
from churnlib.model.fitted_model import FittedModel
from churnlib.model.pipeline import build_pipeline, check_columns, most_categories
from churnlib.model.sample import learns_from_parts
from churnlib.model.threads import threads_for
from churnlib.model.weights import (
    Weights,
    check_takes_weights,
    uncontacted,
    weighted,
    weights_of,
)
from churnlib.schemas.columns import CHAR_ID, LABEL
from churnlib.schemas.validation import check_dates, check_labels, require
from churnlib.seeds import MAX_SEED, draw_seed
from churnlib.settings import TrainSettings


def fit(
    rows: pl.DataFrame | pl.LazyFrame | FeatureTable,
    settings: TrainSettings,
    seed: int | None = None,
    *,
    horizon_months: int | None = None,
) -> FittedModel:
    """Fits the configured pipeline, and calibrates it on the last months if it needs calibration.

    If subscriptions have a row for each month, folds and early stopping are by character, and no
    row is fitted to whose label became available only after the months of the calibration begin.

    Args:
        rows: A feature table with labels; rows without a label are left out.
        settings: Pipeline, choice of features, and calibration; `load_settings("game1").train`.
        seed: The seed of everything random, from 0 to 2**32 - 1; that of the settings if None.
            Where these have none either, one is drawn, logged and kept in the model's `seed`.
        horizon_months: Number of months from the day of a row to its label; needed to calibrate
            where subscriptions have a row for each month.

    Raises:
        TooFewRowsError: The rows have only one outcome, or too few rows to calibrate on.
        ModelError: The pipeline cannot be built, does not take these features, or divides rows at
            random where subscriptions have a row for each month.
        DataError: A column is missing, a label is neither 0 nor 1, or an argument is missing or of
            another type.
    """
    seed = _seed(settings.seed if seed is None else seed)
    known, labels = _labelled(rows, settings)
    rate = _base_rate(labels, weights_of(known, settings))
    with threads_for(len(labels)):
        return _fit(known, settings, seed, base_rate=rate, horizon_months=horizon_months)


def fit_in_use(
    rows: FeatureTable, settings: TrainSettings, seed: int, tested: FittedModel
) -> FittedModel:
    """Fits the model in use: the configured pipeline, on all rows, calibrated as the tested model.

    No months are split off to calibrate on: the probabilities of the pipeline are corrected in the
    same way as those of the model that was tested, whose settings are the same.

    Args:
        rows: The feature table with all known labels; rows without a label are left out.
        settings: See `TrainSettings`.
        seed: The seed of everything random.
        tested: The back-tested model.

    Raises:
        TooFewRowsError: The rows have only one outcome.
        ModelError: See `fit`.
    """
    known, labels = _labelled(rows, settings)
    with threads_for(len(labels)):
        pipeline = build_pipeline(settings.pipeline, seed)
        schema = _fit_pipeline(pipeline, known, settings, seed)
        baseline = fit_baseline(known, schema, is_weighted=settings.contacted == "weight")
    calibrated = calibrated_alike(pipeline, tested.pipeline)
    base_rate = _base_rate(labels, weights_of(known, settings))
    return FittedModel(calibrated, schema, tested.calibration, baseline, base_rate, seed)


def _base_rate(labels: pl.Series, weights: Weights | None) -> float:
    return float(np.average(labels.to_numpy(), weights=weights))


def _fit(
    known: FeatureTable,
    settings: TrainSettings,
    seed: int,
    *,
    base_rate: float,
    horizon_months: int | None,
) -> FittedModel:
    """Fits and calibrates the pipeline on rows that all have a label; see `fit`."""
    pipeline = build_pipeline(settings.pipeline, seed)
    method, is_weighted = method_for(pipeline, settings), settings.contacted == "weight"
    if method == "none":
        schema = _fit_pipeline(pipeline, known, settings, seed)
        baseline = fit_baseline(known, schema, is_weighted=is_weighted)
        return FittedModel(pipeline, schema, None, baseline, base_rate, seed)
    to_fit, to_calibrate = split_off_calibration(known, method, settings, horizon_months)
    schema = _fit_pipeline(pipeline, to_fit, settings, seed)
    most = MOST_ROWS if learns_from_parts(settings.pipeline) else None
    features, outcomes = read_calibration_rows(to_calibrate, schema, most)
    with _naming_steps(settings):
        weights = weights_of(to_calibrate, settings)
        calibrated = calibrate(pipeline, method, features, _outcome(outcomes[LABEL]), weights)
    baseline = fit_baseline(known, schema, is_weighted=is_weighted)
    record = calibration_record(outcomes, method)
    return FittedModel(calibrated, schema, record, baseline, base_rate, seed)


def _seed(seed: int | None) -> int:
    if seed is None:
        seed = draw_seed()
        logging.getLogger(__name__).info("seed %s (drawn)", seed)
    if not 0 <= seed <= MAX_SEED:
        raise DataError(f"seed must be between 0 and {MAX_SEED}; it is {seed}.")
    return seed


def _labelled(
    rows: pl.DataFrame | pl.LazyFrame | FeatureTable, settings: TrainSettings
) -> tuple[FeatureTable, pl.Series]:
    """The rows with a label that a model may learn from, and these; both outcomes occur."""
    table = FeatureTable.of(rows)
    columns = table.table.collect_schema()
    require(columns, (LABEL, table.day), "the training rows")
    check_dates(columns, table.day)
    known = uncontacted(table.where(pl.col(LABEL).is_not_null()), settings)
    labels = known.columns(LABEL)[LABEL]
    check_labels(labels)
    if labels.n_unique() < 2:
        churned = int(labels.sum())
        change = "shorten" if churned else "lengthen"
        raise TooFewRowsError(
            f"a model cannot be fitted to one outcome: {len(labels):,} labelled rows, {churned:,} "
            f"of them churned. Both outcomes are needed: widen windows.train, or {change} "
            "horizon_months."
        )
    return known, labels


def _fit_pipeline(
    pipeline: Pipeline, known: FeatureTable, settings: TrainSettings, seed: int
) -> FeatureSchema:
    """Fits a pipeline in place to rows that all have a label; returns the columns that it takes."""
    check_takes_weights(pipeline, settings)
    most = most_categories(pipeline, settings.max_categories)
    schema = learn_schema(known, settings.features, most)
    check_columns(pipeline, [feature.name for feature in schema.features])
    with _naming_steps(settings) as steps:
        if learns_from_parts(settings.pipeline):
            pipeline[0].fit_parts(known, schema)
        else:
            # Only the model's columns of each part are kept, so the table is in memory only once.
            features = pl.concat(map(schema.apply, known))
            outcome = _outcome(known.columns(LABEL)[LABEL])
            weights = weights_of(known, settings)
            if known.is_monthly:
                characters = known.columns(CHAR_ID)[CHAR_ID]
                fit_by_character(pipeline, features, outcome, characters, seed, weights)
            else:
                pipeline.fit(features, outcome, **weighted(pipeline, weights))
    if not hasattr(pipeline, "predict_proba"):
        raise ModelError(
            f"train.pipeline: {steps} gives no probabilities with these parameters. "
            "Set them so that the last step has predict_proba."
        )
    return schema


@contextmanager
def _naming_steps(settings: TrainSettings) -> Iterator[str]:
    """Names the steps in the message if one of them fails."""
    steps = " > ".join(step.type.rpartition(".")[2] for step in settings.pipeline)
    try:
        yield steps
    except ModelError:
        raise
    except Exception as error:  # The steps are the user's choice, and each fails in its own way.
        what = str(error) or type(error).__name__
        raise ModelError(f"train.pipeline: {steps} cannot be fitted: {what}") from error


def _outcome(labels: pl.Series) -> NDArray[np.int64]:
    return labels.to_numpy().astype(np.int64)
