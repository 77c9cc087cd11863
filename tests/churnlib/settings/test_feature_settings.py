"""Settings of features, and the names of these."""

from typing import Any

import pytest
from pydantic import ValidationError

from churnlib.settings.event_features import EventFeatures
from churnlib.settings.features import FeatureSettings
from churnlib.settings.history_features import CURRENCY, HistoryFeatures

HISTORY: dict[str, Any] = {
    "latest": ["balance"],
    "aggregations": [
        {"columns": ["balance"], "functions": ["mean", "slope"]},
        {"columns": ["balance"], "functions": ["mean"], "lookback_months": 3},
    ],
    "differences": [{"columns": ["balance"], "periods": [1, 12]}],
}
EVENTS: dict[str, Any] = {
    "windows": ["30d", "1mo..06mo"],
    "count": True,
    "days_since_last": True,
    "distinct": ["platform"],
    "aggregations": [{"columns": ["minutes"], "functions": ["sum"]}],
    "by": {"platform": ["pc", "play station"]},
}


def names_of(settings: dict[str, Any]) -> list[str]:
    return list(FeatureSettings.model_validate(settings).names((CURRENCY, "gems", "logins")))


def test_features_of_the_currency_have_no_prefix() -> None:
    assert names_of({CURRENCY: HISTORY}) == [
        "balance",
        "currency_age_months",
        "balance_mean",
        "balance_slope",
        "balance_mean_3mo",
        "balance_diff_1",
        "balance_diff_12",
    ]


def test_features_of_other_tables_start_with_their_name() -> None:
    names = names_of({"gems": {"latest_known": ["balance"]}, "logins": EVENTS})
    assert names == [
        "gems_balance",
        "gems_age_months",
        "logins_days_since_last",
        "logins_count_30d",
        "logins_platform_pc_count_30d",
        "logins_platform_play_station_count_30d",
        "logins_platform_distinct_30d",
        "logins_minutes_sum_30d",
        "logins_count_1mo_6mo",
        "logins_platform_pc_count_1mo_6mo",
        "logins_platform_play_station_count_1mo_6mo",
        "logins_platform_distinct_1mo_6mo",
        "logins_minutes_sum_1mo_6mo",
    ]


def test_other_sections_are_no_tables() -> None:
    ratios = [{"name": "pace", "of": "a", "over": "b"}]
    names = names_of({"ratios": ratios, "calendar": {"use": ["month"]}, "python": {"use": ["x"]}})
    assert names == ["month", "pace"]


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (EventFeatures, {"windows": ["60d..30d"]}, "the window 60d..30d has no days"),
        (EventFeatures, {"windows": ["0d"]}, "the window 0d has no days"),
        (EventFeatures, {"windows": ["30w"]}, "String should match pattern"),
        (EventFeatures, {"windows": ["30d", "030d"], "count": True}, "asks twice for events_count"),
        (EventFeatures, {"count": True}, "has count, but no windows"),
        (
            EventFeatures,
            {"windows": ["1d"], "by": {"platform": ["a b", "a_b"]}},
            "asks twice for events_platform_a_b_count_1d",
        ),
        (
            EventFeatures,
            {"windows": ["1d"], "by": {"platform": ["--"]}},
            "cannot name a feature after '--'",
        ),
        (
            HistoryFeatures,
            {"latest": ["balance"], "latest_known": ["balance"]},
            "asks twice for balance",
        ),
        (
            HistoryFeatures,
            {"fill_values": [{"columns": ["balance", "balance"], "value": 0}]},
            "fills a column twice",
        ),
    ],
)
def test_contradicting_features_are_refused(model: Any, values: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        model.model_validate(values)


def test_features_of_an_absent_table_are_none() -> None:
    assert list(FeatureSettings.model_validate({CURRENCY: HISTORY}).names(())) == []
