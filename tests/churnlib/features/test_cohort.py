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
from churnlib.schemas.outputs import cohort_columns
from churnlib.settings import CohortSettings, Settings, StandardSettings, load_settings
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

MONTHLY = CohortSettings(grain="monthly")


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
        row |= {"churned_on": churned_on, "day": row["sub_start_date"], "sub_churn": label}
        row |= oracle.currency(row, game.currency, currency, as_of)
    oracle.assert_rows(rows, expected)


OUTCOMES = st.builds(
    OutcomeSettings,
    missed_months=st.integers(1, 3),
    not_renewed_months=st.none() | st.integers(1, 2),
    of=st.sampled_from(["subscription", "character"]),
)


@examples(40)
@given(games, as_of_days, OUTCOMES, st.booleans())
def test_monthly_feature_table_equals_oracle(
    game: Game, as_of: date, outcome: OutcomeSettings, reads_misses: bool
) -> None:
    currency = HistoryFeatures(latest=("hard_balance",), lookback_months=6)
    cohort = CohortSettings(grain="monthly", reads_misses=reads_misses)
    settings = settings_with(False, currency, 3).model_copy(
        update={"cohort": cohort, "outcome": outcome}
    )
    rows = feature_table(by_name(game), settings, as_of=as_of).collect()
    standard = oracle.standard(game.characters, game.subs, as_of)
    for row in standard:
        row["churned_on"] = oracle.churned_on(row, game.subs, game.misses, outcome, as_of)
    expected = oracle.monthly(standard, game.characters, game.misses, as_of)
    for row in expected:
        on_day = {**row, "sub_start_date": row["day"]}
        row["sub_churn"] = oracle.label(
            on_day, row["churned_on"], as_of, settings.horizon_months, outcome
        )
        row |= oracle.currency(on_day, game.currency, currency, as_of)
        if not reads_misses:
            for name in {*cohort_columns(CohortSettings(grain="monthly"))} - {
                *cohort_columns(cohort)
            }:
                del row[name]
    oracle.assert_rows(rows, expected)


@examples(40)
@given(games, as_of_days, as_of_days, as_of_days)
def test_monthly_window_holds_the_rows_of_its_days(
    game: Game, as_of: date, one: date, other: date
) -> None:
    span = min(one, other), max(one, other)
    settings = settings_with(False, HistoryFeatures(), 3).model_copy(update={"cohort": MONTHLY})
    every = feature_table(by_name(game), settings, as_of=as_of)
    some = feature_table(by_name(game), settings, as_of=as_of, span=span)
    assert some.collect().equals(in_window(every, *span).collect())


@examples(40)
@given(games, as_of_days)
def test_monthly_row_on_the_day_of_the_start_has_the_features_of_the_start(
    game: Game, as_of: date
) -> None:
    settings = settings_with(False, EVERYTHING, 3)
    monthly = feature_table(
        by_name(game), settings.model_copy(update={"cohort": MONTHLY}), as_of=as_of
    ).collect()
    at_start = feature_table(by_name(game), settings, as_of=as_of).collect()
    on_start = monthly.filter(pl.col("day") == pl.col("sub_start_date")).select(at_start.columns)
    runs = (pl.col("churned_on") > pl.col("day")).fill_null(True) & (pl.col("sub_months") > 0)
    first_of_month = at_start.filter(pl.col("day").dt.day() == 1, runs)
    assert on_start.equals(first_of_month)


@examples(40)
@given(games, as_of_days)
def test_previous_churn_at_the_start_equals_oracle(game: Game, as_of: date) -> None:
    settings = settings_with(False, HistoryFeatures(), 2).model_copy(
        update={"cohort": CohortSettings(reads_misses=True)}
    )
    rows = feature_table(by_name(game), settings, as_of=as_of).collect()
    standard = oracle.standard(game.characters, game.subs, as_of)
    for row in standard:
        row["churned_on"] = oracle.churned_on(row, game.subs, game.misses, settings.outcome, as_of)
    expected = [oracle.previous(row, standard, row["sub_start_date"]) for row in standard]
    assert rows.select("previous_sub_churned").to_dicts() == expected


@pytest.mark.parametrize("undated_totals", [True, False])
@pytest.mark.parametrize("currency", [HistoryFeatures(), EVERYTHING])
@pytest.mark.parametrize("cohort", [CohortSettings(), CohortSettings(reads_misses=True), MONTHLY])
def test_feature_columns_are_those_of_the_feature_table(
    undated_totals: bool, currency: HistoryFeatures, cohort: CohortSettings
) -> None:
    settings = settings_with(undated_totals, currency, 3).model_copy(update={"cohort": cohort})
    rows = feature_table(by_name(Game()), settings, as_of=date(2024, 1, 1))
    schema = rows.collect().schema
    columns = feature_columns(settings)
    declared = cohort_columns(cohort)
    assert {name: columns[name] for name in declared} == {n: c.dtype for n, c in declared.items()}
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
