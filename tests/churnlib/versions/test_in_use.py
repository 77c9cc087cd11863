"""Models in use: which one predicts, and that a damaged or foreign one never does."""

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from churnlib.errors import DataError, ModelError
from churnlib.io import datasets
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import DatasetRef
from churnlib.settings import SIGNING_KEY_VARIABLE
from churnlib.versions.folder import open_model, save_model
from churnlib.versions.in_use import (
    delete_old_in_use,
    describe_in_use,
    find_in_use,
    has_learnt,
    known_in_use,
    list_in_use,
)
from churnlib.versions.manifest import MANIFEST, read_manifest
from tests.churnlib.model.samples import FACTS, features, probabilities, save, usual

JANUARY, APRIL = date(2025, 1, 1), date(2025, 4, 1)


@pytest.fixture
def model(catalog: Catalog) -> DatasetRef:
    return save(catalog.model("v1"), usual())


def add(catalog: Catalog, name: str, known_by: date, version: str = "v1") -> DatasetRef:
    """Saves a model in use."""
    facts = {
        **FACTS,
        "in_use": name,
        "as_of": known_by,
        "labels_known_by": known_by,
        "metrics": {},
    }
    place = catalog.model_in_use(version, name)
    return save_model(place, usual(), None, features().head(20), facts)


def chosen(model: DatasetRef, as_of: date) -> str | None:
    found = known_in_use(model, as_of)
    return found[1]["in_use"] if found else None


def test_newest_model_in_use_that_knows_no_later_label_predicts(
    catalog: Catalog, model: DatasetRef
) -> None:
    assert (list_in_use(model), chosen(model, APRIL)) == ((), None)
    add(catalog, "a", JANUARY)
    add(catalog, "b", APRIL)
    assert list_in_use(model) == ("b", "a")
    assert chosen(model, date(2024, 12, 31)) is None
    assert chosen(model, JANUARY) == "a"
    assert chosen(model, date(2025, 3, 31)) == "a"
    assert chosen(model, APRIL) == "b"
    add(catalog, "c", APRIL)
    assert chosen(model, APRIL) == "c", "of the same day, the newest"
    assert describe_in_use(model, JANUARY) == (
        "subscriptions started 2024-01-01 to 2024-06-30, labels available up to 2025-01-01"
    )


def test_model_in_use_is_opened_and_checked_as_a_version_is(
    catalog: Catalog, model: DatasetRef
) -> None:
    in_use = add(catalog, "a", JANUARY)
    loaded = open_model(in_use, read_manifest(in_use))
    assert probabilities(loaded, features()) == probabilities(usual(), features())
    (Path(in_use.uri) / "model.skops").write_bytes(b"other")
    with pytest.raises(ModelError, match=r"model v1: model\.skops is missing or has been changed"):
        open_model(in_use, read_manifest(in_use))


def test_version_is_the_same_with_and_without_models_in_use(
    catalog: Catalog, model: DatasetRef
) -> None:
    in_use = add(catalog, "a", JANUARY)
    assert datasets.ref(catalog.model("v1")).fingerprint == model.fingerprint
    assert find_in_use(model, "a") == in_use
    assert find_in_use(model, "b") is None
    (Path(in_use.uri) / "more").write_text("x")
    assert datasets.ref(catalog.model_in_use("v1", "a")).fingerprint != in_use.fingerprint


def test_folder_without_a_manifest_is_no_model_in_use(catalog: Catalog, model: DatasetRef) -> None:
    (Path(add(catalog, "a", JANUARY).uri) / MANIFEST).unlink()
    assert (list_in_use(model), chosen(model, APRIL)) == ((), None)


def test_model_in_use_of_another_version_or_name_is_refused(
    catalog: Catalog, model: DatasetRef
) -> None:
    in_use = Path(add(catalog, "a", JANUARY).uri)
    other = save(catalog.model("v2"), usual())
    shutil.copytree(in_use, Path(other.uri, "in_use", "a"))
    with pytest.raises(ModelError, match="is that of version v1 of hawk, but lies in the folder"):
        chosen(other, APRIL)
    in_use.rename(in_use.with_name("b"))
    with pytest.raises(ModelError, match="is that of the model in use a, but lies in the folder"):
        chosen(model, APRIL)
    shutil.copytree(in_use.with_name("b"), catalog.model("v3").uri)
    with pytest.raises(ModelError, match="v1"):
        read_manifest(catalog.model("v3"))


def test_damaged_model_in_use_is_refused_with_what_to_do(
    catalog: Catalog, model: DatasetRef
) -> None:
    """Another one would give other predictions, without a word."""
    add(catalog, "a", JANUARY)
    newest = add(catalog, "b", APRIL)
    (Path(newest.uri) / MANIFEST).write_text("{}")
    with pytest.raises(ModelError, match=f"is damaged: it lacks .* Or remove {newest.uri}: then"):
        chosen(model, APRIL)
    shutil.rmtree(newest.uri)
    assert chosen(model, APRIL) == "a"


def test_changed_manifest_of_a_model_in_use_is_refused_where_a_key_asks_for_signatures(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SIGNING_KEY_VARIABLE, "k" * 64)
    model = save(catalog.model("v1"), usual())
    manifest = Path(add(catalog, "a", APRIL).uri) / MANIFEST
    assert chosen(model, APRIL) == "a"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "labels_known_by": "2024-01-01"}))
    with pytest.raises(ModelError, match="was changed after it was signed"):
        chosen(model, JANUARY)


def test_oldest_models_in_use_are_deleted(catalog: Catalog, model: DatasetRef) -> None:
    for month in range(1, 5):
        add(catalog, f"m{month}", date(2025, month, 1))
    assert delete_old_in_use(catalog, "v1", None) == ()
    assert delete_old_in_use(catalog, "v1", 3) == ("m1",)
    assert list_in_use(model) == ("m4", "m3", "m2")
    assert not Path(catalog.model_in_use("v1", "m1").uri).exists()


def test_models_in_use_behind_a_link_are_not_deleted(
    catalog: Catalog, model: DatasetRef, tmp_path: Path
) -> None:
    for month in range(1, 3):
        add(catalog, f"m{month}", date(2025, month, 1))
    folder, others = Path(model.uri, "in_use"), tmp_path / "others"
    folder.rename(others)
    folder.symlink_to(others)
    with pytest.raises(DataError, match="m1 is not removed, because a symbolic link leads"):
        delete_old_in_use(catalog, "v1", 1)
    assert (others / "m1" / MANIFEST).exists()


@pytest.mark.parametrize(
    ("end", "refit", "expected"),
    [("2024-06-30", True, True), ("2024-06-30", False, False), ("2024-05-31", True, False)],
)
def test_version_that_was_refitted_on_all_known_labels_has_learnt_them(
    end: str, refit: bool, expected: bool
) -> None:
    manifest = {"window": ["2024-01-01", end], "settings": {"train": {"refit": refit}}}
    assert has_learnt(manifest, date(2024, 6, 30)) is expected
