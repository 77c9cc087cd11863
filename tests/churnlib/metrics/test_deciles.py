"""Risk deciles, on few subscriptions too."""

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
def test_intervals_of_deciles_include_their_value_and_are_possible(seed: int) -> None:
    group = scores(seed, 155)
    assert group.base_rate is not None
    largest_lift = min(10, 1 / group.base_rate)
    for decile in group.deciles:
        for name, value, most in (
            ("churn_rate", decile.churn_rate, 1),
            ("lift", decile.lift, largest_lift),
            ("cumulative_gain", decile.cumulative_gain, 1),
        ):
            interval = decile.intervals[name]
            if interval is not None:
                low, high = interval
                assert -1e-9 <= low <= value + 1e-9
                assert value - 1e-9 <= high <= most + 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_lower_ends_of_cumulative_gains_never_fall(seed: int) -> None:
    ends = [decile.intervals["cumulative_gain"] for decile in scores(seed, 155).deciles]
    lows = [end[0] for end in ends if end is not None]
    assert len(lows) == 10
    assert lows == sorted(lows)


@pytest.mark.parametrize("rows", [7, 155, 160])
def test_counts_of_deciles_are_whole_and_add_up(rows: int) -> None:
    group = scores(3, rows)
    for decile in group.deciles:
        assert isinstance(decile.rows, int)
        assert isinstance(decile.churned, int)
        assert 0 <= decile.churned <= decile.rows
        assert abs(decile.rows - rows / 10) <= 1
    assert sum(decile.rows for decile in group.deciles) == rows
    assert sum(decile.churned for decile in group.deciles) == group.positives


def test_rates_of_deciles_have_no_floating_point_residue() -> None:
    group = scores(3, 160)
    for decile in group.deciles:
        assert decile.churn_rate == round(decile.churned / 16, 10)
        assert len(str(decile.lift)) <= 12


@pytest.mark.parametrize("seed", range(12))
def test_lift_of_the_first_decile_has_the_interval_of_the_metric(seed: int) -> None:
    group = scores(seed, 40)
    if group.deciles:
        assert group.lift_top_decile == group.deciles[0].lift
        assert group.intervals["lift_top_decile"] == group.deciles[0].intervals["lift"]


def test_deciles_of_equal_probabilities_have_no_intervals() -> None:
    scored = pl.DataFrame(
        {"char_id": range(40), "sub_id": range(40), "sub_churn": [0, 1] * 20,
         "is_first_sub": [True] * 40, "churn_probability": [0.2] * 40}
    )  # fmt: skip
    general = evaluate(scored)["general"]
    assert general.deciles[0].intervals.keys() == {"churn_rate", "lift", "cumulative_gain"}
    assert general.deciles[0].intervals["lift"] is None
    assert general.intervals["lift_top_decile"] is None
