"""Fitting: a model to validate the configuration, and the one to keep."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from churnlib.errors import ModelError, TooFewRowsError
from churnlib.model.baseline import fit_baseline
from churnlib.model.calibration import (
    MOST_ROWS,
    Calibration,
    calibrate,
    describe,
    gather,
    method_for,
    set_apart,
)
from churnlib.model.feature_schema import FeatureSchema, learn_schema
from churnlib.model.feature_table import FeatureTable
from churnlib.model.fitted_model import FittedModel
from churnlib.model.importance import Importance, permutation_importance
from churnlib.model.pipeline import build_pipeline, check_columns
from churnlib.model.predict import predict_in_parts
from churnlib.model.sample import learns_from_parts
from churnlib.months import first_day, shift_months
from churnlib.schemas.columns import LABEL
from churnlib.schemas.validation import check_dates, check_labels, require
from churnlib.settings import TrainSettings

Slice = Literal["in_sample", "validation"]


@dataclass(frozen=True)
class Training:
    """What training gives.

    Attributes:
        model: The model to keep.
        scored: The training window's rows, with `SCORED_COLUMNS` of `churnlib.model.predict` and
            `slice`: `in_sample` by the kept model on what it was fitted on, `validation` by a
            model that was fitted on the months before.
        base_rates: The share of churners among the rows that the model of each slice learnt from.
        warning: Why the figures of the validation flatter; null where they do not.
        validated: The calibration of the model that was validated; null where there is none.
        importance: What the features are to the model that was validated, on the months that it
            was validated on; of the kept model nothing would be told but how it fits its own rows.
    """

    model: FittedModel
    scored: pl.DataFrame
    base_rates: Mapping[Slice, float | None]
    warning: str | None = None
    validated: Calibration | None = None
    importance: tuple[Importance, ...] = ()

    @property
    def calibrations(self) -> dict[str, dict[str, Any] | None]:
        """What the `kept` and the `validated` model were calibrated on, as plain data."""
        both = {"kept": self.model.calibration, "validated": self.validated}
        return {name: used.to_json() if used else None for name, used in both.items()}


def fit(
    rows: pl.DataFrame | pl.LazyFrame | FeatureTable, settings: TrainSettings, seed: int
) -> FittedModel:
    """Fits the configured pipeline, and calibrates it on the last months where it needs that.

    Args:
        rows: A feature table with labels; rows without one are left out.
        settings: Pipeline, choice of features, and calibration.
        seed: Where randomness begins.

    Raises:
        TooFewRowsError: Only one class is there to learn from, or too little to calibrate on.
        ModelError: The pipeline cannot be built or does not take these features.
        DataError: A column is missing, or a label is neither 0 nor 1.
    """
    rows = FeatureTable.of(rows)
    columns = rows.table.collect_schema()
    require(columns, (LABEL, "sub_start_date"), "the rows to learn from")
    check_dates(columns, "sub_start_date")
    known = rows.where(pl.col(LABEL).is_not_null())
    labels = known.columns(LABEL)[LABEL]
    check_labels(labels)
    if labels.n_unique() < 2:
        counts = f"{len(labels):,} labelled rows, {int(labels.sum()):,} of them churned"
        raise TooFewRowsError(
            f"there is nothing to learn from: {counts}. Both outcomes are needed: "
            "widen windows.train, or shorten horizon_months."
        )
    pipeline = build_pipeline(settings.pipeline, seed)
    method = method_for(pipeline, settings)
    base_rate = int(labels.sum()) / len(labels)
    if method == "none":
        schema = _fit(pipeline, known, settings)
        return FittedModel(pipeline, schema, None, fit_baseline(known, schema), base_rate)
    learnt, apart = set_apart(known, method, settings)
    schema = _fit(pipeline, learnt, settings)
    most = MOST_ROWS if learns_from_parts(settings.pipeline) else None
    given, facts = gather(apart, schema, most)
    with _naming_steps(settings):
        calibrated = calibrate(pipeline, method, given, _outcome(facts[LABEL]))
    baseline = fit_baseline(known, schema)
    return FittedModel(calibrated, schema, describe(facts, method), baseline, base_rate)


def _fit(pipeline: Pipeline, known: FeatureTable, settings: TrainSettings) -> FeatureSchema:
    """Fits a pipeline in place to rows that all have a label; gives the columns that it takes."""
    schema = learn_schema(known, settings.features)
    check_columns(pipeline, [feature.name for feature in schema.features])
    with _naming_steps(settings) as steps:
        if learns_from_parts(settings.pipeline):
            pipeline[0].fit_parts(known, schema)
        else:
            # Of each part only the model's columns are kept, so the table is there only once.
            given = pl.concat(map(schema.apply, known))
            pipeline.fit(given, _outcome(known.columns(LABEL)[LABEL]))
    if not hasattr(pipeline, "predict_proba"):
        raise ModelError(
            f"train.pipeline: {steps} gives no probabilities with these parameters. "
            "Set them so that the last step has predict_proba."
        )
    return schema


@contextmanager
def _naming_steps(settings: TrainSettings) -> Iterator[str]:
    """Names the steps where one of them fails."""
    steps = " > ".join(step.type.rpartition(".")[2] for step in settings.pipeline)
    try:
        yield steps
    except Exception as error:  # The steps are the user's choice, and each fails in its own way.
        what = str(error) or type(error).__name__
        raise ModelError(f"train.pipeline: {steps} cannot be fitted: {what}") from error


def _outcome(labels: pl.Series) -> NDArray[np.int64]:
    return labels.to_numpy().astype(np.int64)


def train(
    rows: pl.DataFrame | FeatureTable,
    settings: TrainSettings,
    window_end: date,
    seed: int,
    *,
    horizon_months: int,
) -> Training:
    """Validates the configured model on the last months of the window, then fits the one to keep.

    The validated model learns, as one in use does, only from labels that were known when the months
    that it is validated on begin; where these are too few, from all months before, with a warning.

    Args:
        rows: The feature table of the training window; rows without a label are left out of
            fitting.
        settings: See `TrainSettings`.
        window_end: The last day of the training window.
        seed: Where randomness begins.
        horizon_months: How many months after its start the label of a subscription is known.

    Raises:
        TooFewRowsError: A slice of the window is empty, or has only one class.
        ModelError: See `fit`.
    """
    rows = FeatureTable.of(rows)
    opens = shift_months(first_day(window_end), 1 - settings.validation_months)
    early = rows.where(pl.col("sub_start_date") < opens)
    late = rows.where(pl.col("sub_start_date") >= opens)
    counts = [part.columns(LABEL)[LABEL].count() for part in (early, late)]
    if 0 in counts:
        raise TooFewRowsError(
            f"train.validation_months = {settings.validation_months} leaves {counts[0]:,} rows to "
            f"fit on before {opens} and {counts[1]:,} to validate on from then. "
            "Change it, or windows.train."
        )
    learnt, warning = _known_when(opens, early, horizon_months)
    validated = fit(learnt, settings, seed)
    kept = fit(rows, settings, seed) if settings.refit else validated
    in_sample = _scored(kept, rows if settings.refit else learnt, "in_sample")
    scored = pl.concat([in_sample, _scored(validated, late, "validation")])
    rates: dict[Slice, float | None] = {
        "in_sample": kept.base_rate,
        "validation": validated.base_rate,
    }
    importance = tuple(permutation_importance(validated, late))
    return Training(kept, scored, rates, warning, validated.calibration, importance)


def _known_when(
    opens: date, early: FeatureTable, horizon_months: int
) -> tuple[FeatureTable, str | None]:
    """The rows before a day whose labels were known on it; all, with a warning, if too few."""
    known = early.where(pl.col("sub_start_date") < shift_months(opens, 1 - horizon_months))
    labels, all_labels = (part.columns(LABEL)[LABEL].drop_nulls() for part in (known, early))
    if labels.n_unique() == 2 and 2 * len(labels) >= len(all_labels):
        return known, None
    return early, (
        f"validation: of {len(all_labels):,} earlier labels only {len(labels):,} were known when "
        f"it opens on {opens}, too few to learn from; its model learnt from all, so its figures "
        "flatter"
    )


def _scored(model: FittedModel, rows: FeatureTable, part: Slice) -> pl.DataFrame:
    scored = predict_in_parts(model.pipeline, model.schema, rows, baseline=model.baseline)
    return scored.rows.with_columns(slice=pl.lit(part))
