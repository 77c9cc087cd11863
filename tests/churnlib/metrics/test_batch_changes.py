"""A batch beside the one before: lists, and risks that moved."""

from dataclasses import asdict
from datetime import date

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from churnlib.metrics.batch_changes import (
    add_listed,
    add_previous,
    compare_batches,
    most_moved,
)
from tests.variants import examples


def batch(
    risks: dict[int, float], threshold: float | None = 0.5, day: date = date(2024, 5, 1)
) -> pl.DataFrame:
    """The predictions of subscriptions; without a threshold, contact is not decided."""
    rows = sorted(risks.items(), key=lambda row: (-row[1], row[0]))
    return pl.DataFrame(
        {
            "char_id": [sub_id // 10 for sub_id, _ in rows],
            "sub_id": [sub_id for sub_id, _ in rows],
            "day": [day] * len(rows),
            "churn_probability": [risk for _, risk in rows],
            "risk_rank": range(1, len(rows) + 1),
            "contact": [None if threshold is None else risk >= threshold for _, risk in rows],
        },
        schema_overrides={"sub_id": pl.Int64, "char_id": pl.Int64, "contact": pl.Boolean},
    )


RISKS = st.dictionaries(st.integers(1, 12), st.floats(0, 1, width=16), max_size=12)


@examples(60, derandomize=True)
@given(RISKS, RISKS)
def test_changes_equal_sets_of_subscriptions(now: dict[int, float], then: dict[int, float]) -> None:
    listed, before = ({k for k, risk in risks.items() if risk >= 0.5} for risks in (now, then))
    assert asdict(compare_batches(add_listed(batch(now), 0.5), add_listed(batch(then), 0.5))) == {
        "listed": len(listed),
        "listed_before": len(before),
        "stayed": len(listed & before),
        "began": len(listed - then.keys()),
        "rose": len(listed & then.keys() - before),
        "fell": len(before & now.keys() - listed),
        "gone": len(before - now.keys()),
    }


@examples(60, derandomize=True)
@given(RISKS, RISKS)
def test_previous_probability_is_that_of_the_same_subscription(
    now: dict[int, float], then: dict[int, float]
) -> None:
    rows = add_previous(batch(now), batch(then))
    assert rows["sub_id"].to_list() == batch(now)["sub_id"].to_list()
    assert dict(rows.select("sub_id", "previous_probability").rows()) == {
        sub_id: then.get(sub_id) for sub_id in now
    }


def test_previous_probability_of_several_days_is_the_last() -> None:
    days = [
        batch({1: risk}, day=day)
        for risk, day in ((0.2, date(2024, 5, 1)), (0.7, date(2024, 4, 1)))
    ]
    assert add_previous(batch({1: 0.9}), pl.concat(days))["previous_probability"].to_list() == [0.2]


def test_first_batch_has_no_previous_probability() -> None:
    rows = add_previous(batch({1: 0.9}), None)
    assert rows.schema["previous_probability"] == pl.Float64
    assert rows["previous_probability"].to_list() == [None]


def test_undecided_list_is_the_riskiest_tenth() -> None:
    rows = batch({n: n / 100 for n in range(1, 26)}, threshold=None)
    assert add_listed(rows, 0.05).filter("listed")["sub_id"].to_list() == [25, 24, 23]


def test_list_has_those_who_reach_the_threshold_whether_or_not_they_are_held_out() -> None:
    rows = batch({1: 0.9, 2: 0.6, 3: 0.4}).with_columns(contact=pl.col("sub_id") == 2)
    assert add_listed(rows, 0.5).filter("listed")["sub_id"].to_list() == [1, 2]
    assert add_listed(rows, None).filter("listed").is_empty()


def test_most_moved_are_the_greatest_rises_and_falls() -> None:
    now = batch({1: 0.5, 2: 0.1, 3: 0.9, 4: 0.3})
    moved = most_moved(add_previous(now, batch({1: 0.5, 2: 0.75, 3: 0.4})), 10)
    assert moved.select("sub_id", pl.col("change").round(6)).rows() == [(2, -0.65), (3, 0.5)]
