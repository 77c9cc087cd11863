"""The currency features against the oracle, and an example of each rule."""

import statistics
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given

from churnlib.features import row_runs
from churnlib.features.history import add_history_features, history_feature_types
from churnlib.settings.history_features import Aggregation, Difference, Fill, HistoryFeatures
from tests.base import HISTORY
from tests.churnlib.features import oracle
from tests.churnlib.features.oracle import Row
from tests.churnlib.features.strategies import (
    AMOUNTS,
    CHUNKS,
    CURRENCY_SCHEMA,
    EVERYTHING,
    FUNCTIONS,
    SUB_SCHEMA,
    Game,
    amounts,
    as_of_days,
    currency_settings,
    examples,
    games,
    sub,
    table,
)

LATE = date(2030, 1, 1)

Balances = Mapping[date, float | None]


def with_currency(
    subs: Sequence[Row], rows: Sequence[Row], settings: HistoryFeatures, as_of: date = LATE
) -> pl.DataFrame:
    lazy = add_history_features(
        table(subs, SUB_SCHEMA),
        table(rows, CURRENCY_SCHEMA),
        settings,
        table=HISTORY,
        as_of=as_of,
    )
    return lazy.collect()


def features(rows: Sequence[Row], settings: HistoryFeatures, as_of: date = LATE) -> Row:
    """The currency features of a subscription of 15 March 2024."""
    frame = with_currency([sub(start=date(2024, 3, 15))], rows, settings, as_of)
    return frame.drop(SUB_SCHEMA).row(0, named=True)


def history(balances: Balances) -> list[Row]:
    return [amounts(day, balance) for day, balance in balances.items()]


def aggregates(balances: Balances, **options: Any) -> Row:
    """All aggregations of a history's hard balance."""
    every = Aggregation(columns=("hard_balance",), functions=FUNCTIONS, **options)
    row = features(history(balances), HistoryFeatures(aggregations=(every,)))
    return {name: row[f"hard_balance_{name}"] for name in FUNCTIONS}


def difference(balances: Balances, period: int, **options: Any) -> Any:
    """A difference of a history's hard balance."""
    lookback = options.pop("lookback_months", None)
    wanted = Difference(columns=("hard_balance",), periods=(period,), **options)
    settings = HistoryFeatures(lookback_months=lookback, differences=(wanted,))
    return features(history(balances), settings)[f"hard_balance_diff_{period}"]


def assert_equals_oracle(game: Game, settings: HistoryFeatures, as_of: date) -> None:
    actual = with_currency(game.subs, game.currency, settings, as_of)
    expected = [{**s, **oracle.currency(s, game.currency, settings, as_of)} for s in game.subs]
    oracle.assert_rows(actual, expected)
    for name in history_feature_types(settings, HISTORY):
        counts = name == "currency_age_months" or "_count" in name
        assert actual.schema[name] == (pl.Int32 if counts else pl.Float64), name


@examples(80)
@given(games, currency_settings(), as_of_days, CHUNKS)
def test_currency_features_equal_oracle_for_any_settings(
    game: Game, settings: HistoryFeatures, as_of: date, chunk: int
) -> None:
    with patch.object(row_runs, "CHUNK", chunk):
        assert_equals_oracle(game, settings, as_of)


def test_oracle_raises_on_an_unknown_aggregation_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(oracle.AGGREGATIONS, "max")
    wanted = Aggregation(columns=("hard_balance",), functions=("max",))
    with pytest.raises(NotImplementedError, match="'max'"):
        oracle.currency(
            sub(),
            [amounts(date(2024, 1, 1), 1.0)],
            HistoryFeatures(aggregations=(wanted,)),
            LATE,
        )


def test_oracle_raises_on_an_unknown_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = oracle.FIELDS[HistoryFeatures] - {"latest"}
    monkeypatch.setattr(oracle, "FIELDS", oracle.FIELDS | {HistoryFeatures: fields})
    with pytest.raises(NotImplementedError, match="latest"):
        oracle.currency(sub(), [], HistoryFeatures(), LATE)


@examples(50)
@given(games)
def test_currency_features_equal_oracle_for_every_kind(game: Game) -> None:
    assert_equals_oracle(game, EVERYTHING, LATE)


def test_feature_columns_are_the_ones_that_the_settings_name() -> None:
    actual = with_currency([sub()], [amounts(date(2024, 3, 1), 1.0)], EVERYTHING)
    assert actual.drop(SUB_SCHEMA).columns == list(history_feature_types(EVERYTHING, HISTORY))


def test_age_of_the_newest_row_is_a_feature_without_any_settings() -> None:
    assert features([amounts(date(2024, 1, 1), 5.0)], HistoryFeatures()) == {
        "currency_age_months": 2
    }


