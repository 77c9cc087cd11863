"""Rows that a campaign reached, against an oracle."""

from datetime import date
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from churnlib.features.campaign import add_campaign, campaign_contacts
from tests.churnlib.features.oracle import month_number, month_start
from tests.churnlib.features.strategies import FIRST_MONTH, examples

SCHEMA = {
    "char_id": pl.Int64,
    "sub_id": pl.Int64,
    "contacted_on": pl.Date,
    "campaign": pl.String,
    "hold_out_share": pl.Float64,
}
DAYS = st.integers(0, 20).map(lambda month: month_start(FIRST_MONTH + month))
CONTACTS = st.tuples(
    st.integers(1, 3),
    DAYS,
    st.sampled_from(["contacted", "held_out"]),
    st.sampled_from([0.05, 0.5]),
)
ROWS = st.lists(st.tuples(st.integers(1, 4), DAYS), max_size=8)


def expected(row: tuple[int, date], contacts: list[Any], horizon: int) -> tuple[str, float]:
    sub_id, day = row
    during = [
        (kind, share)
        for of, on, kind, share in contacts
        if of == sub_id and on >= day and month_number(on) - month_number(day) < horizon
    ]
    if not during:
        return "none", 1.0
    if any(kind == "contacted" for kind, _ in during):
        return "contacted", 0.0
    return "held_out", 1 / min(share for _, share in during)


@examples(80)
@given(ROWS, st.lists(CONTACTS, max_size=8), st.integers(1, 7))
def test_campaign_of_rows_equals_oracle(
    rows: list[tuple[int, date]], contacts: list[Any], horizon: int
) -> None:
    cohort = pl.LazyFrame(rows, schema={"sub_id": pl.Int64, "day": pl.Date}, orient="row")
    known = pl.LazyFrame([(1, *c) for c in contacts], schema=SCHEMA, orient="row")
    found = add_campaign(cohort, known, horizon_months=horizon).collect()
    assert found.select("sub_id", "day").rows() == rows
    told = found.select("campaign", "campaign_weight").rows()
    assert told == [expected(row, contacts, horizon) for row in rows]
    if not contacts:
        assert_frame_equal(add_campaign(cohort, None, horizon_months=horizon).collect(), found)


def predictions(contact: list[bool | None]) -> pl.LazyFrame:
    return pl.LazyFrame(
        {
            "char_id": [1, 2, 3, 4, 5],
            "sub_id": [11, 12, 13, 14, 15],
            "churn_probability": [0.9, 0.8, 0.2, None, 0.7],
            "held_out": [False, True, True, False, False],
            "contact": contact,
        },
        schema_overrides={"contact": pl.Boolean},
    )


def contacts_of(contact: list[bool | None], threshold: float | None = 0.5) -> list[Any]:
    day = date(2024, 5, 1)
    found = campaign_contacts(
        predictions(contact), contacted_on=day, threshold=threshold, hold_out_share=0.05
    )
    assert found.collect_schema() == SCHEMA
    return found.select("sub_id", "campaign").collect().rows()


def test_contacts_of_a_batch_are_those_that_reach_the_threshold() -> None:
    assert contacts_of([True, False, False, False, False]) == [(11, "contacted"), (12, "held_out")]


def test_batch_that_contacts_nobody_has_no_contacts() -> None:
    assert contacts_of([None] * 5) == []
    assert contacts_of([False] * 5, threshold=None) == []
