"""A fitted model, as it is trained, kept, opened and predicted with."""

from dataclasses import dataclass
from typing import TypeAlias

from sklearn.calibration import CalibratedClassifierCV
from sklearn.pipeline import Pipeline

from churnlib.model.calibration import Calibration
from churnlib.model.feature_schema import FeatureSchema

Fitted: TypeAlias = Pipeline | CalibratedClassifierCV
"""Fitted estimators: a pipeline as configured, or one whose probabilities are mended."""


@dataclass(frozen=True)
class FittedModel:
    """A model and what it was fitted on.

    Attributes:
        pipeline: The fitted estimators.
        schema: The columns that it takes.
        calibration: What it was calibrated on; null where it was not, or was loaded from a file.
        baseline: A plain model of the same rows; see `churnlib.model.baseline`. Null where there is
            none, as of versions made before there were any.
        base_rate: The share of churners among these rows; null where that is not known.
    """

    pipeline: Fitted
    schema: FeatureSchema
    calibration: Calibration | None = None
    baseline: Pipeline | None = None
    base_rate: float | None = None
