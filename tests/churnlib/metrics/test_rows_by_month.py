"""Intervals where a subscription has a row for each month, against a process of known truth."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

from churnlib.metrics.bootstrap import Resampling
from churnlib.metrics.contact import compare_counts, compare_hold_out, design_effect
from churnlib.metrics.definitions import METRICS
from churnlib.metrics.predictions import Predictions, known_rows

HORIZON, WINDOW = 6, 12


def rows_by_month(seed: int, characters: int, signal: float) -> pl.DataFrame:
    """Rows of subscriptions in the months of a window, of which those before a churn are positive.

    The risk of a character is that of all its subscriptions and months, and so is most of the
    error of its prediction: the rows of a character are strongly alike.
    """
    rng = np.random.default_rng(seed)
    risk, error = rng.normal(0, 1.2, characters), rng.normal(0, 1, characters)
    owner = np.repeat(np.arange(characters), rng.integers(1, 3, characters))
    start, term = rng.integers(-12, WINDOW, len(owner)), rng.choice([6, 12, 24], len(owner))
    churned = start + rng.geometric(1 / (1 + np.exp(4.2 - risk[owner])))
    churned = np.where(churned <= start + term, churned, 10**6)[:, None]
    month = np.arange(WINDOW)
    runs = (month >= start[:, None]) & (month < (start + term)[:, None]) & (month < churned)
    sub, place = np.nonzero(runs)
    score = signal * risk[owner[sub]] + error[owner[sub]] + rng.normal(0, 0.3, len(sub))
    return pl.DataFrame(
        {
            "char_id": owner[sub],
            "sub_id": sub,
            "sub_churn": (churned - month <= HORIZON)[sub, place].astype(np.int8),
            "churn_probability": 1 / (1 + np.exp(-score)),
        }
    )


@cache
def truth(metric: str, signal: float) -> float:
    """The value of a metric on so many characters that its error does not matter."""
    if metric == "roc_auc" and not signal:
        return 0.5
    many = Predictions.of(known_rows(rows_by_month(10**6, 200_000, signal)))
    return METRICS[metric].compute(many).value


@pytest.mark.slow
@pytest.mark.parametrize("signal", [0.7, 0.0])
def test_intervals_hold_the_truth(signal: float) -> None:
    draws, metrics = 200, ("base_rate", "roc_auc")
    held = np.zeros((2, len(metrics)))
    for seed in range(draws):
        rows = known_rows(rows_by_month(seed, 300, signal))
        by_character = Predictions.of(rows)
        by_row = replace(by_character, characters=Resampling.over(pl.Series(range(len(rows)))))
        for place, predictions in enumerate((by_character, by_row)):
            for column, metric in enumerate(metrics):
                low, high = METRICS[metric].compute(predictions).interval() or (0, 0)
                held[place, column] += low <= truth(metric, signal) <= high
    # Three standard errors of a share of 95 % over the draws are 4.6 %.
    assert (held[0] >= 0.904 * draws).all()
    assert (held[0] <= 0.996 * draws).all()
    # Rows as if they were independent would give intervals that are too short.
    assert (held[1] < 0.8 * draws).all()


def compared_by_month(rng: np.random.Generator) -> pl.DataFrame:
    """A batch of three months, in which all rows of a character have one outcome."""
    characters = 200
    held_out = np.arange(characters) < 60
    churned = rng.random(characters) < np.where(held_out, 0.4, 0.3)
    rows = pl.DataFrame({"char_id": range(characters), "held_out": held_out, "sub_churn": churned})
    months = pl.DataFrame({"day": range(3)})
    return rows.join(months, how="cross").with_columns(
        pl.col("sub_churn").cast(pl.Int8), contact=~pl.col("held_out"), churn_probability=0.5
    )


def test_hold_out_is_compared_by_character() -> None:
    rng = np.random.default_rng(1)
    held = np.zeros(2)
    for _ in range(300):
        rows = compared_by_month(rng)
        compared = compare_hold_out(rows, 0.1)
        counts = {
            name: (compared[name]["churned"], compared[name]["n"])
            for name in ("contacted", "held_out")
        }
        for place, result in enumerate((compared, compare_counts(**counts))):
            low, high = result["fall_ci"]
            held[place] += low <= 0.1 <= high
    assert 0.91 <= held[0] / 300 <= 0.99
    assert held[1] / 300 < 0.85


def test_rows_of_a_character_that_are_equal_count_as_one() -> None:
    rows = compared_by_month(np.random.default_rng(2)).filter("held_out")
    once = rows.filter(day=0)
    assert design_effect(once) == 1
    assert design_effect(rows) == pytest.approx(3 * 60 / 59)
    # With one outcome, there are as many independent cases as characters.
    assert design_effect(rows.with_columns(sub_churn=0)) == 3
    assert design_effect(rows.clear()) == 1
    one = compare_hold_out(rows, 0.1)["held_out"]
    assert one["n"] == 180
    assert one["churn_rate"] == compare_hold_out(once, 0.1)["held_out"]["churn_rate"]
    assert one["churn_rate_ci"] == pytest.approx(
        compare_hold_out(once, 0.1)["held_out"]["churn_rate_ci"], abs=0.003
    )
