"""Whether columns of feature tables have the names of others."""

from typing import Any

import pytest

from churnlib.errors import SettingsError
from churnlib.features.cohort import feature_columns
from churnlib.schemas.columns import LABEL
from churnlib.schemas.feature_names import check_names
from churnlib.schemas.outputs import PREDICTED, output_tables
from churnlib.settings import Settings, load_settings

GEMS = {"kind": "history", "columns": {"balance": "number", "age_months": "number"}}
LOGINS = {"kind": "events", "time": "at", "columns": {"pc": "category"}}
COUNT = {"windows": ["30d"], "count": True}


def settings_with(changes: dict[str, Any]) -> Settings:
    return load_settings("game1", changes, local=False, environ={})


def test_names_of_a_game_are_all_different() -> None:
    check_names(settings_with({}))


@pytest.mark.parametrize("table", ["character_data", "sub_data"])
@pytest.mark.parametrize(
    "name",
    [
        *sorted(
            output_tables(settings_with({}))["standard_features"].columns.keys()
            - {"char_id", *load_settings("game1", environ={}).tables["character_data"].declared}
            - {*load_settings("game1", environ={}).tables["sub_data"].columns}
            - {"sub_id", "sub_start_date"}
        ),
        *PREDICTED,
        LABEL,
        "hard_balance",
        "hard_balance_mean",
        "currency_age_months",
    ],
)
def test_declared_column_cannot_replace_another(table: str, name: str) -> None:
    settings = settings_with({f"tables.{table}.columns.{name}": "number"})
    with pytest.raises(SettingsError, match=f"two columns or features of the name {name}\\."):
        check_names(settings)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        (
            {
                "tables.character_currency.columns.price": "number",
                "features.character_currency.latest": ["price"],
            },
            "price",
        ),
        ({"tables.gems": GEMS, "features.gems.latest": ["age_months"]}, "gems_age_months"),
        ({"tables.character_data.columns.mastered": "milestone"}, "is_mastered"),
        (
            {
                "tables.logins": LOGINS,
                "features.logins": {"windows": ["30d"], "by": {"pc": ["x"]}},
                "tables.logins_pc_x": LOGINS,
                "features.logins_pc_x": COUNT,
            },
            "logins_pc_x_count_30d",
        ),
        (
            {"tables.sub_data.columns.month": "number", "features.calendar.use": ["month"]},
            "month",
        ),
    ],
)
def test_features_cannot_replace_others(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(SettingsError, match=f"game1: there would be .* of the name {name}\\."):
        feature_columns(settings_with(changes))


@pytest.mark.parametrize("asked", [False, True])
def test_undated_number_of_subscriptions_is_a_feature_only_on_request(asked: bool) -> None:
    changes = {"tables.sub_data.columns.paid": "undated", "standard.undated_totals": asked}
    assert ("paid" in feature_columns(settings_with(changes))) is asked
