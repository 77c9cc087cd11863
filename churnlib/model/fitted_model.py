"""A fitted model: what fitting returns, saving keeps, loading gives back and predicting takes."""

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal, TypeAlias

from sklearn.calibration import CalibratedClassifierCV
from sklearn.pipeline import Pipeline

from churnlib.model.feature_schema import FeatureSchema

Fitted: TypeAlias = Pipeline | CalibratedClassifierCV
"""Fitted estimators: the configured pipeline, or the calibrated pipeline."""
Method = Literal["none", "sigmoid", "isotonic"]
"""How probabilities are calibrated."""


@dataclass(frozen=True)
class Calibration:
    """The rows that a model was calibrated on.

    Attributes:
        method: The method.
        start: First start of the subscriptions.
        end: Last start of the subscriptions.
        rows: Number of rows.
        churned: Number of them that churned.
    """

    method: Method
    start: date
    end: date
    rows: int
    churned: int

    def to_json(self) -> dict[str, Any]:
        """The record as plain data, for the manifest."""
        facts = asdict(self)
        return {**facts, "start": self.start.isoformat(), "end": self.end.isoformat()}


@dataclass(frozen=True, repr=False)
class FittedModel:
    """A model and what it was fitted on.

    Attributes:
        pipeline: The fitted estimators.
        schema: The columns that they take.
        calibration: The rows of the calibration; None if there was none, or the model was loaded.
        baseline: A logistic regression on the same rows, to compare with; see
            `churnlib.model.baseline`. None if it could not be fitted.
        base_rate: The share of churners among the rows; None if it is not known.
        seed: The seed of everything random; None if it is not known.
    """

    pipeline: Fitted
    schema: FeatureSchema
    calibration: Calibration | None = None
    baseline: Pipeline | None = None
    base_rate: float | None = None
    seed: int | None = None

    def __repr__(self) -> str:
        kinds = Counter(feature.kind for feature in self.schema.features)
        features = ", ".join(f"{count} {_plural(kind, count)}" for kind, count in kinds.items())
        lines = {
            "steps": " > ".join(type(step).__name__ for step in _steps(self.pipeline)),
            "features": f"{len(self.schema.features)} ({features})",
            "calibration": _calibration(self.pipeline),
            "base rate": "unknown" if self.base_rate is None else f"{self.base_rate:.1%}",
            "seed": "unknown" if self.seed is None else str(self.seed),
        }
        return "\n".join(["FittedModel", *(f"  {name:<12}{text}" for name, text in lines.items())])


def _steps(pipeline: Fitted) -> list[Any]:
    configured = pipeline
    while not isinstance(configured, Pipeline):  # A frozen pipeline inside its calibration.
        configured = configured.estimator
    return [step for _, step in configured.steps]


def _calibration(pipeline: Fitted) -> str:
    return "none" if isinstance(pipeline, Pipeline) else str(pipeline.method)


def _plural(kind: str, count: int) -> str:
    if count == 1:
        return kind
    return "categories" if kind == "category" else f"{kind}s"
