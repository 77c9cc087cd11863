"""Calibration of probabilities on later months than those that the model was fitted on."""

from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from churnlib.errors import DataError, TooFewRowsError
from churnlib.model.feature_schema import FeatureSchema
from churnlib.model.feature_table import FeatureTable
from churnlib.model.fitted_model import Calibration, Fitted, Method
from churnlib.model.threads import one_thread
from churnlib.model.weights import Weights
from churnlib.months import first_day, shift_months
from churnlib.schemas.columns import DAY, LABEL, SUB_ID
from churnlib.schemas.validation import first_and_last
from churnlib.settings import TrainSettings, rows_in

UNCALIBRATED = (
    "AdaBoostClassifier",
    "BaggingClassifier",
    "BernoulliNB",
    "CategoricalNB",
    "ComplementNB",
    "DecisionTreeClassifier",
    "ExtraTreeClassifier",
    "ExtraTreesClassifier",
    "GaussianNB",
    "KNeighborsClassifier",
    "MultinomialNB",
    "QuadraticDiscriminantAnalysis",
    "RadiusNeighborsClassifier",
    "RandomForestClassifier",
)
"""Models with uncalibrated probabilities: votes, shares of a leaf, products of dependent factors.
Models that maximise a likelihood, such as boosting and logistic regression, are calibrated."""
CALIBRATES_ITSELF = ("CalibratedClassifierCV", "StackingClassifier")
"""Models that fit a last step of their own on the probabilities of their estimators."""
ROWS_PER_OUTCOME = 10
"""With fewer churned subscriptions, or fewer others, probabilities cannot be calibrated."""
MOST_ROWS = 2**18
"""Approximate number of rows to calibrate on, if the model is fitted to more than memory holds."""
FOLDS = 5
"""Number of parts in which scikit-learn predicts with the frozen model."""


def method_for(pipeline: Pipeline, settings: TrainSettings) -> Method:
    """Decides how to calibrate a pipeline, by the settings or by its model.

    Args:
        pipeline: The pipeline from `churnlib.model.pipeline.build_pipeline`.
        settings: The setting `calibration` counts.
    """
    if settings.calibration != "auto":
        return settings.calibration
    return "isotonic" if _is_uncalibrated(pipeline.steps[-1][1]) else "none"


def _is_uncalibrated(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_is_uncalibrated, value))
    if not isinstance(value, BaseEstimator):
        return False
    params, name = value.get_params(deep=False), type(value).__name__
    if name in CALIBRATES_ITSELF:
        return _is_uncalibrated(params.get("final_estimator"))
    # Class weights shift all probabilities.
    if name in UNCALIBRATED or params.get("class_weight") is not None:
        return True
    return any(map(_is_uncalibrated, params.values()))


def split_off_calibration(
    known: FeatureTable,
    method: Method,
    settings: TrainSettings,
    horizon_months: int | None = None,
) -> tuple[FeatureTable, FeatureTable]:
    """Splits off the last months, to calibrate on.

    If subscriptions have a row for each month, those rows are left out whose label was not
    available when these months began, because the same churn would be in the labels of both sides.
    With a row a subscription none is: a character with two has rows of its own on both sides, which
    are few.

    Args:
        known: The training rows, all with a label.
        method: The method of calibration, for the message.
        settings: The setting `calibration_months` counts; the last of these months is the month of
            the latest day.
        horizon_months: Number of months from the day of a row to its label; None if it is not
            known.

    Returns:
        The earlier rows, to fit on, and the later rows, to calibrate on.

    Raises:
        DataError: Subscriptions have a row for each month, and the horizon is not known.
        TooFewRowsError: An outcome is missing in the former, or too rare in the latter.
    """
    day = known.day
    _, last = first_and_last(known.columns(day)[day])
    opens = shift_months(first_day(last), 1 - settings.calibration_months)
    gap, since = "", "then"
    end = opens
    if known.is_monthly:
        if horizon_months is None:
            raise DataError(
                "to calibrate where subscriptions have a row for each month, horizon_months is "
                "needed: pass horizon_months = settings.horizon_months."
            )
        end = shift_months(opens, 1 - horizon_months)
        gap = f" (horizon_months = {horizon_months} before {opens})"
        since = f"{opens}"
    before = known.where(pl.col(day) < end)
    after = known.where(pl.col(day) >= opens)
    counts = [_outcomes(rows) for rows in (before, after)]
    if min(counts[0]) < 1 or min(counts[1]) < ROWS_PER_OUTCOME:
        what = "subscriptions" if known.is_monthly else "rows"
        texts = [f"{stayed + churned:,} {what} ({churned:,} churned)" for stayed, churned in counts]
        raise TooFewRowsError(
            f"{method} calibration (train.calibration = {settings.calibration!r}) with "
            f"train.calibration_months = {settings.calibration_months} leaves {texts[0]} to fit on "
            f"before {end}{gap} and {texts[1]} to calibrate on from {since}. Both outcomes are "
            f"needed, {ROWS_PER_OUTCOME} of each to calibrate on: change it, widen windows.train, "
            'or set train.calibration = "none".'
        )
    return before, after


