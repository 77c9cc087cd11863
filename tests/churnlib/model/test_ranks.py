"""Ranks of numbers, which extreme values do not distort."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.preprocessing import QuantileTransformer

from churnlib.model.ranks import FAR, STEPS, RankScaler

RNG = np.random.default_rng(1)
NAN = float("nan")


def test_ranks_run_from_0_to_1_and_equal_values_share_theirs() -> None:
    values = np.array([[3.0], [1.0], [2.0], [2.0], [9.0]])
    ranks = RankScaler().fit(values).transform(values)
    assert ranks.ravel() == pytest.approx((rankdata(values.ravel()) - 1) / 4)
    later = RankScaler().fit(values).transform([[2.5], [-7.0], [100.0], [NAN]])
    assert later.ravel() == pytest.approx([0.625, 0.0, 1.0, NAN], nan_ok=True)


def test_ranks_equal_those_of_scikit_learn() -> None:
    values = np.column_stack([RNG.lognormal(size=5000), RNG.integers(1, 9, 5000)])
    values[::9] = NAN
    values[1:3] = [[0, 0], [99, 99]]  # scikit-learn's ranks of equal values differ at the ends.
    reference = QuantileTransformer(n_quantiles=STEPS, subsample=None).fit_transform(values)
    assert RankScaler().fit_transform(values) == pytest.approx(reference, nan_ok=True, abs=1e-9)


def test_values_far_from_all_others_become_null() -> None:
    values = np.append(np.arange(101.0), [9.2e15, -1e38])[:, None]
    scaler = RankScaler().fit(values)
    (low, high) = scaler.bounds_[0]
    middle, spread = np.median(values), np.subtract(*np.quantile(values, (0.75, 0.25)))
    assert (low, high) == (middle - FAR * spread, middle + FAR * spread)
    ranks = scaler.transform([[9.2e15], [-1e38], [high], [low], [1e38]]).ravel()
    assert np.isnan(ranks[[0, 1, 4]]).all()
    # Outliers of the usual kind stay.
    assert ranks[2:4] == pytest.approx([1, 0], abs=0.02)


def test_columns_that_hardly_vary_have_no_far_values() -> None:
    values = np.append(np.zeros(100), [7.0, 9e15])[:, None]
    assert np.isfinite(RankScaler().fit(values).transform(values)).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("column", [[NAN] * 3, [5.0, 5.0, NAN], [1e38, -1e38, 0.0]])
def test_odd_columns_are_scaled_without_warnings(column: list[float]) -> None:
    values = np.array(column)[:, None]
    ranks = RankScaler().fit(values).transform(values)
    assert np.array_equal(np.isnan(ranks), np.isnan(values))


def test_scaler_is_an_estimator() -> None:
    frame = pl.DataFrame({"a": [1.0, 2.0, None], "b": [3.0, 1.0, 2.0]})
    scaler = clone(RankScaler()).set_output(transform="polars")
    ranked = scaler.fit_transform(frame)
    assert list(scaler.get_feature_names_out()) == ranked.columns == ["a", "b"]
    assert ranked["b"].to_list() == [1, 0, 0.5]