@pytest.mark.parametrize(
    ("start", "balance", "age"),
    [(date(2024, 2, 29), 1.0, 1), (date(2024, 3, 1), 2.0, 0), (date(2024, 12, 31), 2.0, 9)],
)
def test_latest_is_the_newest_row_on_or_before_the_start(
    start: date, balance: float, age: int
) -> None:
    rows = history({date(2024, 3, 1): 2.0, date(2024, 1, 1): 1.0})
    actual = with_currency([sub(start=start)], rows, HistoryFeatures(latest=("soft_balance",)))
    assert actual["soft_balance"].item() == balance
    assert actual["currency_age_months"].item() == age


def test_latest_is_null_where_the_newest_row_has_no_value() -> None:
    rows = history({date(2024, 1, 1): 1.0, date(2024, 2, 1): None})
    actual = features(rows, HistoryFeatures(latest=("hard_balance",)))
    assert actual == {"hard_balance": None, "currency_age_months": 1}


@pytest.mark.parametrize(("lookback_months", "count"), [(1, 1), (2, 2), (3, 3), (None, 4)])
def test_lookback_includes_the_month_of_the_start(lookback_months: int | None, count: int) -> None:
    days = [date(2023, 3, 1), date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1)]
    settings = HistoryFeatures(
        lookback_months=lookback_months,
        aggregations=(Aggregation(columns=("hard_balance",), functions=("count",)),),
    )
    actual = features(history(dict.fromkeys(days, 1.0)), settings)
    assert actual["hard_balance_count"] == count


def test_lookback_counts_from_the_start_and_not_from_the_newest_row() -> None:
    rows = history({date(2023, 11, 1): 1.0, date(2023, 12, 1): 2.0})
    settings = HistoryFeatures(lookback_months=3, latest=("hard_balance",))
    assert features(rows, settings) == {"hard_balance": None, "currency_age_months": None}


def test_aggregations_ignore_nulls() -> None:
    actual = aggregates({date(2024, 1, 1): 1.0, date(2024, 2, 1): None, date(2024, 3, 1): 4.0})
    known = {"mean": 2.5, "max": 4, "min": 1, "std": 4.5**0.5, "sum": 5, "first": 1, "count": 2}
    assert {name: actual[name] for name in known} == pytest.approx(known)


def test_aggregations_of_nulls_only() -> None:
    assert aggregates({date(2024, 1, 1): None, date(2024, 2, 1): None}) == {
        **dict.fromkeys(FUNCTIONS),
        "sum": 0.0,
        "count": 0,
    }


def test_std_of_one_value_is_null() -> None:
    actual = aggregates({date(2024, 1, 1): 3.0, date(2024, 2, 1): None})
    assert (actual["mean"], actual["std"]) == (3.0, None)


def test_first_is_the_oldest_row_even_where_it_has_no_value() -> None:
    assert aggregates({date(2024, 2, 1): 2.0, date(2024, 1, 1): 1.0})["first"] == 1.0
    assert aggregates({date(2024, 2, 1): 2.0, date(2024, 1, 1): None})["first"] is None


def test_fill_of_an_aggregation_replaces_only_null_results() -> None:
    nulls = aggregates({date(2024, 1, 1): None}, fill=-1)
    assert nulls == {**dict.fromkeys(FUNCTIONS, -1.0), "sum": 0.0, "count": 0}
    assert aggregates({date(2024, 1, 1): 2.0}, fill=-1)["mean"] == 2.0


def test_differences_go_by_calendar_month_through_gaps() -> None:
    balances = {date(2023, 11, 1): 10.0, date(2024, 1, 1): 30.0, date(2024, 2, 1): 100.0}
    assert difference(balances, 1) == 70.0
    assert difference(balances, 2) is None
    assert difference(balances, 3) == 90.0


def test_difference_is_null_where_either_value_is() -> None:
    assert difference({date(2024, 1, 1): None, date(2024, 2, 1): 1.0}, 1) is None
    assert difference({date(2024, 1, 1): 1.0, date(2024, 2, 1): None}, 1) is None


def test_difference_ignores_rows_before_the_lookback() -> None:
    balances = {date(2024, 1, 1): 30.0, date(2024, 3, 1): 100.0}
    assert difference(balances, 2, lookback_months=2) is None
    assert difference(balances, 2, lookback_months=3) == 70.0


@pytest.mark.parametrize(("fill", "expected"), [(None, None), (-1, -1.0), ("self", 8.0)])
def test_fill_of_a_difference_replaces_only_null_results(fill: Any, expected: float | None) -> None:
    balances: Balances = {date(2023, 12, 1): 3.0, date(2024, 2, 1): 8.0}
    assert difference(balances, 1, fill=fill) == expected
    assert difference(balances, 2, fill=fill) == 5.0


def test_difference_filled_with_self_is_null_where_the_newest_value_is() -> None:
    assert difference({date(2024, 2, 1): None}, 1, fill="self") is None


