"""LightGBM's classifier for Polars frames, and one that trains on a table part by part."""

from collections.abc import Sequence
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, Self, TypeAlias

import lightgbm
import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

from churnlib.model.boosting_text import check_text
from churnlib.model.feature_schema import FeatureSchema
from churnlib.model.feature_table import FeatureTable
from churnlib.schemas.columns import LABEL

Matrix: TypeAlias = NDArray[np.float64]

REPRODUCIBLE = {"deterministic": True, "force_row_wise": True, "verbose": -1}
"""Parameters that make the model independent of the number of threads."""
CONSTRAINTS: dict[str, list[Any]] = {
    "boosting_type": [StrOptions({"gbdt", "dart", "rf"})],
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "colsample_bytree": [Interval(Real, 0, 1, closed="right")],
    "importance_type": [StrOptions({"split", "gain"})],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "max_depth": [Integral],
    "min_child_samples": [Interval(Integral, 0, None, closed="left")],
    "min_child_weight": [Interval(Real, 0, None, closed="left")],
    "min_split_gain": [Interval(Real, 0, None, closed="left")],
    "n_estimators": [Interval(Integral, 1, None, closed="left")],
    "n_jobs": [Integral, None],
    "num_leaves": [Interval(Integral, 2, 131_072, closed="both")],
    "objective": [StrOptions({"binary"}), None],
    "random_state": ["random_state"],
    "reg_alpha": [Interval(Real, 0, None, closed="left")],
    "reg_lambda": [Interval(Real, 0, None, closed="left")],
    "subsample": [Interval(Real, 0, 1, closed="right")],
    "subsample_for_bin": [Interval(Integral, 1, None, closed="left")],
    "subsample_freq": [Interval(Integral, 0, None, closed="left")],
}
"""The valid values of all parameters. LightGBM joins them to a text, separated by blanks, so that a
text for a number could set any other parameter, such as a file to write."""
HANDLED_PARAMS = ("n_estimators", "importance_type", "class_weight", "objective")
"""Parameters that LightGBM's scikit-learn interface handles itself."""


class LGBMClassifier(lightgbm.LGBMClassifier):
    """LightGBM's classifier for Polars frames with Enum columns, which it splits as categories.

    LightGBM itself aborts the process on such a frame. A file holds the fitted model as text, which
    is checked before LightGBM reads it.
    """

    _parameter_constraints = CONSTRAINTS

    def set_params(self, **params: Any) -> Self:
        """Sets parameters, but none that the constructor does not name.

        Raises:
            ValueError: There is no such parameter.
        """
        if unknown := sorted(set(params) - {*CONSTRAINTS, *REPRODUCIBLE}):
            raise ValueError(f"LightGBM's classifier has no parameter {unknown[0]!r} to set")
        super().set_params(**params)
        return self

    def __getstate__(self) -> dict[str, Any]:
        booster = self._Booster
        text = None if booster is None else booster.model_to_string(num_iteration=-1)
        return {**super().__getstate__(), "_Booster": text}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._check_params()
        if (text := state["_Booster"]) is not None:
            check_text(text)
            self._Booster = lightgbm.Booster(model_str=text)
            self._Booster.best_iteration = self._best_iteration

    def __copy__(self) -> Self:
        """Shares the fitted model; LightGBM copies the classifier whenever parameters are read."""
        copy = type(self).__new__(type(self))
        copy.__dict__.update(self.__dict__)
        return copy

    def _check_params(self) -> None:
        """Checks all parameters once more: a search or a file sets them without any check."""
        params = {name: getattr(self, name) for name in CONSTRAINTS} | self._other_params
        for name in REPRODUCIBLE.keys() & params.keys():
            if params.pop(name) != REPRODUCIBLE[name]:
                raise ValueError(f"the parameter '{name}' must be {REPRODUCIBLE[name]!r}")
        if unknown := sorted(params.keys() - CONSTRAINTS.keys()):
            raise ValueError(f"LightGBM's classifier has no parameter {unknown[0]!r} to set")
        if self._objective not in (None, "binary"):
            raise ValueError(f"the objective is {self._objective!r}, not 'binary'")
        validate_parameter_constraints(self._parameter_constraints, params, type(self).__name__)

    def fit(  # type: ignore[override]
        self, frame: Any, outcome: Any, **options: Any
    ) -> Self:
        """Fits to a frame or a matrix."""
        self._check_params()
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
        """Predicts the log odds of churn, which calibration uses."""
        return super().decision_function(numbers(frame), **options)


