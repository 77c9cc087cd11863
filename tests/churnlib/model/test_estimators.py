"""The classes that a configured pipeline may name."""

import sys
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator
from sklearn.impute import SimpleImputer

from churnlib.errors import ModelError
from churnlib.model.columns import OfKind
from churnlib.model.estimators import resolve
from churnlib.model.pipeline import build_pipeline
from tests.churnlib.model.samples import (
    IMPUTE,
    step,
)


def test_classes_resolve_by_public_and_by_private_name() -> None:
    assert resolve("sklearn.impute.SimpleImputer") is SimpleImputer
    assert resolve("sklearn.impute._base.SimpleImputer") is SimpleImputer
    assert resolve("churnlib.model.columns.OfKind") is OfKind


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "subprocess.Popen",
        "builtins.eval",
        "joblib.memory.Memory",
        "sklearnx.impute.SimpleImputer",
        "SimpleImputer",
        "sklearn",
        "",
        ".sklearn.impute.SimpleImputer",
        "__main__.Model",
        "flows.steps.run.Run",
        "tests.churnlib.model.samples.Step",
    ],
)
def test_other_packages_are_refused(name: str) -> None:
    with pytest.raises(
        ModelError,
        match=r"only sklearn, churnlib, skrub are|not the full name",
    ):
        resolve(name)


def test_other_packages_are_not_even_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sklearn_tricks.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match="is not allowed"):
        resolve("sklearn_tricks.Model")


@pytest.mark.parametrize(
    "name",
    [
        # A module of another package, by way of a module that imported it.
        "sklearn.datasets._base.os",
        "sklearn.datasets._base.os.system",
        "sklearn.base.warnings.warn",
        "sklearn.utils._testing.subprocess.Popen",
        "churnlib.io.local.shutil.rmtree",
        # A class or function of another package, by way of an allowed package.
        "sklearn.datasets._base.Path",
        "sklearn.pipeline.Bunch",
        "sklearn.utils.parallel.Parallel",
        "churnlib.settings.BaseModel",
        "churnlib.io.datasets.Path",
        # Functions and classes that are not estimators.
        "sklearn.pipeline.make_pipeline",
        "sklearn.utils.all_estimators",
        "sklearn.datasets.fetch_openml",
        "sklearn.base.clone",
        "churnlib.versions.folder.load_model",
        "churnlib.io.storage.write_text",
        "churnlib.settings.Settings",
        # Estimators that call arbitrary functions, or load models from elsewhere.
        "sklearn.preprocessing.FunctionTransformer",
        "sklearn.compose._column_transformer.FunctionTransformer",
        "skrub.TextEncoder",
        # Names that do not exist.
        "sklearn.impute",
        "sklearn.impute.",
        "sklearn..impute.SimpleImputer",
        "sklearn.datasets.load_boston",
        "sklearn.nothing.Nothing",
        "churnlib.nothing.Nothing",
        "skrub.Nothing",
    ],
)
def test_only_estimators_of_trusted_packages_resolve(name: str) -> None:
    with pytest.raises(ModelError, match=r"is not allowed|there is no"):
        resolve(name)


def test_an_estimator_defined_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(BaseEstimator):  # type: ignore[misc]
        pass

    monkeypatch.setattr("sklearn.impute.Own", Own, raising=False)
    with pytest.raises(ModelError, match="the package tests, which defines it, is not trusted"):
        resolve("sklearn.impute.Own")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("sklearn.impute.SimpleImputr", "sklearn.impute.SimpleImputer"),
        ("SimpleImputer", "sklearn.impute.SimpleImputer"),
        ("sklearn.HistGradientBoostingClassifier", "sklearn.ensemble.HistGradientBoosting"),
        ("sklearn.linear_model.LogisticRegresion", "sklearn.linear_model.LogisticRegression"),
        ("churnlib.columns.OfKinds", "churnlib.model.columns.OfKind"),
    ],
)
def test_closest_class_is_suggested(name: str, suggestion: str) -> None:
    with pytest.raises(ModelError, match=f"Did you mean '{suggestion}"):
        resolve(name)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("sklearn.ensemble.RandomForest", "sklearn.ensemble.RandomForestClassifier"),
        ("sklearn.ensemble.GradientBoostingRegresor", "sklearn.ensemble.GradientBoostingClass"),
        ("sklearn.impute.SimpleImputr", "sklearn.impute.SimpleImputer"),
    ],
)
def test_for_the_last_step_a_classifier_is_suggested_first(name: str, suggestion: str) -> None:
    with pytest.raises(ModelError, match=rf"^train\.pipeline: .*Did you mean '{suggestion}"):
        build_pipeline((IMPUTE, step(name)), 1)


def test_message_gives_an_example_if_no_class_is_close() -> None:
    with pytest.raises(ModelError, match=r"such as sklearn\.impute\.SimpleImputer"):
        resolve("sklearn.Qqqq")


def test_a_trusted_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == "skrub"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(
        "importlib.import_module", lambda name: (_ for _ in ()).throw(missing(name))
    )

    def missing(name: str) -> ModuleNotFoundError:
        return ModuleNotFoundError(name=name)

    with pytest.raises(ModelError, match=r"needs the package skrub: .*'churnlib\[skrub\]'"):
        resolve("skrub.DropCols")
