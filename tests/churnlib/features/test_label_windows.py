"""The suggestion of a training window and horizon with both outcomes."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.features.label_windows import (
    ENOUGH,
    LabelWindow,
    churn_by_months,
    suggest_label_window,
)
from churnlib.months import months_apart

AS_OF = date(2025, 1, 1)
Sub = tuple[date, date | None]
"""The start of a subscription, and the day on which it churned."""

days = st.integers(0, 2000).map(lambda days: AS_OF - timedelta(days=days))
subs = st.lists(st.tuples(days, st.none() | st.integers(0, 800)), max_size=80).map(
    lambda rows: [
        (start, None if after is None else start + timedelta(days=after)) for start, after in rows
    ]
)


def frame(rows: list[Sub]) -> pl.LazyFrame:
    schema = {"sub_start_date": pl.Date, "churned_on": pl.Date}
    return pl.LazyFrame(rows, schema=schema, orient="row")


def suggest(rows: list[Sub], horizon_months: int, score_start: date) -> LabelWindow | None:
    counts = churn_by_months(frame(rows), as_of=AS_OF).collect()
    return suggest_label_window(
        counts, as_of=AS_OF, horizon_months=horizon_months, score_start=score_start
    )


@given(subs, st.integers(1, 12), st.integers(0, 12))
def test_suggestion_has_the_outcomes_that_it_states(
    rows: list[Sub], horizon: int, months_of_score: int
) -> None:
    score_start = date(
        2025 - (months_of_score > 0), 13 - months_of_score if months_of_score else 1, 1
    )
    window = suggest(rows, horizon, score_start)
    if window is None:
        return
    selected = [row for row in rows if window.first <= row[0] <= window.last]
    churned = [
        (start, day)
        for start, day in selected
        if day and start < day <= AS_OF and months_apart(start, day) <= window.horizon_months
    ]
    assert (window.churned, window.stayed) == (len(churned), len(selected) - len(churned))
    assert window.churned
    assert window.stayed
    assert months_apart(window.last, score_start) >= window.horizon_months


def test_suggestion_is_the_nearest_horizon_with_enough_of_both_outcomes() -> None:
    start, late = date(2023, 1, 10), date(2024, 1, 1)
    early = [(start, date(2023, 5, 1))] * (ENOUGH - 1)
    later = [(start, date(2023, 9, 1))] * 5
    stayed: list[Sub] = [(start, None)] * ENOUGH
    expected = LabelWindow(8, date(2023, 1, 1), date(2023, 5, 31), ENOUGH + 4, ENOUGH)
    assert suggest([*early, *later, *stayed], 3, late) == expected
    nearer = suggest([*early, *stayed], 3, late)
    assert nearer == LabelWindow(4, date(2023, 1, 1), date(2023, 9, 30), ENOUGH - 1, ENOUGH)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [(date(2023, 1, 1), None)],
        [(date(2023, 1, 1), date(2023, 4, 1))],
        [(date(2023, 1, 1), date(2025, 4, 1)), (date(2023, 1, 1), None)],
    ],
)
def test_no_suggestion_with_one_outcome(rows: list[Sub]) -> None:
    assert suggest(rows, 3, date(2024, 1, 1)) is None