def _outcomes(rows: FeatureTable) -> tuple[int, int]:
    """The numbers of subscriptions that did not churn and that did, however many rows they have."""
    labels = rows.columns(LABEL)[LABEL]
    if rows.is_monthly:
        labels = rows.columns(SUB_ID, LABEL).group_by(SUB_ID).agg(pl.col(LABEL).max())[LABEL]
    churned = int(labels.sum())
    return len(labels) - churned, churned


def read_calibration_rows(
    rows: FeatureTable, schema: FeatureSchema, most: int | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Reads the rows to calibrate on.

    Args:
        rows: The rows.
        schema: The columns that the model takes.
        most: The most rows to read, of a random sample of characters; all if None.

    Returns:
        The features of the rows, and their `day` and `sub_churn`.
    """
    features: list[pl.DataFrame] = []
    outcomes: list[pl.DataFrame] = []
    for part in rows.sample(most) if most else rows:
        features.append(schema.apply(part))
        outcomes.append(part.select(pl.col(rows.day).alias(DAY), LABEL))
    return pl.concat(features), pl.concat(outcomes)


def calibrate(
    pipeline: Pipeline,
    method: Method,
    features: pl.DataFrame,
    outcome: NDArray[np.int64],
    weights: Weights | None = None,
) -> CalibratedClassifierCV:
    """Calibrates the probabilities of a fitted pipeline, which itself stays unchanged.

    Args:
        pipeline: The fitted estimators.
        method: `sigmoid` or `isotonic`.
        features: The features of rows that the pipeline was not fitted on.
        outcome: Whether each churned.
        weights: The weight of each row; None if all are equal.
    """
    calibrated = CalibratedClassifierCV(FrozenEstimator(pipeline), method=method, cv=FOLDS)
    with one_thread():
        return calibrated.fit(features, outcome, sample_weight=weights)


def calibrated_alike(pipeline: Pipeline, tested: Fitted) -> Fitted:
    """Calibrates a fitted pipeline as another one of the same settings is, without any rows.

    Args:
        pipeline: The fitted estimators.
        tested: The other pipeline, which may be calibrated or not; it stays unchanged.

    Returns:
        The pipeline, within the calibration of the other one if there is any.
    """
    if isinstance(tested, Pipeline):
        return pipeline
    calibrated = copy(tested)
    calibrated.estimator = FrozenEstimator(pipeline)
    for name in ("n_features_in_", "feature_names_in_"):  # Those of the other pipeline.
        vars(calibrated).pop(name, None)
    parts = [copy(part) for part in tested.calibrated_classifiers_]
    for part in parts:
        part.estimator = calibrated.estimator
    calibrated.calibrated_classifiers_ = parts
    return calibrated


def calibration_record(rows: pl.DataFrame, method: Method) -> Calibration:
    """Records the rows that a model was calibrated on, by `day` and `sub_churn`."""
    start, end = first_and_last(rows[DAY])
    return Calibration(method, start, end, rows=len(rows), churned=int(rows[LABEL].sum()))


def describe_calibration(used: dict[str, Any] | None, settings: Mapping[str, Any]) -> str:
    """Describes the calibration in a manifest, with the settings there.

    >>> from datetime import date
    >>> rows = Calibration("isotonic", date(2024, 4, 1), date(2024, 6, 30), 1_234, 200)
    >>> describe_calibration(rows.to_json(), {})
    'isotonic, on 1,234 subscriptions started 2024-04-01 to 2024-06-30'
    """
    if used is None:
        return "none"
    rows = rows_in(settings, used["start"], used["end"])
    return f"{used['method']}, on {used['rows']:,} {rows}"
