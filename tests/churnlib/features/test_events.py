"""The features from events against the oracle, their invariants, and an example of each rule."""

import math
import sys
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from churnlib.errors import DataError
from churnlib.features import row_runs
from churnlib.features.events import add_event_features, event_feature_types
from churnlib.features.row_runs import CHUNK
from churnlib.settings.event_features import EventAggregation, EventFeatures
from tests.churnlib.features import event_oracle as oracle
from tests.churnlib.features.event_oracle import (
    COHORT,
    EVERYTHING,
    FUNCTIONS,
    SCHEMA,
    TABLE,
    cohorts,
    days_near,
    event,
    event_settings,
    events,
    row,
)
from tests.churnlib.features.oracle import Row
from tests.churnlib.features.strategies import CHUNKS, examples
from tests.churnlib.features.test_invariants import exact

LATE = date(2030, 1, 1)
DAY = date(2024, 3, 15)
NOON = datetime(2024, 3, 15, 12)
SEEDS = st.integers(0, 2**16)


def with_events(
    cohort: Sequence[Row],
    happened: Sequence[Row],
    settings: EventFeatures = EVERYTHING,
    as_of: date = LATE,
    known_after_days: int = 0,
    time_type: Any = SCHEMA["at"],
) -> pl.DataFrame:
    return add_event_features(
        pl.LazyFrame(cohort, schema=COHORT),
        pl.LazyFrame(happened, schema={**SCHEMA, "at": time_type}),
        settings,
        table=TABLE,
        time="at",
        as_of=as_of,
        known_after_days=known_after_days,
        day="day",
    ).collect()


def features(happened: Sequence[Row], **settings: Any) -> Row:
    """The features of 15 March 2024, by their names without the table's."""
    frame = with_events([row(1, DAY)], happened, EventFeatures(**settings))
    named = frame.drop(COHORT).row(0, named=True)
    return {name.removeprefix(f"{TABLE}_"): value for name, value in named.items()}


def aggregation(*functions: str, column: str = "minutes") -> list[dict[str, Any]]:
    return [{"columns": (column,), "functions": functions}]


def assert_equals_oracle(
    cohort: Sequence[Row], happened: Sequence[Row], settings: EventFeatures, *args: Any
) -> None:
    frame = with_events(cohort, happened, settings, *args)
    assert frame.drop(COHORT).schema == event_feature_types(settings, TABLE)
    for actual, each in zip(frame.iter_rows(named=True), cohort, strict=True):
        expected = {**each, **oracle.features(each, happened, settings, *args or (LATE,))}
        assert list(actual) == list(expected)
        for name, value in expected.items():
            if isinstance(value, float) and isinstance(actual[name], float):
                assert math.isclose(actual[name], value, rel_tol=1e-9, abs_tol=1e-6), name
            else:
                assert actual[name] == value, name


@examples(50)
@given(cohorts, events, event_settings(), days_near(2, 9), st.sampled_from((0, 1, 40)), CHUNKS)
def test_event_features_equal_oracle_for_any_settings(
    cohort: list[Row],
    happened: list[Row],
    settings: EventFeatures,
    as_of: date,
    delay: int,
    chunk: int,
) -> None:
    with patch.object(row_runs, "CHUNK", chunk):
        assert_equals_oracle(cohort, happened, settings, as_of, delay)


@examples(25)
@given(cohorts, events)
def test_event_features_equal_oracle_for_every_kind(cohort: list[Row], happened: list[Row]) -> None:
    assert_equals_oracle(cohort, happened, EVERYTHING)


@examples(20)
@given(cohorts, events, SEEDS)
def test_order_of_events_and_rows_does_not_matter(
    cohort: list[Row], happened: list[Row], seed: int
) -> None:
    random = Random(seed)
    shuffled = with_events(
        random.sample(cohort, len(cohort)), random.sample(happened, len(happened))
    )
    assert exact(shuffled.sort("row")) == exact(with_events(cohort, happened).sort("row"))


@examples(20)
@given(cohorts, events, SEEDS, st.sampled_from((0, 1, 40)))
def test_events_that_are_known_after_the_day_change_nothing(
    cohort: list[Row], happened: list[Row], seed: int, delay: int
) -> None:
    random = Random(seed)
    for each in cohort[:1]:
        known = each["day"] - timedelta(days=delay)
        past = [one for one in happened if oracle.day_of(one) <= known]
        future = [
            event(random.choice((1, 2, 3)), datetime.combine(known, datetime.min.time()) + ahead)
            for ahead in (timedelta(days=1), timedelta(days=1, seconds=1), timedelta(days=50))
        ]
        assert exact(with_events([each], past + future, EVERYTHING, LATE, delay)) == exact(
            with_events([each], past, EVERYTHING, LATE, delay)
        )


