"""Model versions: written completely, loaded unchanged, and refused if damaged."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.errors import ModelError, SettingsError
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef, ref
from churnlib.io.storage import fingerprint
from churnlib.model.predict import predict, predict_by
from churnlib.versions.champion import set_champion
from churnlib.versions.folder import (
    GOLDEN,
    SCORED,
    find_version,
    list_versions,
    load_model,
    new_version,
    read_scored,
    save_model,
)
from churnlib.versions.manifest import MANIFEST, Manifest, read_manifest, retrain_command
from tests.churnlib.model.samples import FACTS, PIPELINES, features, probabilities, save, usual
from tests.variants import slow_but

ROWS = features(seed=9)
ROWS_KEPT = features()
REQUIRED = [name for name, field in Manifest.model_fields.items() if field.is_required()]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> DatasetRef:
    """A model in its folder, which no test may change."""
    return save(Catalog(str(tmp_path_factory.mktemp("saved")), "hawk").model("v1"), usual())


@pytest.fixture
def kept(catalog: Catalog, saved: DatasetRef) -> DatasetRef:
    """A model in its folder."""
    target = catalog.model("v1")
    shutil.copytree(saved.uri, target.uri)
    return ref(target)


def change_manifest(model: DatasetRef, change: Callable[[dict[str, Any]], Any]) -> None:
    path = Path(model.uri, MANIFEST)
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def refusal(model: Dataset | DatasetRef) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(model)
    return str(caught.value)


# Writing and loading


@pytest.mark.parametrize(
    "name", slow_but("boosting", "forest_calibrated", "logistic", "skrub", "lightgbm", of=PIPELINES)
)
def test_loaded_model_predicts_the_same_bits(name: str, catalog: Catalog) -> None:
    model = usual(name)
    loaded = load_model(save(catalog.model("v1"), model))
    assert loaded.schema == model.schema
    assert probabilities(loaded, ROWS) == probabilities(model, ROWS)


def test_baseline_is_loaded_with_its_model(kept: DatasetRef) -> None:
    loaded, original = load_model(kept), usual()
    assert original.baseline is not None
    assert loaded.baseline is not None
    predicted, expected = (
        predict_by(plain, original.schema, ROWS) for plain in (loaded.baseline, original.baseline)
    )
    assert predicted.equals(expected)
    assert loaded.base_rate == original.base_rate


def test_version_without_a_baseline_is_loaded(kept: DatasetRef) -> None:
    Path(kept.uri, "baseline.skops").unlink()
    change_manifest(kept, lambda manifest: manifest["sha256"].pop("baseline.skops"))
    change_manifest(kept, lambda manifest: manifest.pop("base_rate"))
    loaded = load_model(kept)
    assert (loaded.baseline, loaded.base_rate) == (None, None)


def test_a_changed_baseline_is_refused(kept: DatasetRef) -> None:
    file = Path(kept.uri, "baseline.skops")
    file.write_bytes(file.read_bytes() + b" ")
    assert "baseline.skops is missing or has been changed" in refusal(kept)


def test_joblib_model_is_loaded(catalog: Catalog) -> None:
    model = usual("forest")
    kept = save(catalog.model("v1"), model, model_format="joblib")
    assert read_manifest(kept)["model_file"] == "model.joblib"
    assert probabilities(load_model(kept, allow_joblib=True), ROWS) == probabilities(model, ROWS)


def test_a_joblib_file_is_not_opened_unless_allowed(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = save(catalog.model("v1"), usual(), model_format="joblib")
    monkeypatch.delattr("joblib.load")
    assert 'train.model_format is not "joblib"' in refusal(kept)


def test_manifest_describes_the_version(kept: DatasetRef) -> None:
    manifest = read_manifest(kept)
    folder = Path(kept.uri)
    files = {"model.skops", "baseline.skops", GOLDEN, SCORED}
    assert {p.name for p in folder.iterdir()} == {*files, MANIFEST}
    assert set(REQUIRED) <= manifest.keys()
    assert manifest["version"] == "v1"
    assert manifest["game"] == "hawk"
    assert manifest["labels_known_by"] == "2024-12-01"
    assert manifest["sha256"] == {name: fingerprint(str(folder / name)) for name in files}
    assert manifest["base_rate"] == pytest.approx(ROWS_KEPT["sub_churn"].mean())
    assert {"scikit-learn", "polars", "skops"} <= manifest["libraries"].keys()
    assert [f["name"] for f in manifest["features"]][:2] == ["is_first_sub", "race"]
    assert kept.fingerprint == fingerprint(kept.uri)
    assert read_scored(kept, read_manifest(kept))["sub_id"].equals(features()["sub_id"])


def test_model_that_skops_cannot_save_leaves_no_folder(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("churnlib.model.trust.TRUSTED_TYPES", ())
    with pytest.raises(ModelError, match=r'TreePredictor.*train\.model_format = "joblib"'):
        save(catalog.model("v1"), usual())
    assert list(Path(catalog.models().uri).iterdir()) == []


def test_only_folders_with_a_manifest_are_versions(catalog: Catalog) -> None:
    model = save(catalog.model("v1"), usual())
    Path(catalog.models().uri, "notes").mkdir()
    Path(catalog.models().uri, ".v9.tmp").mkdir()
    Path(catalog.models().uri, ".v9.tmp", MANIFEST).write_text("{}")
    assert list_versions(catalog) == ("v1",)
    assert find_version(catalog, "v1") == model


def test_versions_sort_by_time() -> None:
    first = datetime(2024, 12, 31, 23, 59, 59, 998_500, tzinfo=UTC)
    names = [new_version(first + timedelta(milliseconds=n)) for n in range(2000)]
    assert names == sorted(set(names))
    assert all(re.fullmatch(r"\d{8}T\d{9}Z", name) for name in names)


# Changed files


@pytest.mark.parametrize("name", ["model.skops", GOLDEN, SCORED])
@pytest.mark.parametrize("how", ["changed", "removed", "exchanged"])
def test_changed_file_is_refused(name: str, how: str, kept: DatasetRef, catalog: Catalog) -> None:
    path = Path(kept.uri, name)
    if how == "changed":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif how == "removed":
        path.unlink()
    else:
        other = save(catalog.model("v2"), usual("logistic"))
        Path(other.uri, name).replace(path)
    assert refusal(kept) == (
        f"hawk: model v1: {name} is missing or has been changed since it was saved. "
        f"Train again: {retrain_command(kept)}"
    )
    assert f"--game hawk --data-dir {catalog.data_dir} --refresh" in refusal(kept)


@pytest.mark.parametrize("name", [GOLDEN, SCORED])
def test_a_table_that_cannot_be_read_is_refused(name: str, kept: DatasetRef) -> None:
    content = b"PAR1, and no more"
    Path(kept.uri, name).write_bytes(content)
    change_manifest(kept, lambda m: m["sha256"].update({name: hashlib.sha256(content).hexdigest()}))
    with pytest.raises(ModelError, match=rf"hawk: model v1: {name} cannot be read \(.*Train"):
        read_scored(kept, read_manifest(kept)) if name == SCORED else load_model(kept)


@pytest.mark.parametrize("name", ["model.skops", GOLDEN, SCORED])
def test_file_without_a_digest_is_refused(name: str, kept: DatasetRef) -> None:
    change_manifest(kept, lambda m: m["sha256"].pop(name))
    assert f"{name} is missing or has been changed" in refusal(kept)


def test_model_file_outside_the_folder_is_refused(kept: DatasetRef, tmp_path: Path) -> None:
    (tmp_path / "evil.joblib").write_bytes(b"evil")
    change_manifest(kept, lambda m: m.update(model_file=str(tmp_path / "evil.joblib")))
    assert "is damaged: model_file: Input should be 'model.skops' or 'model.joblib'" in refusal(
        kept
    )


def test_a_file_that_is_too_large_is_not_read(
    kept: DatasetRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest = max(Path(kept.uri).iterdir(), key=lambda file: file.stat().st_size)
    size = largest.stat().st_size
    monkeypatch.setattr("churnlib.versions.verification.MOST_BYTES", size - 1)
    message = f"hawk: model v1: {largest.name} has {size:,} bytes, more than the {size - 1:,}"
    assert refusal(kept).startswith(message)


def test_parts_of_a_model_that_do_not_fit_together_are_refused(
    kept: DatasetRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("shapes (20,3) and (4,) not aligned")

    monkeypatch.setattr("churnlib.versions.verification.predict", fail)
    expected = "hawk: model v1 cannot be applied (ValueError: shapes (20,3) and (4,) not aligned). "
    assert refusal(kept).startswith(expected + "Train again: ")


def change_golden(kept: DatasetRef, by: float) -> None:
    path = Path(kept.uri, GOLDEN)
    changed = pl.when(pl.int_range(pl.len()) == 3).then(pl.col("churn_probability") * (1 + by))
    golden = pl.read_parquet(path).with_columns(changed.otherwise("churn_probability"))
    golden.write_parquet(path)
    change_manifest(kept, lambda m: m["sha256"].update({GOLDEN: fingerprint(str(path))}))


def test_predictions_that_differ_are_refused(kept: DatasetRef) -> None:
    change_golden(kept, by=1e-6)
    assert (
        "hawk: model v1 no longer gives its golden rows the probabilities saved with them"
        in refusal(kept)
    )


def test_differences_in_the_last_bits_are_accepted(kept: DatasetRef) -> None:
    change_golden(kept, by=2**-52)
    load_model(kept)


def test_changed_features_are_refused(kept: DatasetRef) -> None:
    change_manifest(kept, lambda m: m["features"].pop())
    assert "hawk: model v1: the model cannot predict these rows: ValueError: " in refusal(kept)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("boosting", ["scikit-learn"]),
        ("skrub_select", ["scikit-learn", "skrub"]),
        ("lightgbm", ["scikit-learn", "lightgbm"]),
    ],
)
def test_model_depends_on_the_libraries_it_uses(
    name: str, expected: list[str], catalog: Catalog
) -> None:
    assert read_manifest(save(catalog.model("v1"), usual(name)))["depends_on"] == expected


def test_another_version_of_a_used_library_is_refused(catalog: Catalog) -> None:
    for library in ("scikit-learn", "skrub"):
        kept = save(catalog.model(library), usual("skrub_select"))
        change_manifest(kept, lambda m, name=library: m["libraries"].update({name: "0.1"}))  # type: ignore[misc]
        assert f"was trained with {library} 0.1, but " in refusal(kept)


def test_missing_library_is_named(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = save(catalog.model("v1"), usual("skrub_select"))
    change_manifest(kept, lambda m: m["libraries"].update({"skrub": "0.1"}))
    monkeypatch.setattr(
        "churnlib.versions.verification.LIBRARIES", ("scikit-learn", "not-installed")
    )
    assert "was trained with skrub 0.1, but none is installed" in refusal(kept)


def test_version_of_an_unused_library_is_irrelevant(kept: DatasetRef) -> None:
    change_manifest(kept, lambda m: m["libraries"].update(polars="0.1", skrub="0.1"))
    load_model(kept)


# Manifests and champions


def test_missing_version_is_named(catalog: Catalog) -> None:
    with pytest.raises(ModelError, match="hawk: there is no model version 'v7': "):
        read_manifest(catalog.model("v7"))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"{}"])
def test_a_manifest_that_is_damaged_is_refused(text: bytes, kept: DatasetRef) -> None:
    Path(kept.uri, MANIFEST).write_bytes(text)
    for opened in (read_manifest, load_model):
        with pytest.raises(ModelError, match=r"^hawk: .*manifest\.json is damaged: .*--refresh$"):
            opened(kept)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("labels_known_by", "soon"),
        ("labels_known_by", "1735689600"),
        ("as_of", "2024-02-30"),
        ("window", ["2024-01-01", 5]),
        ("seed", "1"),
        ("sha256", {"model.skops": None}),
        ("features.0.kind", "text"),
        ("settings.horizon_months", None),
        ("settings.cohort", [1]),
        ("settings.tables", [1]),
        ("settings.train", [1]),
        ("code", []),
        ("campaign", 0.2),
        ("metrics.in_sample", []),
    ],
)
def test_a_manifest_with_a_value_of_another_type_is_refused(
    path: str, value: Any, kept: DatasetRef
) -> None:
    def change(manifest: Any) -> None:
        *way, last = path.split(".")
        for name in way:
            manifest = manifest[int(name) if name.isdigit() else name]
        manifest[last] = value

    change_manifest(kept, change)
    assert f"manifest.json is damaged: {path}" in refusal(kept)


@pytest.mark.parametrize("name", REQUIRED)
def test_manifest_without_a_required_field_is_refused(name: str, kept: DatasetRef) -> None:
    change_manifest(kept, lambda m: m.pop(name))
    assert f"manifest.json is damaged: it lacks {name}. Train again: " in refusal(kept)


# Loading by the names of version and game


@pytest.fixture
def game_folder(tmp_path: Path) -> str:
    """A data folder in which game1 has the version v1, which is its champion."""
    catalog = Catalog(str(tmp_path), "game1")
    save(catalog.model("v1"), usual())
    set_champion(catalog, "v1")
    return catalog.data_dir


@pytest.mark.parametrize("version", ["v1", None])
def test_a_model_is_loaded_by_version_or_as_the_champion(
    version: str | None, game_folder: str, saved: DatasetRef
) -> None:
    loaded = load_model(version, game="game1", data_dir=game_folder)
    assert probabilities(loaded, ROWS) == probabilities(load_model(saved), ROWS)
    assert loaded.seed == read_manifest(saved)["seed"]


def test_a_version_needs_a_game_that_has_it(game_folder: str) -> None:
    with pytest.raises(ModelError, match=r'name the game, as in load_model\("v1", game="game1"\)'):
        load_model("v1")
    with pytest.raises(ModelError, match=r'name the game, as in load_model\(game="game1"\)'):
        load_model()
    with pytest.raises(ModelError, match=r"game1: there is no model version 'v2' .* Known: v1"):
        load_model("v2", game="game1", data_dir=game_folder)
    with pytest.raises(SettingsError, match="no game 'gmae1'"):
        load_model(game="gmae1")


def train_again(catalog: Catalog, version: str, *, seed: int = 1, code: str = "c") -> str:
    """Saves the usual model as a version of a training; returns the version that counts."""
    model, rows = usual(), features()
    facts = json.loads(json.dumps(FACTS, default=str)) | {"seed": seed, "code": {"digest": code}}
    facts["settings"]["train"] = {"seed": seed}
    facts["inputs"]["train_features"] = {"fingerprint": "f"}
    scored = rows.with_columns(predict(model, rows))
    kept = save_model(catalog.model(version), model, scored, rows.head(20), facts)
    return kept.uri.rpartition("/")[2]


def test_model_that_is_saved_again_is_the_version_that_is_there(catalog: Catalog) -> None:
    assert train_again(catalog, "v1") == "v1"
    before = fingerprint(catalog.models().uri)
    assert train_again(catalog, "v2") == "v1"
    assert fingerprint(catalog.models().uri) == before
    assert train_again(catalog, "v3", seed=2) == "v3"
    assert train_again(catalog, "v4", code="other") == "v4"
    assert train_again(catalog, "v5", seed=2) == "v3"
    assert list_versions(catalog) == ("v4", "v3", "v1")


def test_model_is_saved_again_if_the_version_that_is_there_is_not_to_be_used(
    catalog: Catalog,
) -> None:
    train_again(catalog, "v1")
    Path(catalog.model("v1").uri, "model.skops").write_bytes(b"damaged")
    assert train_again(catalog, "v2") == "v2"
    for version in ("v3", "v4"):  # It is not known which code made them.
        assert train_again(catalog, version, code="unknown") == version
