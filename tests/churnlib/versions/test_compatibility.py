"""Compatibility: the same features, and labels available in time."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from churnlib.errors import ModelError
from churnlib.settings import Settings, load_settings
from churnlib.versions.compatibility import (
    changed_features,
    check_label_leakage,
    check_same_features,
    configuration_of,
    decisive_settings,
)

PROJECT = Path(__file__).resolve().parents[3]
AGAIN = "churn train --game game1 --from-raw"
WINDOW = (date(2024, 3, 1), date(2024, 5, 31))


def game(**overrides: Any) -> Settings:
    changes = {name.replace("__", "."): value for name, value in overrides.items()}
    return load_settings("game1", changes, games_dir=str(PROJECT / "games"), environ={})


def manifest(settings: Settings, known: str = "2024-03-01") -> dict[str, Any]:
    """A manifest as read from its file."""
    kept = {
        "version": "v1",
        "game": "game1",
        "labels_known_by": known,
        "settings": {**settings.model_dump(mode="json"), "train": {}},
    }
    return dict(json.loads(json.dumps(kept)))


def test_configuration_is_the_same_for_every_seed() -> None:
    def configuration(**changes: Any) -> str:
        return configuration_of({"settings": game(**changes).model_dump(mode="json")})

    assert configuration(train__seed=1) == configuration(train__seed=2, windows__score__start=-7)
    for other in (
        {"train__validation_months": 1},
        {"features__character_currency__lookback_months": 12},
    ):
        assert configuration(**other) != configuration()


@pytest.mark.parametrize(("use", "is_other"), [([], False), (["spree"], True)])
def test_any_table_counts_if_functions_compute_features(use: list[str], is_other: bool) -> None:
    def configuration(days: int) -> str:
        gems = {"kind": "history", "known_after_days": days, "columns": {"balance": "number"}}
        settings = game(tables__gems=gems, features__python__use=use)
        return configuration_of({"settings": settings.model_dump(mode="json")})

    assert (configuration(0) != configuration(2)) is is_other


def test_the_same_settings_are_accepted() -> None:
    check_same_features(manifest(game()), game(), AGAIN)


@pytest.mark.parametrize("change", [{"train__seed": 5}, {"windows__score__start": -7}])
def test_settings_that_change_no_feature_are_irrelevant(change: dict[str, Any]) -> None:
    check_same_features(manifest(game()), game(**change), AGAIN)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"outcome__missed_months": 2}, "outcome.missed_months was 3 and is 2"),
        ({"standard__undated_totals": True}, "standard.undated_totals was false and is true"),
        (
            {"features__character_currency__lookback_months": 12},
            'features.character_currency.lookback_months was "null" and is 12',
        ),
        (
            {"features__character_currency__latest": ["sub_hard"]},
            "features.character_currency.latest was [",
        ),
        ({"horizon_months": 5}, "horizon_months was 6 and is 5"),
    ],
)
def test_other_features_or_labels_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError) as caught:
        check_same_features(manifest(game()), game(**change), AGAIN)
    message = str(caught.value)
    assert message.startswith("game1: model v1 was trained on other features or labels: ")
    assert words in message
    assert message.endswith(f"Set these back, or train again: {AGAIN}")
    assert message.count(" was ") == 2


def test_other_functions_are_not_said_to_have_changed() -> None:
    trained = {**manifest(game(features__python__use=["spree"])), "code": {"features": "c0de"}}
    expected = 'features.python.use was ["spree"] and is []'
    assert changed_features(trained, game()) == expected
    trained["settings"]["features"]["python"]["use"] = []
    assert changed_features(trained, game()) == "the code of features.python.use has changed"


def test_settings_missing_from_an_older_manifest_are_named() -> None:
    older = manifest(game())
    del (
        older["settings"]["features"]["character_currency"]["lookback_months"],
        older["settings"]["standard"],
    )
    check_same_features(manifest(game()), game(), AGAIN)
    with pytest.raises(ModelError, match=r'standard\.undated_totals was "null" and is false'):
        check_same_features(older, game(), AGAIN)


@pytest.mark.parametrize(("known", "late"), [("2024-03-01", False), ("2024-03-02", True)])
def test_labels_must_be_available_when_the_window_opens(known: str, late: bool) -> None:
    kept = manifest(game(), known)
    if not late:
        assert check_label_leakage(kept, WINDOW, "windows.score", allowed=False) is None
        return
    with pytest.raises(
        ModelError, match=r"game1: model v1 .* available up to 2024-03-02"
    ) as caught:
        check_label_leakage(kept, WINDOW, "windows.score", allowed=False)
    assert "after windows.score opens on 2024-03-01" in str(caught.value)
    warning = check_label_leakage(kept, WINDOW, "windows.score", allowed=True)
    assert warning is not None
    assert "metrics are optimistic" in warning


GEMS = {"kind": "history", "columns": {"gem_balance": "number"}}


@pytest.mark.parametrize(
    "change",
    [
        {"tables__sub_data__description": "Memberships."},
        {"tables__sub_data__path": "memberships.csv"},
        {"tables__sub_data__rename": {"start": "sub_start_date"}},
        {"tables__sub_data__columns__price": {"kind": "number", "plausible": [0, 10]}},
        {"tables__gems": GEMS},
        {"tables__logins": {"kind": "events", "time": "at"}},
    ],
)
def test_where_tables_are_and_tables_without_features_are_irrelevant(
    change: dict[str, Any],
) -> None:
    check_same_features(manifest(game()), game(**change), AGAIN)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"tables__character_currency__known_after_days": 2},
            "tables.character_currency.known_after_days was 0 and is 2",
        ),
        (
            {"tables__sub_data__fill": {"price": 0}},
            'tables.sub_data.fill.price was "null" and is 0.0',
        ),
        (
            {"tables__character_data__columns__race": "null"},
            'tables.character_data.columns.race was category and is "null"',
        ),
        (
            {"tables__character_data__columns__race": {"kind": "undated"}},
            "tables.character_data.columns.race was category and is undated",
        ),
        (
            {"tables__gems": GEMS, "features__gems": {"latest": ["gem_balance"]}},
            'tables.gems.kind was "null" and is history',
        ),
        (
            {"tables__character_currency__absent": True},
            'tables.character_currency.kind was history and is "null"',
        ),
    ],
)
def test_tables_with_another_meaning_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError) as caught:
        check_same_features(manifest(game()), game(**change), AGAIN)
    assert words in str(caught.value)


def test_model_of_a_version_without_declared_tables_still_fits() -> None:
    older = manifest(game())
    features = older["settings"].pop("features")
    older["settings"]["currency"] = features["character_currency"]
    del older["settings"]["tables"]
    check_same_features(older, game(), AGAIN)
    changed = game(features__character_currency__lookback_months=12)
    words = 'features.character_currency.lookback_months was "null" and is 12'
    with pytest.raises(ModelError, match=words):
        check_same_features(older, changed, AGAIN)


def test_settings_that_earlier_versions_lacked_do_not_change_what_was_configured() -> None:
    now = game().model_dump(mode="json")
    then = {name: value for name, value in now.items() if name != "cohort"}
    then["train"] = {n: v for n, v in now["train"].items() if n not in ("contacted", "in_use")}
    assert configuration_of({"settings": then}) == configuration_of({"settings": now})
    for changes in ({"cohort__grain": "monthly"}, {"train__contacted": "drop"}):
        other = game(**changes).model_dump(mode="json")
        assert configuration_of({"settings": other}) != configuration_of({"settings": now})


def test_default_that_is_stated_is_no_change() -> None:
    for stated in ({"cohort__reads_misses": False}, {}):
        assert decisive_settings(game(**stated)) == decisive_settings(game())