def test_fill_values_are_applied_first() -> None:
    settings = HistoryFeatures(
        fill_values=(Fill(columns=("hard_balance",), value=2),),
        latest=("hard_balance", "soft_balance"),
        aggregations=(Aggregation(columns=("hard_balance",), functions=("first", "count")),),
        differences=(Difference(columns=("hard_balance",), periods=(1,)),),
    )
    rows = history({date(2024, 1, 1): None, date(2024, 2, 1): 7.0, date(2024, 3, 1): None})
    assert features(rows, settings) == {
        "hard_balance": 2.0,
        "soft_balance": None,
        "currency_age_months": 0,
        "hard_balance_first": 2.0,
        "hard_balance_count": 3,
        "hard_balance_diff_1": -5.0,
    }


def test_features_are_null_without_visible_row_whatever_the_fills() -> None:
    settings = HistoryFeatures(
        fill_values=(Fill(columns=AMOUNTS, value=2),),
        latest=AMOUNTS,
        aggregations=(Aggregation(columns=AMOUNTS, functions=FUNCTIONS, fill=0),),
        differences=(
            Difference(columns=("sub_hard",), periods=(1,), fill=0),
            Difference(columns=("sub_soft",), periods=(1,), fill="self"),
        ),
    )
    rows = [amounts(date(2024, 4, 1), 1.0), amounts(date(2024, 1, 1), 1.0, char_id=2)]
    assert features(rows, settings) == dict.fromkeys(list(history_feature_types(settings, HISTORY)))


def test_rows_dated_after_as_of_are_not_read() -> None:
    rows = history({date(2024, 2, 1): 1.0, date(2024, 3, 1): 2.0})
    settings = HistoryFeatures(latest=("hard_balance",))
    assert features(rows, settings, as_of=date(2024, 3, 1))["hard_balance"] == 2.0
    assert features(rows, settings, as_of=date(2024, 2, 29))["hard_balance"] == 1.0


def test_std_of_large_balances_keeps_its_digits() -> None:
    balances = {date(2024, m, 1): 1e6 + m / 100 for m in (1, 2, 3)}
    assert aggregates(balances)["std"] == pytest.approx(0.01, abs=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "values",
    [
        (9.2e15, 300.0, 310.0, None),
        (1e300, 5.0, None, 7.0),
        (1e300, -3e300, 2e299),
        (-1.7e308, -1.6e308),
        (5.0, 7.0),
    ],
    ids=["bots", "one", "all", "largest", "none"],
)
def test_extreme_amounts_give_finite_and_correct_features(values: Sequence[float | None]) -> None:
    balances = {date(2024, month, 1): value for month, value in enumerate(values, 1)}
    known = [Fraction(value) for value in values if value is not None]
    expected: dict[str, Any] = {
        "sum": max(sum(known), Fraction(-sys.float_info.max)),
        "mean": statistics.mean(known),
        "median": statistics.median(known),
        "slope": oracle.slope(
            [Fraction(n) for n, value in enumerate(values) if value is not None], known
        ),
        "std": statistics.stdev(known),
        "max": max(known),
        "min": min(known),
        "count": len(known),
        "first": values[0],
    }
    # Another character's history is not touched by the scale of this one's.
    ordinary = {date(2024, month, 1): float(month) for month in (1, 2, 3)}
    both = history(balances) + [amounts(day, value, char_id=2) for day, value in ordinary.items()]
    every = Aggregation(columns=("hard_balance",), functions=FUNCTIONS)
    subs = [sub(start=date(2024, 4, 15)), sub(2, date(2024, 4, 15), 2)]
    frame = with_currency(subs, both, HistoryFeatures(aggregations=(every,)))
    for name in FUNCTIONS:
        extreme, usual = frame[f"hard_balance_{name}"]
        assert extreme == pytest.approx(float(expected[name]), rel=1e-12), name
        assert usual == aggregates(ordinary)[name]


@pytest.mark.filterwarnings("error")
def test_a_difference_beyond_the_largest_number_is_that_number() -> None:
    january, march = date(2024, 1, 1), date(2024, 3, 1)
    largest = sys.float_info.max
    assert difference({january: -1.7e308, march: 1.7e308}, 2) == largest
    assert difference({january: 1.7e308, march: -1.7e308}, 2) == -largest
    assert difference({january: 1e300, march: -1e300}, 2) == -2e300


@pytest.mark.filterwarnings("error")
def test_an_overflow_is_not_filled_as_if_it_were_null() -> None:
    days = [date(2024, month, 1) for month in (1, 2, 3)]
    row = aggregates(dict(zip(days, (1.7e308, -1.7e308, 1.7e308), strict=True)), fill=0.0)
    assert row["std"] == sys.float_info.max
    assert row["mean"] == pytest.approx(1.7e308 / 3)
