"""Features from a history with rows on any day, of a table of its own, known some days later."""

from collections.abc import Mapping
from datetime import date, timedelta
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.features.history import add_history_features, history_feature_types
from churnlib.settings.history_features import Aggregation, Difference, HistoryFeatures
from tests.churnlib.features import oracle
from tests.churnlib.features.event_oracle import days_near
from tests.churnlib.features.oracle import Row
from tests.churnlib.features.strategies import FUNCTIONS, examples
from tests.churnlib.features.test_invariants import exact

TABLE = "play"
LATE = date(2030, 1, 1)
DAY = date(2024, 3, 31)
SCHEMA = {"char_id": pl.Int64, "date": pl.Date, "minutes": pl.Float64, "kills": pl.Float64}
COHORT = {"char_id": pl.Int64, "sub_id": pl.Int64, "day": pl.Date}
EVERYTHING = HistoryFeatures(
    latest=("minutes",),
    latest_known=("kills",),
    aggregations=(
        Aggregation(columns=("minutes", "kills"), functions=FUNCTIONS),
        Aggregation(columns=("minutes",), functions=FUNCTIONS, lookback_months=1),
    ),
    differences=(Difference(columns=("minutes", "kills"), periods=(1, 2, 13)),),
)

_values = st.one_of(st.none(), st.integers(0, 10**6).map(lambda cents: cents / 100))
_states = st.lists(
    st.fixed_dictionaries(
        {
            "char_id": st.sampled_from((1, 2, 30)),
            "date": st.builds(
                lambda day, more: day + timedelta(days=more), days_near(0, 6), st.integers(0, 3)
            ),
            "minutes": _values,
            "kills": _values,
        }
    ),
    unique_by=lambda row: (row["char_id"], row["date"]),
    max_size=25,
)
_cohorts = st.lists(st.tuples(st.sampled_from((1, 2, 30, 40)), days_near(0, 7)), max_size=6).map(
    lambda rows: [
        {"char_id": char_id, "sub_id": number, "day": day}
        for number, (char_id, day) in enumerate(rows)
    ]
)


def with_play(
    cohort: list[Row],
    states: list[Row],
    settings: HistoryFeatures = EVERYTHING,
    as_of: date = LATE,
    known_after_days: int = 0,
) -> pl.DataFrame:
    return add_history_features(
        pl.LazyFrame(cohort, schema=COHORT),
        pl.LazyFrame(states, schema=SCHEMA),
        settings,
        table=TABLE,
        as_of=as_of,
        known_after_days=known_after_days,
        day="day",
    ).collect()


def features(minutes: Mapping[date, float | None], settings: HistoryFeatures) -> Row:
    """The features of 31 March 2024."""
    states = [
        {"char_id": 1, "date": day, "minutes": value, "kills": None}
        for day, value in minutes.items()
    ]
    frame = with_play([{"char_id": 1, "sub_id": 1, "day": DAY}], states, settings)
    return frame.drop(COHORT).row(0, named=True)


@examples(40)
@given(
    _cohorts,
    _states,
    st.sampled_from((None, 1, 3)),
    days_near(2, 9),
    st.sampled_from((0, 1, 40)),
)
def test_features_of_days_equal_the_oracle(
    cohort: list[Row], states: list[Row], lookback: int | None, as_of: date, delay: int
) -> None:
    settings = EVERYTHING.model_copy(update={"lookback_months": lookback})
    actual = with_play(cohort, states, settings, as_of, delay)
    expected = []
    for row in cohort:
        sub = {**row, "sub_start_date": row["day"]}
        computed = oracle.currency(sub, states, settings, as_of, delay)
        named = {f"{TABLE}_{name.removeprefix('currency_')}": v for name, v in computed.items()}
        expected.append({**row, **named})
    oracle.assert_rows(actual, expected)
    assert actual.drop(COHORT).schema == history_feature_types(settings, TABLE)


