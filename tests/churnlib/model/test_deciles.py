"""Tenths by risk: what can be said of few subscriptions, too."""

import numpy as np
import polars as pl
import pytest

from churnlib.model.evaluate import Scores, evaluate


def scores(seed: int, rows: int) -> Scores:
    rng = np.random.default_rng(seed)
    probability = rng.beta(2, 11, rows)
    scored = pl.DataFrame(
        {
            "char_id": np.arange(rows),
            "sub_id": np.arange(rows),
            "is_first_sub": np.full(rows, True),
            "sub_churn": (rng.random(rows) < probability).astype(np.int8),
            "churn_probability": probability,
        }
    )
    return evaluate(scored)["general"]


@pytest.mark.parametrize("seed", range(20))
def test_intervals_of_tenths_hold_their_figure_and_what_is_possible(seed: int) -> None:
    found = scores(seed, 155)
    assert found.base_rate is not None
    largest_lift = min(10, 1 / found.base_rate)
    for tenth in found.deciles:
        for name, value, most in (
            ("churn_rate", tenth.churn_rate, 1),
            ("lift", tenth.lift, largest_lift),
            ("cumulative_gain", tenth.cumulative_gain, 1),
        ):
            interval = tenth.intervals[name]
            if interval is not None:
                low, high = interval
                assert -1e-9 <= low <= value + 1e-9
                assert value - 1e-9 <= high <= most + 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_what_is_found_for_sure_never_falls_with_more_tenths(seed: int) -> None:
    ends = [tenth.intervals["cumulative_gain"] for tenth in scores(seed, 155).deciles]
    lows = [end[0] for end in ends if end is not None]
    assert len(lows) == 10
    assert lows == sorted(lows)