class LGBMFromParts(LGBMClassifier):
    """The same classifier, which also trains on more rows than memory holds, as the only step.

    LightGBM keeps one byte per value. The fitted model is stored as text.

    Attributes:
        text_: The model in LightGBM's own format.
    """

    _parameter_constraints = CONSTRAINTS | {"class_weight": [None]}

    def fit(  # type: ignore[override]
        self, frame: Any, outcome: Any, **options: Any
    ) -> Self:
        """Fits to a frame or a matrix in memory."""
        return self._train(numbers(frame), np.asarray(outcome), categories(frame))

    def fit_parts(self, rows: FeatureTable, schema: FeatureSchema) -> Self:
        """Fits to a table that is read part by part.

        Args:
            rows: Rows that all have a label.
            schema: The columns that the model takes.
        """
        labels = [part[LABEL].to_numpy() for part in rows.select_parts(LABEL)]

        @lru_cache(maxsize=1)
        def read(number: int) -> Matrix:
            matrix: Matrix = numbers(schema.apply(rows.part(number)))
            return matrix

        parts: list[lightgbm.Sequence] = [
            _Part(read, number, len(part)) for number, part in enumerate(labels) if len(part)
        ]
        kinds = [feature.kind for feature in schema.features]
        categorical = [index for index, kind in enumerate(kinds) if kind == "category"]
        return self._train(parts, np.concatenate(labels), categorical)

    def predict_proba(  # type: ignore[override]
        self, frame: Any, **options: Any
    ) -> Any:
        """Predicts the probability of each class."""
        churned = self._booster().predict(numbers(frame), **options)
        return np.column_stack([1 - np.asarray(churned), churned])

    def decision_function(  # type: ignore[override]
        self, frame: Any, **options: Any
    ) -> Any:
        """Predicts the log odds of churn, which calibration uses."""
        return self._booster().predict(numbers(frame), raw_score=True, **options)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "text_" in state:
            check_text(self.text_)

    def _booster(self) -> lightgbm.Booster:
        return lightgbm.Booster(model_str=self.text_)

    @property
    def classes_(self) -> Any:
        """The classes: 0 stays, 1 churns."""
        return np.array([0, 1])

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "text_")

    def _train(self, data: Any, outcome: NDArray[Any], categorical: Sequence[int]) -> Self:
        self._check_params()
        params = {
            k: v for k, v in self.get_params().items() if k not in HANDLED_PARAMS and v is not None
        }
        params |= {**REPRODUCIBLE, "objective": "binary"}
        dataset = lightgbm.Dataset(
            data, outcome, categorical_feature=list(categorical), params=params
        )
        self.text_ = lightgbm.train(params, dataset, self.n_estimators).model_to_string()
        return self


class _Part(lightgbm.Sequence):
    """A part of a table; LightGBM reads first a sample of its rows, and later all."""

    def __init__(self, read: Any, number: int, height: int) -> None:
        self.read, self.number, self.height = read, number, height
        self.batch_size = height

    def __len__(self) -> int:
        return self.height

    def __getitem__(self, index: Any) -> Matrix:
        rows: Matrix = self.read(self.number)[index]
        return rows


def numbers(frame: Any) -> Any:
    """Converts a frame to a matrix, with categories as their codes.

    Args:
        frame: A frame; anything else is returned unchanged.
    """
    if not isinstance(frame, pl.DataFrame):
        return frame
    return frame.select(pl.all().to_physical().cast(pl.Float64)).to_numpy()


def categories(frame: Any) -> list[int]:
    """The indices of a frame's categorical columns; empty for a matrix."""
    if not isinstance(frame, pl.DataFrame):
        return []
    return [index for index, dtype in enumerate(frame.dtypes) if dtype == pl.Enum]