@examples(25)
@given(_cohorts, _states, st.integers(0, 2**16), st.sampled_from((0, 1, 40)))
def test_neither_order_nor_later_knowledge_changes_a_feature(
    cohort: list[Row], states: list[Row], seed: int, delay: int
) -> None:
    random, own = Random(seed), cohort[:1]
    expected = exact(with_play(own, states, known_after_days=delay))
    changed = [
        {**state, "minutes": random.random(), "kills": None}
        if own and state["date"] + timedelta(days=delay) > own[0]["day"]
        else state
        for state in random.sample(states, len(states))
    ]
    assert exact(with_play(own, changed, known_after_days=delay)) == expected


@examples(25)
@given(_cohorts, _states, days_near(2, 9), st.sampled_from((1, 2, 5)))
@pytest.mark.slow
def test_own_months_equal_a_lookback_of_the_table(
    cohort: list[Row], states: list[Row], as_of: date, months: int
) -> None:
    def aggregated(lookback: int | None, own: int | None) -> pl.DataFrame:
        wanted = Aggregation(columns=("minutes",), functions=FUNCTIONS, lookback_months=own)
        settings = HistoryFeatures(lookback_months=lookback, aggregations=(wanted,))
        frame = with_play(cohort, states, settings, as_of).drop(f"{TABLE}_age_months")
        return frame.rename(lambda name: name.removesuffix(f"_{months}mo"))

    expected = exact(aggregated(months, None))
    assert exact(aggregated(None, months)) == expected
    assert exact(aggregated(months + 3, months)) == expected
    assert exact(aggregated(1, months)) == expected


@pytest.mark.parametrize("emptied", ["states", "rows"])
def test_empty_tables_keep_the_schema(emptied: str) -> None:
    cohort = [] if emptied == "rows" else [{"char_id": 1, "sub_id": 1, "day": DAY}]
    frame = with_play(cohort, [])
    assert frame.schema == {**COHORT, **history_feature_types(EVERYTHING, TABLE)}
    assert set(frame.drop(COHORT).row(0) if len(frame) else [None]) == {None}


def test_names_start_with_the_table() -> None:
    settings = HistoryFeatures(latest=("minutes",))
    assert features({DAY: 1.0}, settings) == {"play_minutes": 1.0, "play_age_months": 0}


@pytest.mark.parametrize(
    ("newest", "then", "period"),
    [
        (date(2024, 3, 31), date(2024, 2, 29), 1),
        (date(2024, 3, 30), date(2024, 2, 29), 1),
        (date(2024, 3, 31), date(2024, 1, 31), 2),
        (date(2024, 2, 29), date(2023, 2, 28), 12),
    ],
)
def test_a_difference_is_from_the_same_day_or_the_last_of_a_shorter_month(
    newest: date, then: date, period: int
) -> None:
    wanted = Difference(columns=("minutes",), periods=(period,))
    settings = HistoryFeatures(differences=(wanted,))
    near = {then - timedelta(days=1): 100.0, newest: 7.0}
    name = f"play_minutes_diff_{period}"
    assert features(near, settings)[name] is None
    assert features({**near, then: 5.0}, settings)[name] == 2.0


def test_a_slope_is_a_change_per_month() -> None:
    wanted = HistoryFeatures(
        aggregations=(Aggregation(columns=("minutes",), functions=("slope",)),)
    )

    def slope(minutes: dict[date, Any]) -> Any:
        return features(minutes, wanted)["play_minutes_slope"]

    firsts = {date(2024, 1, 1): 10.0, date(2024, 2, 1): 7.0, date(2024, 3, 1): 4.0}
    assert slope(firsts) == pytest.approx(-3.0, rel=1e-12)
    assert slope({date(2024, 3, 1): 0.0, DAY: 30.0}) == pytest.approx(31.0)
    assert slope(dict.fromkeys(firsts, 1000000000.0 + 0.1)) == 0.0
    assert slope({DAY: 1.0}) is None
    assert slope({DAY: 1.0, date(2024, 3, 1): None}) is None
    assert slope({**firsts, date(2024, 2, 15): None}) == pytest.approx(-3.0, rel=1e-12)


def test_the_newest_known_value_may_be_older_than_the_newest_row() -> None:
    settings = HistoryFeatures(latest_known=("minutes",), lookback_months=1)
    assert features({date(2024, 3, 1): 5.0, DAY: None}, settings)["play_minutes"] == 5.0
    assert features({date(2024, 2, 29): 5.0, DAY: None}, settings)["play_minutes"] is None
