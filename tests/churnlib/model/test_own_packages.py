"""Estimators of a project's own packages, trusted by the environment and by nothing else."""

import json
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from churnlib.errors import ModelError, SettingsError
from churnlib.io.catalog import Catalog
from churnlib.io.storage import fingerprint
from churnlib.model.estimators import resolve
from churnlib.model.fit import fit
from churnlib.model.persistence import as_skops, load_pipeline
from churnlib.model.trust import (
    package_digests,
    package_files,
    trusted_packages,
    untrusted_types,
)
from churnlib.settings import TRUSTED_PACKAGES_VARIABLE, load_settings
from churnlib.versions.folder import load_model
from churnlib.versions.manifest import MANIFEST, read_manifest
from churnlib.versions.verification import check_version
from flows.engine.cache import task_key
from flows.steps.training import check_model, fit_model
from tests.churnlib.model.samples import features, probabilities, save, step, training, usual

MODELS = '''
import os
from os import system
from subprocess import Popen
from unittest.mock import Mock

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from other_studio.models import Foreign


class BaseRate(ClassifierMixin, BaseEstimator):
    """Predicts the base rate, times a factor."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y):
        self.rate_, self.classes_ = float(np.mean(y)), np.array([0, 1])
        return self

    def predict_proba(self, X):
        return np.tile([1 - self.factor * self.rate_, self.factor * self.rate_], (len(X), 1))


class NotAnEstimator:
    def __setstate__(self, state):
        system(state["command"])


def run(command):
    system(command)
'''
FOREIGN = """
from sklearn.linear_model import LogisticRegression


class Foreign(LogisticRegression):
    pass
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of the project that can be imported but is not trusted yet."""
    for package, text in (("our_studio", MODELS), ("other_studio", FOREIGN)):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
        (tmp_path / package / "models.py").write_text(text)
        (tmp_path / package / "__main__.py").write_text("raise SystemExit('ran')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv(TRUSTED_PACKAGES_VARIABLE, raising=False)
    yield "our_studio.models.BaseRate"
    for name in [m for m in sys.modules if m.partition(".")[0] in ("our_studio", "other_studio")]:
        del sys.modules[name]


@pytest.fixture
def trusted(own: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(TRUSTED_PACKAGES_VARIABLE, "our_studio")
    return own


def test_own_estimator_is_refused_until_its_package_is_trusted(
    own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError) as caught:
        resolve(own)
    assert str(caught.value) == (
        f"train.pipeline: {own} is not allowed: the package our_studio is not trusted; only "
        "sklearn, churnlib, skrub are. If you trust the code of our_studio, set "
        "CHURN_TRUSTED_PACKAGES=our_studio in the environment."
    )
    assert "our_studio" not in sys.modules
    monkeypatch.setenv(TRUSTED_PACKAGES_VARIABLE, "another, our_studio")
    assert resolve(own).__name__ == "BaseRate"


def test_own_estimator_is_fitted_saved_and_loaded(trusted: str, tmp_path: Path) -> None:
    model = fit(features(), training(step(trusted, factor=0.5)), seed=1)
    kept = save(Catalog(str(tmp_path / "data"), "hawk").model("v1"), model)
    manifest = read_manifest(kept)
    assert manifest["trusted_packages"] == package_digests()
    assert list(manifest["trusted_packages"]) == ["our_studio"]
    assert probabilities(load_model(kept), features()) == probabilities(model, features())
    check_version(kept)


def test_model_of_a_no_longer_trusted_package_is_refused(
    trusted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fit(features(), training(step(trusted)), seed=1)
    kept = save(Catalog(str(tmp_path / "data"), "hawk").model("v1"), model)
    monkeypatch.delenv(TRUSTED_PACKAGES_VARIABLE)
    for check in (load_model, check_version):
        with pytest.raises(ModelError, match="uses estimators of our_studio, which is not trusted"):
            check(kept)
    # A manifest that does not mention the package is refused too.
    manifest = read_manifest(kept)
    manifest["trusted_packages"] = {}
    Path(kept.uri, MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match=r"not trusted: our_studio.*CHURN_TRUSTED_PACKAGES=our_st"):
        load_model(kept)


def test_manifest_cannot_trust_a_package(own: str, tmp_path: Path) -> None:
    kept = save(Catalog(str(tmp_path / "data"), "hawk").model("v1"), usual())
    from our_studio.models import BaseRate  # type: ignore[import-not-found]

    file = Path(kept.uri, "model.skops")
    skops.io.dump(Pipeline([("model", BaseRate())]), file)
    manifest = read_manifest(kept)
    manifest["sha256"][file.name] = fingerprint(str(file))
    manifest[TRUSTED_PACKAGES_VARIABLE] = manifest["trusted"] = "our_studio"
    Path(kept.uri, MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="types that are not trusted: our_studio"):
        load_model(kept)


@pytest.mark.parametrize("name", ["trusted_packages", "train.trusted_packages", "TRUSTED_PACKAGES"])
def test_no_setting_trusts_a_package(name: str, own: str) -> None:
    with pytest.raises(SettingsError):
        load_settings("game1", {name: "our_studio"})
    assert trusted_packages() == ()


def test_environment_variable_is_not_a_setting(trusted: str) -> None:
    assert load_settings("game1").game == "game1"
    assert trusted_packages() == ("our_studio",)


@pytest.mark.parametrize("value", ["our-studio", "os.path", "a;b", "../x"])
def test_entry_that_is_not_a_package_is_refused(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRUSTED_PACKAGES_VARIABLE, value)
    with pytest.raises(SettingsError, match="CHURN_TRUSTED_PACKAGES must list packages"):
        trusted_packages()


@pytest.mark.parametrize(
    "name",
    [
        "our_studio.models.os.system",
        "our_studio.models.os",
        "our_studio.models.system",
        "our_studio.models.run",
        "our_studio.models.Popen",
        "our_studio.models.Mock",
        "our_studio.models.NotAnEstimator",
        "our_studio.models.FunctionTransformer",
        "our_studio.models",
        "our_studio.nothing.Nothing",
    ],
)
def test_trusted_package_offers_only_its_own_estimators(name: str, trusted: str) -> None:
    with pytest.raises(ModelError, match=r"is not allowed|there is no"):
        resolve(name)


def test_estimator_imported_by_a_trusted_package_belongs_to_its_own_package(trusted: str) -> None:
    with pytest.raises(ModelError, match=r"other_studio, which defines it.*=other_studio,our_stud"):
        resolve("our_studio.models.Foreign")
    assert resolve("our_studio.models.LogisticRegression") is LogisticRegression


def test_trusting_pythons_own_packages_allows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRUSTED_PACKAGES_VARIABLE, "os,subprocess,builtins")
    for name in ("os.system", "subprocess.Popen", "builtins.eval"):
        with pytest.raises(ModelError, match="is not allowed"):
            resolve(name)
        assert untrusted_types(_file_with(name)) != []


def _file_with(name: str) -> bytes:
    """A skops file of a pipeline that contains an object with another name."""
    module, _, class_name = name.rpartition(".")
    true, changed = BytesIO(as_skops(Pipeline([("model", LogisticRegression())]))), BytesIO()
    with zipfile.ZipFile(true) as source, zipfile.ZipFile(changed, "w") as copy:
        for entry in source.namelist():
            content = source.read(entry)
            if entry == "schema.json":
                text = content.decode().replace('"LogisticRegression"', f'"{class_name}"')
                content = text.replace('"sklearn.linear_model._logistic"', f'"{module}"').encode()
            copy.writestr(entry, content)
    return changed.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        "our_studio.models.system",
        "our_studio.models.run",
        "our_studio.models.Popen",
        "our_studio.models.NotAnEstimator",
        "our_studio.models.FunctionTransformer",
        "our_studio.models.BaseRate.predict_proba",
        "our_studio.__main__.BaseRate",
        "our_studio.nothing.Nothing",
        "other_studio.models.Foreign",
    ],
)
def test_model_file_gets_nothing_else_from_a_trusted_package(name: str, trusted: str) -> None:
    assert resolve(trusted).__name__ == "BaseRate"
    data = _file_with(name)
    assert name in untrusted_types(data)
    with pytest.raises(ModelError, match="types that are not trusted"):
        load_pipeline("model.skops", data, "hawk: model v1", "Train again.")


