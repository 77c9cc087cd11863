"""LightGBM's classifier, made safe for pipelines, and one that learns from a table part by part."""

from collections.abc import Sequence
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, Self, TypeAlias

import lightgbm
import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from churnlib.model.feature_schema import FeatureSchema
from churnlib.model.feature_table import FeatureTable
from churnlib.schemas.columns import LABEL

Matrix: TypeAlias = NDArray[np.float64]

REPRODUCIBLE = {"deterministic": True, "force_row_wise": True, "verbose": -1}
"""What gives the same model whatever the number of threads."""
CONSTRAINTS: dict[str, list[Any]] = {
    "boosting_type": [StrOptions({"gbdt", "dart", "rf"})],
    "colsample_bytree": [Interval(Real, 0, 1, closed="right")],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "min_child_samples": [Interval(Integral, 0, None, closed="left")],
    "n_estimators": [Interval(Integral, 1, None, closed="left")],
    "num_leaves": [Interval(Integral, 2, 131_072, closed="both")],
    "objective": [StrOptions({"binary"}), None],
    "reg_alpha": [Interval(Real, 0, None, closed="left")],
    "reg_lambda": [Interval(Real, 0, None, closed="left")],
    "subsample": [Interval(Real, 0, 1, closed="right")],
}
"""What values may be; LightGBM itself would tell only when it fits, or warn."""
APART = ("n_estimators", "importance_type", "class_weight", "objective")
"""Parameters that scikit-learn's interface does not hand to LightGBM as they are."""


class LGBMClassifier(lightgbm.LGBMClassifier):
    """LightGBM's classifier, for frames whose categories are no numbers yet.

    LightGBM itself aborts the process on such a frame. Here categories are split on as a set.
    """

    _parameter_constraints = CONSTRAINTS

    def fit(  # type: ignore[override]
        self, frame: Any, outcome: Any, **options: Any
    ) -> Self:
        """Fits to a frame or a matrix."""
        self.set_params(**REPRODUCIBLE)
        super().fit(numbers(frame), outcome, categorical_feature=categories(frame), **options)
        return self

    def predict_proba(  # type: ignore[override]
        self, frame: Any, **options: Any
    ) -> Any:
        """Predicts the probability of each class."""
        return super().predict_proba(numbers(frame), **options)

    def decision_function(  # type: ignore[override]
        self, frame: Any, **options: Any
    ) -> Any:
        """Predicts the log odds of churn, which calibration mends."""
        return super().decision_function(numbers(frame), **options)


class LGBMFromParts(LGBMClassifier):
    """The same, learning from more rows than memory holds where it is a pipeline's only step.

    LightGBM keeps a byte of each value. The model is kept as its text.

    Attributes:
        text_: The model in LightGBM's own format.
    """

    _parameter_constraints = CONSTRAINTS | {"class_weight": [None]}

    def fit(  # type: ignore[override]
        self, frame: Any, outcome: Any, **options: Any
    ) -> Self:
        """Fits to a frame or a matrix in memory."""
        return self._learn(numbers(frame), np.asarray(outcome), categories(frame))

    def fit_parts(self, rows: FeatureTable, schema: FeatureSchema) -> Self:
        """Fits to rows that all have a label, of which a part at a time is in memory.

        Args:
            rows: The rows.
            schema: Their columns that count.
        """
        labels = [part[LABEL].to_numpy() for part in rows.only(LABEL)]

        @lru_cache(maxsize=1)
        def read(number: int) -> Matrix:
            found: Matrix = numbers(schema.apply(rows.part(number)))
            return found

        parts: list[lightgbm.Sequence] = [
            _Part(read, number, len(found)) for number, found in enumerate(labels) if len(found)
        ]
        kinds = [feature.kind for feature in schema.features]
        places = [place for place, kind in enumerate(kinds) if kind == "category"]
        return self._learn(parts, np.concatenate(labels), places)

    def predict_proba(  # type: ignore[override]
        self, frame: Any, **options: Any
    ) -> Any:
        """Predicts the probability of each class."""
        churned = self._booster().predict(numbers(frame), **options)
        return np.column_stack([1 - np.asarray(churned), churned])

    def decision_function(  # type: ignore[override]
        self, frame: Any, **options: Any
    ) -> Any:
        """Predicts the log odds of churn, which calibration mends."""
        return self._booster().predict(numbers(frame), raw_score=True, **options)

    def _booster(self) -> lightgbm.Booster:
        return lightgbm.Booster(model_str=self.text_)

    @property
    def classes_(self) -> Any:
        """Stays and churns."""
        return np.array([0, 1])

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "text_")

    def _learn(self, data: Any, outcome: NDArray[Any], places: Sequence[int]) -> Self:
        params = {k: v for k, v in self.get_params().items() if k not in APART and v is not None}
        params |= {**REPRODUCIBLE, "objective": "binary"}
        table = lightgbm.Dataset(data, outcome, categorical_feature=list(places), params=params)
        self.text_ = lightgbm.train(params, table, self.n_estimators).model_to_string()
        return self


class _Part(lightgbm.Sequence):
    """A part of a table as LightGBM reads it: first some rows of it, much later all at once."""

    def __init__(self, read: Any, number: int, height: int) -> None:
        self.read, self.number, self.height = read, number, height
        self.batch_size = height

    def __len__(self) -> int:
        return self.height

    def __getitem__(self, index: Any) -> Matrix:
        found: Matrix = self.read(self.number)[index]
        return found


def numbers(frame: Any) -> Any:
    """Makes a matrix of a frame, with categories as their places in the list of them.

    Args:
        frame: A frame; anything else is given back as it is.
    """
    if not isinstance(frame, pl.DataFrame):
        return frame
    return frame.select(pl.all().to_physical().cast(pl.Float64)).to_numpy()


def categories(frame: Any) -> list[int]:
    """The places of the columns of a frame that are categories; none of a matrix."""
    if not isinstance(frame, pl.DataFrame):
        return []
    return [place for place, dtype in enumerate(frame.dtypes) if dtype == pl.Enum]
