"""Scaling of numbers to ranks, which no extreme value can distort."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin

Floats = NDArray[np.float64]

STEPS = 1000
"""The number of quantiles that ranks are interpolated between, if there are more rows."""
FAR = 1000
"""A value farther from the median than this many interquartile ranges becomes null: an impossible
balance is not just a high one."""


class RankScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Scales each number to its rank among the training rows, from 0 to 1.

    Equal values have the mean of their ranks; later values between two of training are
    interpolated, and those beyond are 0 or 1. Null stays null, and values far from all others
    become null, so that `SimpleImputer(add_indicator=True)` can follow.

    Attributes:
        bounds_: The lowest and the highest value of each column that is not far from others.
        quantiles_: The values of each column at equal steps of rank.
    """

    def fit(self, frame: Any, outcome: Any = None) -> Self:
        """Learns the ranks; `outcome` is ignored."""
        columns = _matrix(frame).T
        self.n_features_in_ = len(columns)
        if hasattr(frame, "columns"):
            self.feature_names_in_ = np.array(frame.columns, dtype=object)
        known = [column[~np.isnan(column)] for column in columns]
        self.bounds_ = np.array([_bounds(values) for values in known]).reshape(-1, 2)
        steps = np.linspace(0, 1, min(STEPS, len(columns.T)))
        self.quantiles_ = np.array(
            [np.quantile(values, steps) if len(values) else 0 * steps for values in known]
        ).reshape(-1, len(steps))
        return self

    def transform(self, frame: Any) -> Floats:
        """Converts the values of each column to ranks."""
        ranked = np.empty_like(matrix := _matrix(frame))
        steps = np.linspace(0, 1, self.quantiles_.shape[1])
        for place, (low, high) in enumerate(self.bounds_):
            values, quantiles = matrix[:, place], self.quantiles_[place]
            # Each counts from one end, so that their mean is that of equal values.
            ranks = np.interp(values, quantiles, steps)
            ranks += 1 - np.interp(-values, -quantiles[::-1], steps)
            is_near = (values >= low) & (values <= high)
            ranked[:, place] = np.where(is_near, ranks / 2, np.nan)
        return ranked


def _matrix(frame: Any) -> Floats:
    return np.asarray(frame, np.float64)


def _bounds(values: Floats) -> tuple[float, float]:
    """The ends of the values that are not far from the others; infinite if half are equal."""
    if not len(values):
        return -np.inf, np.inf
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    reach = FAR * (high - low) or np.inf
    return float(middle - reach), float(middle + reach)
