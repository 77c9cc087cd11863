"""The numbers behind the curves, compared with slow and obvious computations."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score

from churnlib.report.curves import MAX_POINTS, Flags, Floats, height_at, precision_recall, roc

Sample = tuple[Flags, Floats]


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Predictions with many ties, and both outcomes."""
    rows = draw(st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=2, max_size=400))
    outcome = np.array([churned for churned, _ in rows])
    outcome[0], outcome[1] = True, False
    return outcome, np.array([tenths / 12 for _, tenths in rows])


def many(n: int) -> Sample:
    random = np.random.default_rng(7)
    probability = random.random(n)
    return random.random(n) < probability, probability


@given(samples())
def test_area_under_roc_is_the_reported_roc_auc(sample: Sample) -> None:
    across, up = roc(*sample)
    assert (across[0], up[0], across[-1], up[-1]) == (0, 0, 1, 1)
    assert auc(across, up) == pytest.approx(roc_auc_score(*sample))


@given(samples())
def test_precision_recall_has_the_points_of_scikit_learn(sample: Sample) -> None:
    recall, precision = precision_recall(*sample)
    expected_precision, expected_recall, _ = precision_recall_curve(*sample)
    expected = set(zip(expected_recall[:-1], expected_precision[:-1], strict=True))
    assert set(zip(recall[1:], precision[1:], strict=True)) == expected
    assert (recall[0], recall[-1], precision[0]) == (0, 1, precision[1])


def test_curves_of_many_rows_are_thinned_without_changing_their_shape() -> None:
    sample = many(20_000)
    across, up = roc(*sample)
    recall, precision = precision_recall(*sample)
    assert max(len(across), len(recall)) <= MAX_POINTS + 1
    assert auc(across, up) == pytest.approx(roc_auc_score(*sample), abs=1e-3)
    steps = float(np.sum(np.diff(recall) * precision[1:]))
    assert steps == pytest.approx(average_precision_score(*sample), abs=5e-3)
    assert np.diff(recall).max() < 0.02
    assert (across[-1], up[-1], recall[-1]) == (1, 1, 1)


def test_thinning_keeps_the_start_where_few_churn() -> None:
    outcome, probability = np.zeros(50_000, np.bool_), np.linspace(1, 0, 50_000)
    outcome[:100] = True
    across, up = roc(outcome, probability)
    assert height_at((across, up), np.array([0.0]))[0] == pytest.approx(1, abs=0.02)
    assert np.count_nonzero(up < 1) > 50


@given(samples(), st.randoms(use_true_random=False))
def test_curves_do_not_depend_on_the_order_of_rows(sample: Sample, random: Random) -> None:
    order = list(range(len(sample[0])))
    random.shuffle(order)
    outcome, probability = sample
    shuffled = outcome[order], probability[order]
    assert np.array_equal(roc(*shuffled), roc(*sample))
    assert np.array_equal(precision_recall(*shuffled), precision_recall(*sample))
