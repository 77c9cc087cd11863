"""Signed manifests, and versions that were copied to another place."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from churnlib.errors import ModelError, SettingsError, UnreadableModelError
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import DatasetRef, ref
from churnlib.settings import (
    SIGNING_KEY_FILE_VARIABLE,
    SIGNING_KEY_VARIABLE,
    load_settings,
)
from churnlib.versions.champion import (
    champion,
    find_champion,
    set_champion,
    why_no_champion,
)
from churnlib.versions.folder import find_version, list_versions, load_model
from churnlib.versions.listing import describe_versions
from churnlib.versions.manifest import MANIFEST, read_manifest
from churnlib.versions.model_state import ModelState
from churnlib.versions.promotion import promote_manually, roll_back
from churnlib.versions.registry import read_registry
from churnlib.versions.signature import SHORTEST_KEY, SIGNATURE
from tests.churnlib.model.samples import save, usual
from tests.churnlib.versions.samples import compared, hours, keep, make_champion

KEY = "k" * SHORTEST_KEY


@pytest.fixture
def signed(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> DatasetRef:
    """A version that was signed; the environment has the key."""
    monkeypatch.setenv(SIGNING_KEY_VARIABLE, KEY)
    return save(catalog.model("v1"), usual())


def change(model: DatasetRef, by: Callable[[dict[str, Any]], Any]) -> None:
    file = Path(model.uri, MANIFEST)
    manifest = json.loads(file.read_text())
    by(manifest)
    file.write_text(json.dumps(manifest))


def test_version_that_was_signed_is_loaded_with_and_without_the_key(
    signed: DatasetRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_model(signed)
    assert read_manifest(signed)[SIGNATURE].startswith("hmac-sha256:")
    monkeypatch.delenv(SIGNING_KEY_VARIABLE)
    load_model(signed)


def test_key_may_be_in_a_file(
    signed: DatasetRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    monkeypatch.delenv(SIGNING_KEY_VARIABLE)
    monkeypatch.setenv(SIGNING_KEY_FILE_VARIABLE, str(tmp_path / "key"))
    load_model(signed)
    (tmp_path / "key").write_text("x" * SHORTEST_KEY)
    with pytest.raises(ModelError, match="signed with another key"):
        load_model(signed)


def test_layout_of_the_manifest_does_not_count(signed: DatasetRef) -> None:
    change(signed, lambda manifest: manifest.update(sorted(manifest.items(), reverse=True)))
    load_model(signed)


@pytest.mark.parametrize(
    "by",
    [
        lambda manifest: manifest.update(seed=manifest["seed"] + 1),
        lambda manifest: manifest["sha256"].update({"model.skops": "0" * 64}),
        lambda manifest: manifest.update(more="text"),
        lambda manifest: manifest.update(signature="hmac-sha256:" + "0" * 64),
        lambda manifest: manifest.update(signature=""),
    ],
)
def test_version_that_was_changed_after_it_was_signed_is_refused(
    by: Callable[[dict[str, Any]], Any], signed: DatasetRef
) -> None:
    change(signed, by)
    with pytest.raises(ModelError, match="was changed after it was signed, or signed with another"):
        load_model(signed)


def test_model_replaced_with_its_digests_is_refused_only_where_there_is_a_key(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = save(catalog.model("v1"), usual())
    load_model(planted)
    monkeypatch.setenv(SIGNING_KEY_VARIABLE, KEY)
    with pytest.raises(ModelError) as refusal:
        load_model(planted)
    assert f"is not signed, and {SIGNING_KEY_VARIABLE}" in str(refusal.value)
    assert f"churn train --game hawk --data-dir {catalog.data_dir} --refresh" in str(refusal.value)


def test_champion_that_is_not_signed_is_refused(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(catalog.model("v1"), usual())
    set_champion(catalog, "v1")
    champion(catalog)
    monkeypatch.setenv(SIGNING_KEY_VARIABLE, KEY)
    with pytest.raises(
        ModelError, match=r"names the version 'v1', whose manifest\.json is not sig"
    ):
        champion(catalog)
    assert "is not signed" in str(why_no_champion(catalog))
    (described,) = describe_versions(catalog)
    assert "is not signed" in str(described.damage)


@pytest.fixture
def champion_of_another_key(signed: DatasetRef, catalog: Catalog) -> Catalog:
    """The champion, a version with the key of the environment, is followed by one with another."""
    other = save(catalog.model("v2"), usual())
    change(other, lambda manifest: manifest.update(signature="hmac-sha256:" + "0" * 64))
    for number, version in enumerate(("v1", "v2")):
        make_champion(catalog, version, at=number)
    return catalog


@pytest.mark.parametrize("read", [champion, find_champion, why_no_champion, ModelState.read])
def test_champion_with_a_wrong_signature_is_not_counted_as_none(
    read: Callable[[Catalog], object], champion_of_another_key: Catalog
) -> None:
    pointer = champion_of_another_key.champion().uri
    with pytest.raises(UnreadableModelError) as refusal:
        read(champion_of_another_key)
    message = str(refusal.value)
    assert "hawk: champion.json names the version 'v2', whose manifest.json was changed" in message
    assert "or signed with another key" in message
    assert f"remove {pointer}, so that the next training" in message


def test_champion_with_a_wrong_signature_can_be_replaced_manually(
    champion_of_another_key: Catalog,
) -> None:
    promotion = roll_back(champion_of_another_key, when=hours(2), allow_joblib=False)
    assert (promotion.version, promotion.previous) == ("v1", "v2")
    assert champion(champion_of_another_key).uri.endswith("/v1")


def test_compared_version_is_promoted_over_one_with_a_wrong_signature(
    champion_of_another_key: Catalog,
) -> None:
    catalog = champion_of_another_key
    save(catalog.model("v3"), usual())
    registry = read_registry(catalog.registry())
    keep(catalog, registry.with_comparison(compared("v3", "accepted", "v1"), hours(1)))
    promotion = promote_manually(catalog, "v3", when=hours(2), force=False, allow_joblib=False)
    assert promotion is not None
    assert (promotion.previous, promotion.why) == ("v2", "because the signature of v2 is wrong")


@pytest.mark.parametrize(
    ("key", "file", "message"),
    [
        ("short", "", f"{SIGNING_KEY_VARIABLE} has fewer than {SHORTEST_KEY} characters"),
        (KEY, "key", "Unset one"),
        ("", "missing", "cannot be read: No such file"),
        ("", "key", f"{SIGNING_KEY_FILE_VARIABLE} has fewer than {SHORTEST_KEY} characters"),
    ],
)
def test_unusable_key_is_refused_without_being_shown(
    key: str,
    file: str,
    message: str,
    signed: DatasetRef,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "key").write_text("a secret")
    monkeypatch.setenv(SIGNING_KEY_VARIABLE, key)
    monkeypatch.setenv(SIGNING_KEY_FILE_VARIABLE, file and str(tmp_path / file))
    with pytest.raises(SettingsError, match=message) as refusal:
        load_model(signed)
    assert KEY not in str(refusal.value)
    assert "a secret" not in str(refusal.value)


def test_keys_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (SIGNING_KEY_VARIABLE, SIGNING_KEY_FILE_VARIABLE):
        monkeypatch.setenv(name, KEY)
    assert KEY not in repr(load_settings("game1"))


# Places


@pytest.mark.parametrize(("game", "version"), [("dove", "v1"), ("hawk", "v2"), ("dove", "v2")])
def test_version_that_was_copied_elsewhere_is_refused(
    game: str, version: str, catalog: Catalog
) -> None:
    kept = save(catalog.model("v1"), usual())
    other = Catalog(catalog.data_dir, game)
    copy = other.model(version)
    shutil.copytree(kept.uri, copy.uri)
    for load in (load_model, read_manifest):
        with pytest.raises(ModelError) as refusal:
            load(ref(copy))
        message = str(refusal.value)
        assert message.startswith(f"{game}: {copy.uri}/{MANIFEST} is that of version v1 of hawk")
        assert "move the folder to 06_models/hawk/v1, or remove it" in message
    set_champion(other, version)
    with pytest.raises(ModelError, match="is that of version v1 of hawk"):
        champion(other)


ELSEWHERE = ["../v1", "/tmp/v1", "v1/../../v1", "..", ".", "", "v1\0", "v1\n", "a b", "v" * 101]
"""Names that lead to another folder, or are no names."""


@pytest.mark.parametrize("name", ELSEWHERE)
def test_name_that_leads_elsewhere_is_refused(name: str, catalog: Catalog) -> None:
    with pytest.raises(ModelError, match="cannot be the name of a model version"):
        catalog.model(name)
    with pytest.raises(ModelError, match="cannot be the name of a model version"):
        catalog.version_report(name, "score_report.json")
    with pytest.raises(ModelError, match="there is no model version"):
        find_version(catalog, name)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_pointer_that_leads_elsewhere_is_refused(name: str, catalog: Catalog) -> None:
    save(catalog.model("v1"), usual())
    set_champion(catalog, name)
    with pytest.raises(ModelError, match=r"champion\.json is damaged"):
        champion(catalog)
    registry = Path(catalog.registry().uri)
    registry.write_text(json.dumps({"candidate": name}))
    with pytest.raises(ModelError, match=r"registry\.json is damaged"):
        read_registry(catalog.registry())


def test_folder_with_an_odd_name_is_no_version(catalog: Catalog) -> None:
    kept = save(catalog.model("v1"), usual())
    shutil.copytree(kept.uri, Path(kept.uri).with_name("a copy"))
    assert list_versions(catalog) == ("v1",)


@pytest.mark.parametrize("name", ["../../secret", "/dev/zero", "reports/x"])
def test_manifest_that_names_files_elsewhere_is_refused(name: str, catalog: Catalog) -> None:
    kept = save(catalog.model("v1"), usual())
    change(kept, lambda manifest: manifest["sha256"].update({name: "0" * 64}))
    with pytest.raises(ModelError, match="is damaged: sha256"):
        load_model(kept)
