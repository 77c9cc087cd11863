"""Malicious model files are refused before any of their code runs."""

import functools
import json
import operator
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from skops import io

from churnlib.errors import ModelError
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import DatasetRef
from churnlib.io.storage import fingerprint
from churnlib.model.trust import TRUSTED_TYPES
from churnlib.versions.folder import load_model
from churnlib.versions.manifest import MANIFEST, read_manifest
from tests.churnlib.model.samples import features, save, usual


@pytest.fixture
def kept(tmp_path: Path) -> DatasetRef:
    return save(Catalog(str(tmp_path), "hawk").model("v1"), usual())


def plant(model: DatasetRef, file: Path) -> None:
    """Replaces the model's file, and its digest in the manifest."""
    name = f"model{file.suffix}"
    target = Path(model.uri, name)
    target.write_bytes(file.read_bytes())
    manifest = read_manifest(model)
    manifest["model_file"] = name
    manifest["sha256"][name] = fingerprint(str(target))
    Path(model.uri, MANIFEST).write_text(json.dumps(manifest))


class Malicious:
    """Runs a command when it is unpickled, or when its state is set."""

    def __init__(self, marker: str = "") -> None:
        self.marker = marker

    def __setstate__(self, state: dict[str, Any]) -> None:
        Path(state["marker"]).touch()


def attacks(marker: Path) -> dict[str, Any]:
    command = f"touch {marker}"
    return {
        "partial": functools.partial(os.system, command),
        "partial_of_eval": functools.partial(eval, f"open({str(marker)!r}, 'w')"),
        "partial_in_partial": functools.partial(functools.partial(os.system), command),
        "methodcaller": operator.methodcaller("touch"),
        "attrgetter": operator.attrgetter("__class__.__base__.__subclasses__"),
        "function": os.system,
        "class": Malicious(str(marker)),
        "type": Malicious,
        "method": Malicious(str(marker)).__setstate__,
        "transformer": FunctionTransformer(os.system),
        "transformer_of_partial": FunctionTransformer(functools.partial(os.system, command)),
    }


@pytest.mark.parametrize("name", attacks(Path("x")))
def test_a_model_file_that_would_run_something_is_refused(
    name: str, kept: DatasetRef, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    pipeline = Pipeline([("evil", attacks(marker)[name]), ("model", LogisticRegression())])
    file = tmp_path / "evil.skops"
    io.dump(pipeline, file)
    plant(kept, file)
    with pytest.raises(
        ModelError, match="hawk: model v1: its file holds types that are not trusted: "
    ):
        load_model(kept)
    assert not marker.exists()


def rewritten(file: Path, old: str, new: str, target: Path) -> Path:
    """A copy of a skops file with text of its schema replaced."""
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(target, "w") as copy:
        for entry in source.namelist():
            content = source.read(entry)
            if entry == "schema.json":
                assert old.encode() in content
                content = content.replace(old.encode(), new.encode())
            copy.writestr(entry, content)
    return target


@pytest.mark.parametrize("function", ["os.system", "builtins.eval", "subprocess.run"])
def test_replaced_function_inside_a_model_is_refused(
    function: str, kept: DatasetRef, tmp_path: Path
) -> None:
    module, _, name = function.rpartition(".")
    true = Path(kept.uri, "model.skops")
    # The only function in a boosting model is inside its only partial.
    half = rewritten(true, '"check_array"', f'"{name}"', tmp_path / "half.skops")
    plant(kept, rewritten(half, '"sklearn.utils.validation"', f'"{module}"', tmp_path / "x.skops"))
    with pytest.raises(ModelError, match=f"not trusted: {function}"):
        load_model(kept)


def test_trusted_types_are_data_of_trusted_packages() -> None:
    packages = {name.partition(".")[0] for name in TRUSTED_TYPES}
    assert packages == {
        "churnlib",
        "collections",
        "functools",
        "numpy",
        "sklearn",
        "skrub",
    }
    assert [name for name in TRUSTED_TYPES if name.startswith("functools.")] == [
        "functools.partial"
    ]
    assert [name for name in TRUSTED_TYPES if name.startswith("collections.")] == [
        "collections.OrderedDict"
    ]
    assert list(TRUSTED_TYPES) == sorted(set(TRUSTED_TYPES))


def test_trust_stated_in_a_file_is_ignored(kept: DatasetRef, tmp_path: Path) -> None:
    file = tmp_path / "evil.skops"
    io.dump(Pipeline([("evil", Malicious(str(tmp_path / "ran")))]), file)
    plant(kept, file)
    manifest = read_manifest(kept)
    manifest["trusted_types"] = manifest["trusted"] = ["tests.churnlib.model.test_trust.Malicious"]
    Path(kept.uri, MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="types that are not trusted: tests"):
        load_model(kept)


def test_model_of_another_scikit_learn_version_is_refused(kept: DatasetRef, tmp_path: Path) -> None:
    version = read_manifest(kept)["libraries"]["scikit-learn"]
    true = Path(kept.uri, "model.skops")
    plant(kept, rewritten(true, version, "1.0.2", tmp_path / "old.skops"))
    with pytest.raises(
        ModelError, match=r"hawk: model v1: .*from version 1\.0\.2[^$]*Train again: "
    ):
        load_model(kept)


@pytest.mark.parametrize("suffix", [".skops", ".joblib"])
@pytest.mark.parametrize("content", [b"", b"evil", b"PK\x05\x06" + bytes(18)])
def test_file_that_is_not_a_model_is_refused(
    content: bytes, suffix: str, kept: DatasetRef, tmp_path: Path
) -> None:
    file = tmp_path / f"evil{suffix}"
    file.write_bytes(content)
    plant(kept, file)
    with pytest.raises(ModelError, match=f"hawk: model v1: model{suffix} cannot be opened"):
        load_model(kept, allow_joblib=True)


def test_unchanged_model_still_loads(kept: DatasetRef) -> None:
    load_model(kept).schema.apply(features())