@examples(12)
@given(cohorts, events)
def test_characters_do_not_depend_on_others(cohort: list[Row], happened: list[Row]) -> None:
    schema, together = exact(with_events(cohort, happened))
    for char_id in {each["char_id"] for each in cohort}:
        own_rows, own_events = (
            [each for each in facts if each["char_id"] == char_id] for facts in (cohort, happened)
        )
        own = [each for each in together if each["char_id"] == char_id]
        assert exact(with_events(own_rows, own_events)) == (schema, own)


@examples(12)
@given(cohorts, events, days_near(2, 9), st.sampled_from((1, 40)))
def test_later_knowledge_equals_earlier_days_for_counts(
    cohort: list[Row], happened: list[Row], as_of: date, delay: int
) -> None:
    later = [{**each, "at": each["at"] + timedelta(days=delay)} for each in happened]
    moved = with_events(cohort, later, EventFeatures(days_since_last=True), as_of)
    delayed = with_events(cohort, happened, EventFeatures(days_since_last=True), as_of, delay)
    age = f"{TABLE}_days_since_last"
    assert (moved[age] + delay).to_list() == delayed[age].to_list()


@pytest.mark.parametrize("emptied", ["events", "rows", "both"])
def test_empty_tables_keep_the_schema(emptied: str) -> None:
    cohort = [] if emptied in ("rows", "both") else [row(1, DAY)]
    happened = [] if emptied in ("events", "both") else [event(1, NOON)]
    frame = with_events(cohort, happened)
    assert frame.schema == {**COHORT, **event_feature_types(EVERYTHING, TABLE)}
    for name, value in (frame.drop(COHORT).to_dicts() or [{}])[0].items():
        is_zero = any(word in name for word in ("_count_", "_sum_", "_distinct_"))
        assert value == (0 if is_zero else None), name


def test_a_date_is_a_time(name: str = "minutes") -> None:
    happened = [event(1, date(2024, 3, day), minutes=float(day)) for day in (14, 15, 15, 16)]
    frame = with_events([row(1, DAY)], happened, time_type=pl.Date)
    midnights = [{**e, "at": datetime.combine(e["at"], datetime.min.time())} for e in happened]
    assert exact(frame) == exact(with_events([row(1, DAY)], midnights))
    assert frame[f"{TABLE}_{name}_sum_30d"].item() == 44


def test_an_event_on_the_day_itself_is_visible_whatever_its_time() -> None:
    happened = [event(1, datetime(2024, 3, 15, 23, 59, 59)), event(1, datetime(2024, 3, 16))]
    assert features(happened, windows=("1d",), count=True) == {"count_1d": 1}


def test_windows_of_days_and_months_begin_where_they_should() -> None:
    happened = [
        event(1, datetime(2024, *day)) for day in ((3, 1), (2, 29), (2, 15), (2, 14), (1, 31))
    ]
    windows = ("14d", "15d", "30d", "31d", "1mo", "2mo", "15d..30d", "1mo..2mo")
    assert features(happened, windows=windows, count=True) == {
        "count_14d": 0,
        "count_15d": 1,
        "count_30d": 3,
        "count_31d": 4,
        "count_1mo": 1,
        "count_2mo": 4,
        "count_15d_30d": 2,
        "count_1mo_2mo": 3,
    }


def test_days_since_events_are_whole_days_between_dates() -> None:
    happened = [event(1, datetime(2024, 3, 13, 23, 59)), event(1, datetime(2024, 1, 1))]
    assert features(happened, days_since_last=True, days_since_first=True) == {
        "days_since_last": 2,
        "days_since_first": 74,
    }


def test_flags_are_numbers() -> None:
    happened = [event(1, NOON, won=won) for won in (True, True, False, None)]
    assert features(
        happened, windows=("1d",), aggregations=aggregation("sum", "mean", column="won")
    ) == {
        "won_sum_1d": 2.0,
        "won_mean_1d": 2 / 3,
    }


def test_null_is_neither_a_value_nor_counted_apart() -> None:
    happened = [event(1, NOON, platform=value) for value in ("pc", None, "pc", "web", None)]
    by = {"platform": ("pc", "mobile")}
    assert features(happened, windows=("1d",), distinct=("platform",), by=by) == {
        "platform_pc_count_1d": 2,
        "platform_mobile_count_1d": 0,
        "platform_distinct_1d": 2,
    }


