"""Calibration: probabilities mended on later months than those that the model was fitted on."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from churnlib.errors import TooFewRowsError
from churnlib.model.feature_schema import FeatureSchema
from churnlib.model.feature_table import FeatureTable
from churnlib.model.threads import one_thread
from churnlib.months import first_day, shift_months
from churnlib.schemas.columns import LABEL
from churnlib.settings import TrainSettings

Method = Literal["none", "sigmoid", "isotonic"]

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
"""Models whose probabilities are no frequencies: votes, shares of a leaf, or products of what is
not independent. Those that maximise a likelihood, as boosting and logistic regression, are."""
MENDS_ITSELF = ("CalibratedClassifierCV", "StackingClassifier")
"""Models that fit a last step of their own on the probabilities of what they hold."""
ROWS_PER_OUTCOME = 10
"""Fewer churners, or fewer who stay, tell nothing of probabilities."""
MOST_ROWS = 2**18
"""As many rows are calibrated on, about, where the model learns from more than memory holds."""
FOLDS = 5
"""scikit-learn asks a frozen model in so many parts; it is the same model in each."""


@dataclass(frozen=True)
class Calibration:
    """The rows that a model was calibrated on.

    Attributes:
        method: How.
        start: First start of the subscriptions.
        end: The last.
        rows: How many there are.
        churned: How many of them churned.
    """

    method: Method
    start: date
    end: date
    rows: int
    churned: int

    def to_json(self) -> dict[str, Any]:
        """The facts as plain data, for the manifest."""
        facts = asdict(self)
        return {**facts, "start": self.start.isoformat(), "end": self.end.isoformat()}


def method_for(pipeline: Pipeline, settings: TrainSettings) -> Method:
    """Says how a pipeline is to be calibrated, by the settings or by its model.

    Args:
        pipeline: As `churnlib.model.pipeline.build_pipeline` gives it.
        settings: `calibration` counts.
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
    if name in MENDS_ITSELF:
        return _is_uncalibrated(params.get("final_estimator"))
    # Weights that make a rare outcome count more shift all probabilities.
    if name in UNCALIBRATED or params.get("class_weight") is not None:
        return True
    return any(map(_is_uncalibrated, params.values()))


def set_apart(
    known: FeatureTable, method: Method, settings: TrainSettings
) -> tuple[FeatureTable, FeatureTable]:
    """Sets the last months apart, to calibrate on.

    Args:
        known: The rows to learn from, all with a label.
        method: How they will be calibrated on.
        settings: `calibration_months` counts: so many, of which the month of the latest start is
            the last.

    Returns:
        The rows before, to fit on, and those set apart.

    Raises:
        TooFewRowsError: An outcome is too rare in those set apart, or missing in those before.
    """
    last: date = known.columns("sub_start_date")["sub_start_date"].max()  # type: ignore[assignment]
    opens = shift_months(first_day(last), 1 - settings.calibration_months)
    before = known.where(pl.col("sub_start_date") < opens)
    apart = known.where(pl.col("sub_start_date") >= opens)
    counts = [_outcomes(rows) for rows in (before, apart)]
    if min(counts[0]) < 1 or min(counts[1]) < ROWS_PER_OUTCOME:
        told = [f"{stayed + churned:,} rows ({churned:,} churned)" for stayed, churned in counts]
        raise TooFewRowsError(
            f"{method} calibration (train.calibration = {settings.calibration!r}) with "
            f"train.calibration_months = {settings.calibration_months} leaves {told[0]} to fit on "
            f"before {opens} and {told[1]} to calibrate on from then. Both outcomes are needed, of "
            f"the latter {ROWS_PER_OUTCOME} of each: change it, widen windows.train, or set "
            'train.calibration = "none".'
        )
    return before, apart


def _outcomes(rows: FeatureTable) -> tuple[int, int]:
    labels = rows.columns(LABEL)[LABEL]
    churned = int(labels.sum())
    return len(labels) - churned, churned


def gather(
    apart: FeatureTable, schema: FeatureSchema, most: int | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Reads the rows to calibrate on.

    Args:
        apart: Those set apart.
        schema: The columns that the model takes.
        most: About as many of them, from the beginning; all if null.

    Returns:
        What the model takes of each row, and its `sub_start_date` and `sub_churn`.
    """
    given: list[pl.DataFrame] = []
    facts: list[pl.DataFrame] = []
    for part in apart:
        given.append(schema.apply(part))
        facts.append(part.select("sub_start_date", LABEL))
        if most and sum(map(len, facts)) >= most:
            break
    return pl.concat(given), pl.concat(facts)


def calibrate(
    pipeline: Pipeline, method: Method, given: pl.DataFrame, outcome: NDArray[np.int64]
) -> CalibratedClassifierCV:
    """Fits what mends the probabilities of a fitted pipeline, which stays as it is.

    Args:
        pipeline: The fitted estimators.
        method: `sigmoid` or `isotonic`.
        given: What the pipeline takes, of rows that it was not fitted on.
        outcome: Whether each churned.

    Returns:
        The pipeline with its mending: it takes what the pipeline takes.
    """
    calibrated = CalibratedClassifierCV(FrozenEstimator(pipeline), method=method, cv=FOLDS)
    with one_thread():
        return calibrated.fit(given, outcome)


def describe(rows: pl.DataFrame, method: Method) -> Calibration:
    """Notes what a model was calibrated on: rows with `sub_start_date` and `sub_churn`."""
    starts, labels = rows["sub_start_date"], rows[LABEL]
    return Calibration(
        method,
        start=starts.min(),  # type: ignore[arg-type]
        end=starts.max(),  # type: ignore[arg-type]
        rows=len(rows),
        churned=int(labels.sum()),
    )


def in_words(used: dict[str, Any] | None) -> str:
    """Words what a manifest tells of a model's calibration.

    >>> in_words(Calibration("isotonic", date(2024, 4, 1), date(2024, 6, 30), 1_234, 200).to_json())
    'isotonic, on 1,234 rows begun 2024-04-01 to 2024-06-30'
    """
    if used is None:
        return "none"
    return f"{used['method']}, on {used['rows']:,} rows begun {used['start']} to {used['end']}"
