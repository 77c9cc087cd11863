"""The model of all settings, its schema and its signature."""

import inspect
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from churnlib.settings import (
    Settings,
    describe_settings,
    settings_schema,
)
from churnlib.settings.data import NULL_VALUES
from churnlib.settings.history_features import CURRENCY, HistoryFeatures
from tests.base import history_features
from tests.churnlib.settings.samples import Load, refusal


def test_settings_are_frozen(load: Load) -> None:
    settings = load()
    with pytest.raises(ValidationError, match="frozen"):
        settings.horizon_months = 3  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        settings.train.seed = 3  # type: ignore[misc]


def test_schema_requires_nothing_of_a_file() -> None:
    schema = Settings.model_json_schema()
    parts = {"Settings": schema, **schema["$defs"]}
    demanding = {name for name, part in parts.items() if "required" in part}
    assert demanding == {
        *("Aggregation", "Difference", "Fill", "Step"),
        *("ColumnSettings", "EventAggregation", "Ratio"),
    }
    features = parts.pop("FeatureSettings")["additionalProperties"]  # By the name of a table.
    assert {name.rpartition("/")[2] for name in _references(features)} == {
        "HistoryFeatures",
        "EventFeatures",
    }
    assert all(part["additionalProperties"] is False for part in parts.values())


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"]
        for inner in schema.values():
            yield from _references(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _references(inner)


def test_schema_allows_null_as_text_for_optional_settings() -> None:
    written = settings_schema()
    assert '"type": "null"' not in written
    schema = json.loads(written)
    parts = {"": schema, **schema["$defs"]}
    unset = {
        f"{part}.{name}"
        for part, table in parts.items()
        for name, declared in table["properties"].items()
        if any(kind.get("const") == "null" for kind in declared.get("anyOf", ()))
    }
    assert unset == {
        ".as_of", "Aggregation.fill", "Aggregation.lookback_months", "Difference.fill",
        "HistoryFeatures.lookback_months", "ColumnSettings.nullable", "ColumnSettings.plausible",
        "BatchWindow.start", "BatchWindow.end", "CohortSettings.reads_misses",
        "TableSettings.time", "TableSettings.path", "TableSettings.query", "TableSettings.table",
        "TableSettings.date_format", "TableSettings.time_zone",
        "ChampionSettings.max_loss", "ChampionSettings.keep_versions",
            "ChampionSettings.keep_in_use",
        "FeatureChoice.include", "TrainSettings.sample", "TrainSettings.seed",
            "TrainSettings.max_categories",
        "RetentionSettings.results_days", "RetentionSettings.batch_features",
            "RetentionSettings.snapshots",
        "DeliverySettings.to",
        "OutcomeSettings.missed_months", "OutcomeSettings.not_renewed_months",
        "EngineSettings.scheduler", "EngineSettings.workers", "EngineSettings.scratch_dir",
    }  # fmt: skip


def test_game_is_not_listed_as_a_setting(load: Load) -> None:
    assert "game" not in json.loads(settings_schema())["properties"]
    assert "  game: " not in describe_settings()
    assert "Known: allow_label_overlap" in (message := refusal(load, "zzz = 1"))
    assert " game," not in message


def test_schema_describes_every_setting() -> None:
    schema = Settings.model_json_schema()
    for name in (
        "Settings",
        "TrainSettings",
        "HistoryFeatures",
        "EventFeatures",
        "TableSettings",
        "RawSettings",
    ):
        part = schema if name == "Settings" else schema["$defs"][name]
        for setting, declared in part["properties"].items():
            assert "description" in declared or "$ref" in declared, f"{name}.{setting}"


def test_feature_names_are_in_the_order_of_the_settings() -> None:
    settings = HistoryFeatures.model_validate(
        {
            "latest": ["soft_balance"],
            "aggregations": [{"columns": ["sub_hard"], "functions": ["sum", "mean"]}],
            "differences": [{"columns": ["soft_balance", "sub_soft"], "periods": [1, 3]}],
        }
    )
    assert tuple(feature.name for feature in settings.of_table(CURRENCY)) == (
        "soft_balance",
        "currency_age_months",
        "sub_hard_sum",
        "sub_hard_mean",
        "soft_balance_diff_1",
        "soft_balance_diff_3",
        "sub_soft_diff_1",
        "sub_soft_diff_3",
    )


def test_null_unsets_a_value_of_a_layer_below(load: Load) -> None:
    twelve = "[features.character_currency]\nlookback_months = 12"
    assert history_features(load(twelve).features).lookback_months == 12
    unset = load(twelve, {"features.character_currency.lookback_months": "null"})
    assert history_features(unset.features).lookback_months is None
    assert load("[train]\nseed = 'null'").train.seed is None
    assert load("[train]\nseed = 7", {}, {"CHURN_TRAIN__SEED": "null"}).train.seed is None


def test_boolean_as_end_of_a_window_is_refused(load: Load) -> None:
    assert "windows.score.end" in refusal(load, "", {"windows.score.end": "true"})


def test_column_filled_twice_is_refused(load: Load) -> None:
    entry = '{ columns = ["sub_hard"], value = 0 }'
    assert "fill" in refusal(
        load, f"[features.character_currency]\nfill_values = [{entry}, {entry}]"
    )


def test_fill_value_that_is_not_finite_is_refused(load: Load) -> None:
    fills = '[features.character_currency]\nfill_values = [{ columns = ["sub_hard"], value = nan }]'
    assert "finite" in refusal(load, fills)


def test_game_cannot_be_set(load: Load) -> None:
    assert "'game' is not a setting" in refusal(load, "", {"game": "dove"})
    assert "'game' is not a setting" in refusal(load, "", {}, {"CHURN_GAME": "dove"})
    assert "'game' is not a setting" in refusal(load, "game = 'dove'")


def test_signature_lists_the_settings() -> None:
    assert tuple(inspect.signature(Settings).parameters) == tuple(Settings.model_fields)


def test_null_values_in_a_file_may_include_the_word_null(load: Load) -> None:
    assert load().raw.null_values == NULL_VALUES
    raw = load('[raw]\nnull_values = ["null", "-"]\nno_date = [1900-01-01, "9999-12-31"]').raw
    assert raw.null_values == ("null", "-")
    assert raw.no_date == ("1900-01-01", "9999-12-31")
    assert "raw.no_date.0" in refusal(load, '[raw]\nno_date = ["never"]')