def test_sums_do_not_depend_on_the_order_of_events_of_the_same_second() -> None:
    values = [1e16, 1.0, -1e16, 1.0, 0.1, 0.2, 0.3, None, -0.0] * 3
    wanted = {"windows": ("1d",), "aggregations": aggregation(*FUNCTIONS)}
    results = set()
    for seed in range(20):
        shuffled = Random(seed).sample(values, len(values))
        row = features([event(1, NOON, minutes=value) for value in shuffled], **wanted)
        results.add(tuple(value.hex() for value in row.values()))
    assert len(results) == 1


def test_a_value_in_a_sum_does_not_depend_on_other_columns() -> None:
    happened = [event(1, NOON, minutes=m / 10, score=-m / 7) for m in range(1, 40)]
    alone = features(happened, windows=("1d",), aggregations=aggregation("sum", "std"))
    both = features(
        happened,
        windows=("1d",),
        aggregations=[{"columns": ("score", "minutes"), "functions": ("sum", "std")}],
    )
    assert alone.items() <= both.items()


@pytest.mark.filterwarnings("error")
def test_extreme_numbers_give_finite_and_correct_features() -> None:
    happened = [event(1, NOON, minutes=value) for value in (1.7e308, 1.6e308, 1.5e308)]
    row = features(happened, windows=("1d",), aggregations=aggregation(*FUNCTIONS))
    assert row["minutes_sum_1d"] == sys.float_info.max
    assert row["minutes_mean_1d"] == pytest.approx(1.6e308)
    assert row["minutes_median_1d"] == 1.6e308
    assert row["minutes_std_1d"] == pytest.approx(1e307)


@pytest.mark.parametrize("counts", [(CHUNK + 5, 3), (1, CHUNK, 2, CHUNK - 1), (40,) * 4000])
def test_windows_of_many_events_equal_their_definition(counts: tuple[int, ...]) -> None:
    random = Random(7)
    random_days = pl.Series([date(2024, 3, 15) - timedelta(days=d) for d in range(400)])
    char_id = pl.Series(range(len(counts))).repeat_by(pl.Series(counts)).explode()
    draws = [random.randrange(10**6) for _ in range(len(char_id))]
    happened = pl.DataFrame(
        {
            "char_id": char_id.cast(pl.Int64),
            "at": random_days.gather([draw % 400 for draw in draws]).cast(pl.Datetime("us")),
            "minutes": [draw / 8 for draw in draws],
        }
    )
    settings = EventFeatures(
        windows=("90d",),
        count=True,
        distinct=("minutes",),
        aggregations=(EventAggregation(columns=("minutes",), functions=FUNCTIONS),),
    )
    cohort = pl.DataFrame({"char_id": range(len(counts)), "day": [DAY] * len(counts)})
    actual = add_event_features(
        cohort.lazy(), happened.lazy(), settings, table="e", time="at", as_of=LATE, day="day"
    ).collect()
    inside = happened.filter(pl.col("at") > datetime(2024, 3, 15) - timedelta(days=90))
    value = pl.col("minutes")
    expected = inside.group_by("char_id").agg(
        e_count_90d=pl.len().cast(pl.Int32),
        e_minutes_distinct_90d=value.n_unique().cast(pl.Int32),
        **{f"e_minutes_{name}_90d": getattr(value, name)() for name in FUNCTIONS},
    )
    expected = cohort.join(expected, on="char_id", how="left", maintain_order="left")
    assert_frame_equal(
        actual,
        expected.with_columns(
            pl.col("^.*_(count|distinct|sum)_.*$").fill_null(0),
        ),
        rel_tol=1e-9,
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"distinct": ("plattform",)}, "rows of logins lack the column 'plattform'. Did you mean"),
        ({"aggregations": aggregation("sum", column="platform")}, "'platform' must hold numbers"),
        ({"by": {"minutes": ("1",)}}, "'minutes' must hold text"),
    ],
)
def test_columns_that_cannot_be_used_are_refused(settings: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        features([event(1, NOON)], windows=("1d",), **settings)


def test_text_can_identify_characters() -> None:
    cohort = pl.LazyFrame({"char_id": ["b", "a"], "day": [DAY] * 2})
    happened = pl.LazyFrame({"char_id": ["a", "b", "a"], "at": [DAY] * 3})
    settings = EventFeatures(windows=("1d",), count=True)
    frame = add_event_features(
        cohort, happened, settings, table="e", time="at", as_of=LATE, day="day"
    ).collect()
    assert frame["e_count_1d"].to_list() == [1, 2]
