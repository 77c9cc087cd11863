"""The feature table of a cohort, its columns and its window."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.errors import DataError
from churnlib.features.cohort import feature_columns, feature_table
from churnlib.features.cohort_rows import in_window
from churnlib.features.history import history_feature_types
from churnlib.settings import Settings, StandardSettings, load_settings
from churnlib.settings.features import FeatureSettings
from churnlib.settings.history_features import HistoryFeatures
from churnlib.settings.outcome import OutcomeSettings
from tests.base import HISTORY
from tests.churnlib.features import oracle
from tests.churnlib.features.strategies import (
    EVERYTHING,
    SUB_SCHEMA,
    Game,
    as_of_days,
    currency_settings,
    examples,
    games,
    sub,
    table,
    tables,
)


def by_name(game: Game) -> dict[str, pl.LazyFrame]:
    """The tables of a game."""
    names = ("character_data", "sub_data", "sub_miss", HISTORY)
    return dict(zip(names, tables(game), strict=True))


def settings_with(undated_totals: bool, currency: HistoryFeatures, months: int) -> Settings:
    """Settings of the features, with a number of months for both churn and horizon."""
    return load_settings("game1", environ={}, local=False).model_copy(
        update={
            "standard": StandardSettings(undated_totals=undated_totals),
            "features": FeatureSettings.model_validate({HISTORY: currency}),
            "outcome": OutcomeSettings(missed_months=months),
            "horizon_months": months + 3,
        }
    )


@examples(20)
@given(games, currency_settings(), as_of_days, st.integers(1, 3), st.booleans())
def test_feature_table_equals_oracle(
    game: Game, currency: HistoryFeatures, as_of: date, months: int, undated_totals: bool
) -> None:
    settings = settings_with(undated_totals, currency, months)
    rows = feature_table(by_name(game), settings, as_of=as_of).collect()
    expected = oracle.standard(game.characters, game.subs, as_of, undated_totals)
    for row in expected:
        churned_on = oracle.churned_on(row, game.subs, game.misses, settings.outcome, as_of)
        label = oracle.label(row, churned_on, as_of, months + 3, settings.outcome)
        row |= {"churned_on": churned_on, "sub_churn": label}
        row |= oracle.currency(row, game.currency, currency, as_of)
    oracle.assert_rows(rows, expected)


@pytest.mark.parametrize("undated_totals", [True, False])
@pytest.mark.parametrize("currency", [HistoryFeatures(), EVERYTHING])
def test_feature_columns_are_those_of_the_feature_table(
    undated_totals: bool, currency: HistoryFeatures
) -> None:
    settings = settings_with(undated_totals, currency, 3)
    rows = feature_table(by_name(Game()), settings, as_of=date(2024, 1, 1))
    schema = rows.collect().schema
    columns = feature_columns(settings)
    assert list(columns.items()) == list(schema.items())
    assert set(history_feature_types(currency, HISTORY)) <= set(columns)
    assert ("total_kills" in columns) == undated_totals


@examples(30)
@given(games, as_of_days, as_of_days)
def test_in_window_keeps_the_rows_between_its_days(game: Game, one: date, other: date) -> None:
    first, last = sorted((one, other))
    actual = in_window(table(game.subs, SUB_SCHEMA), first, last).collect()
    assert actual.to_dicts() == [s for s in game.subs if first <= s["sub_start_date"] <= last]


def test_in_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(DataError, match=r"ends on 2024-01-31, before it starts on 2024-02-01"):
        in_window(table([], SUB_SCHEMA), date(2024, 2, 1), date(2024, 1, 31))


def test_in_window_includes_both_ends() -> None:
    days = [date(2024, 1, 31), date(2024, 2, 1), date(2024, 2, 29), date(2024, 3, 1)]
    subs = table([sub(i, day) for i, day in enumerate(days)], SUB_SCHEMA)
    actual = in_window(subs, date(2024, 2, 1), date(2024, 2, 29)).collect()
    assert actual["sub_start_date"].to_list() == days[1:3]