def test_task_key_changes_with_the_code_of_trusted_packages(
    own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [task_key(task.fn, {}, task.cache_policy.uses) for task in (check_model, fit_model)]  # type: ignore[attr-defined]
    monkeypatch.setenv(TRUSTED_PACKAGES_VARIABLE, "our_studio")
    after = [task_key(task.fn, {}, task.cache_policy.uses) for task in (check_model, fit_model)]  # type: ignore[attr-defined]
    assert set(before).isdisjoint(after)


def test_files_of_trusted_packages_are_listed(own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert package_files() == []
    monkeypatch.setenv(TRUSTED_PACKAGES_VARIABLE, "our_studio")
    assert {file.name for file in package_files()} >= {"__init__.py", "models.py"}


def test_digest_changes_with_the_source_of_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    digests = set()
    for number, text in enumerate(("A = 1\n", "A = 2\n")):
        file = tmp_path / f"studio_{number}.py"
        file.write_text(text)
        monkeypatch.setenv(TRUSTED_PACKAGES_VARIABLE, file.stem)
        digests.add(package_digests()[file.stem])
    monkeypatch.setenv(TRUSTED_PACKAGES_VARIABLE, "studio_that_is_missing")
    assert len(digests) == 2
    assert package_digests() == {"studio_that_is_missing": ""}
    with pytest.raises(ModelError, match="needs the package studio_that_is_missing, which cannot"):
        resolve("studio_that_is_missing.Model")
