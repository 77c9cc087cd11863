"""What batches gain by the model in use, by the truth."""

import numpy as np
import pytest

from benchmarks.in_use import expected_auc, interval, measure

CHARACTERS = 2000


def test_expected_auc_is_that_of_all_outcomes_that_may_be_drawn() -> None:
    rng = np.random.default_rng(1)
    truth, score = rng.random(40), rng.integers(0, 12, 40).astype(float)
    above = score[:, None] > score[None, :]
    equal = score[:, None] == score[None, :]
    weight = truth[:, None] * (1 - truth[None, :])
    np.fill_diagonal(weight, 0)
    expected = (weight * (above + equal / 2)).sum() / weight.sum()
    assert expected_auc(score, truth) == pytest.approx(expected)


@pytest.mark.slow
def test_model_in_use_is_never_worse_beyond_chance_and_better_where_causes_drift() -> None:
    gains = {
        drifts: [measure(seed, CHARACTERS, drifts=drifts).value for seed in (1, 2, 3, 4)]
        for drifts in (False, True)
    }
    _, _, high = interval(gains[False])
    assert high > 0, gains
    _, low, _ = interval(gains[True])
    assert low > 0, gains
