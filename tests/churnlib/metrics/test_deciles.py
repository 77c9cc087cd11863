"""Tenths by risk: what can be said of few subscriptions, too."""

import numpy as np
import polars as pl
import pytest

from churnlib.metrics.evaluate import Scores, evaluate


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


@pytest.mark.parametrize("rows", [7, 155, 160])
def test_counts_of_tenths_are_whole_and_hold_all(rows: int) -> None:
    found = scores(3, rows)
    for tenth in found.deciles:
        assert isinstance(tenth.rows, int)
        assert isinstance(tenth.churned, int)
        assert 0 <= tenth.churned <= tenth.rows
        assert abs(tenth.rows - rows / 10) <= 1
    assert sum(tenth.rows for tenth in found.deciles) == rows
    assert sum(tenth.churned for tenth in found.deciles) == found.positives


def test_figures_of_tenths_hold_nothing_that_calculation_leaves_over() -> None:
    found = scores(3, 160)
    for tenth in found.deciles:
        assert tenth.churn_rate == round(tenth.churned / 16, 10)
        assert len(str(tenth.lift)) <= 12


@pytest.mark.parametrize("seed", range(12))
def test_the_lift_of_the_first_tenth_has_one_interval(seed: int) -> None:
    found = scores(seed, 40)
    if found.deciles:
        assert found.lift_top_decile == found.deciles[0].lift
        assert found.intervals["lift_top_decile"] == found.deciles[0].intervals["lift"]


def test_tenths_of_equal_probabilities_claim_no_certainty() -> None:
    scored = pl.DataFrame(
        {"char_id": range(40), "sub_id": range(40), "sub_churn": [0, 1] * 20,
         "is_first_sub": [True] * 40, "churn_probability": [0.2] * 40}
    )  # fmt: skip
    found = evaluate(scored)["general"]
    assert found.deciles[0].intervals.keys() == {"churn_rate", "lift", "cumulative_gain"}
    assert found.deciles[0].intervals["lift"] is None
    assert found.intervals["lift_top_decile"] is None
