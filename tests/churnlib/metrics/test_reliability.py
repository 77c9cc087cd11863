"""Risk groups, compared with slow and obvious computations."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.metrics.evaluate import score_group
from churnlib.metrics.predictions import Predictions
from churnlib.metrics.reliability import risk_groups

Rows = list[tuple[bool, int]]

rows = st.lists(st.tuples(st.booleans(), st.integers(0, 30)), min_size=1, max_size=60)


def table(given_rows: Rows, a_character: int = 1) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "char_id": [n // a_character for n in range(len(given_rows))],
            "sub_id": range(len(given_rows)),
            "sub_churn": pl.Series([churned for churned, _ in given_rows]).cast(pl.Int8),
            "churn_probability": [thirtieths / 30 for _, thirtieths in given_rows],
        }
    )


@given(rows)
def test_groups_divide_all_rows_by_falling_probability(given_rows: Rows) -> None:
    groups = risk_groups(Predictions.of(table(given_rows)))
    predicted = [thirtieths / 30 for _, thirtieths in given_rows]
    assert sum(group.rows for group in groups) == len(given_rows)
    assert sum(group.churned for group in groups) == sum(churned for churned, _ in given_rows)
    assert sum(g.rows * g.predicted for g in groups) == pytest.approx(sum(predicted))
    predicted = [group.predicted for group in groups]
    assert predicted == sorted(predicted, reverse=True)
    assert len(groups) <= 10


@given(rows)
def test_groups_keep_equal_probabilities_together(given_rows: Rows) -> None:
    groups = risk_groups(Predictions.of(table(given_rows)))
    ordered = sorted((thirtieths for _, thirtieths in given_rows), reverse=True)
    borders = np.cumsum([group.rows for group in groups])[:-1]
    assert all(ordered[border - 1] > ordered[border] for border in borders)


@given(rows)
def test_calibration_error_is_the_mean_gap_of_the_groups(given_rows: Rows) -> None:
    scores = score_group(table(given_rows))
    gap = sum(g.rows * abs(g.predicted - g.churn_rate) for g in scores.risk_groups)
    assert scores.expected_calibration_error == pytest.approx(gap / len(given_rows))


def test_interval_includes_its_rate_and_narrows_with_rows() -> None:
    few = risk_groups(Predictions.of(table([(n % 4 == 0, n % 10) for n in range(200)])))
    many = risk_groups(Predictions.of(table([(n % 4 == 0, n % 10) for n in range(20_000)])))
    widths = []
    for group in (*few, *many):
        assert group.interval is not None
        low, high = group.interval
        assert 0 <= low <= group.churn_rate <= high <= 1
        widths.append(high - low)
    assert max(widths[len(few) :]) < min(widths[: len(few)])


def test_interval_does_not_narrow_with_repeated_rows() -> None:
    once = [(n % 3 == 0, n % 10) for n in range(300)]
    alone = risk_groups(Predictions.of(table(once)))
    twice = risk_groups(Predictions.of(table([row for row in once for _ in range(2)], 2)))
    for one, both in zip(alone, twice, strict=True):
        assert one.interval == pytest.approx(both.interval, abs=0.01)
