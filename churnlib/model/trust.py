"""Trust: the packages whose estimators may be configured, and the types that a model file may hold.

Only this module and the environment decide what is trusted. Settings do not, because a run can set
them; nor does a file beside a model, because the model's author may have written that too.
"""

import hashlib
import importlib
import inspect
import os
import sys
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from churnlib.errors import SettingsError
from churnlib.model.skops_io import skops_io
from churnlib.settings import TRUSTED_PACKAGES_VARIABLE

TRUSTED_ROOTS = ("sklearn", "churnlib", "skrub")
"""Packages whose estimators are trusted always."""
LIBRARIES = (*TRUSTED_ROOTS, "joblib", "lightgbm", "numpy", "polars", "scipy", "skops")
"""Packages that messages do not suggest to trust: they contain no estimators of the project."""
REFUSED = ("FunctionTransformer", "TextEncoder", "LLMEncoder")
"""Estimators that call arbitrary functions, or load models from the network or from pickles, which
would bypass the checks of this module."""
TRUSTED_TYPES = (
    "churnlib.model.boosting.LGBMClassifier",
    "churnlib.model.boosting.LGBMFromParts",
    "churnlib.model.by_character.CharacterFolds",
    "churnlib.model.columns.OfKind",
    "churnlib.model.ranks.RankScaler",
    "collections.OrderedDict",
    "functools.partial",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.impute._iterative.IterativeImputer",
    "sklearn.impute._iterative._ImputerTriplet",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.metrics._scorer._Scorer",
    "sklearn.model_selection._search_successive_halving.HalvingGridSearchCV",
    "sklearn.model_selection._search_successive_halving.HalvingRandomSearchCV",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
    "skrub._apply_to_cols.ApplyToCols",
    "skrub._apply_to_each_col.ApplyToEachCol",
    "skrub._apply_to_sub_frame.ApplyToSubFrame",
    "skrub._select_cols.DropCols",
    "skrub._select_cols.SelectCols",
    "skrub._squashing_scaler.SquashingScaler",
    "skrub._string_encoder.StringEncoder",
    "skrub._to_str.ToStr",
    "skrub.selectors._base.Cols",
)
"""Types that a skops file may hold, in addition to those that skops itself trusts. They hold data;
functions and types inside them are checked separately."""


def trusted_packages() -> tuple[str, ...]:
    """The project's own packages that `CHURN_TRUSTED_PACKAGES` in the environment names.

    Raises:
        SettingsError: An entry is not the name of a package.
    """
    names = os.environ.get(TRUSTED_PACKAGES_VARIABLE, "").replace(",", " ").split()
    for name in names:
        if not name.isidentifier():
            raise SettingsError(
                f"{TRUSTED_PACKAGES_VARIABLE} must list packages, such as ours,theirs; '{name}' "
                "is not the name of a package."
            )
    return tuple(sorted(set(names)))


def is_trusted_estimator(candidate: Any) -> bool:
    """Whether an object is an estimator class of a trusted package.

    The class itself decides, by the module that defines it: its name in a configuration or file can
    lead through a trusted package to what that package has imported.
    """
    from sklearn.base import BaseEstimator

    return (
        inspect.isclass(candidate)
        and issubclass(candidate, BaseEstimator)
        and package_of(candidate) in (*TRUSTED_ROOTS, *trusted_packages())
        and candidate.__name__ not in REFUSED
    )


def package_of(cls: type) -> str:
    """The package that defines a class."""
    return cls.__module__.partition(".")[0]


def untrusted_types(data: bytes) -> list[str]:
    """Lists the types in a skops file that are not trusted, without creating any object of it."""
    names = set(skops_io().get_untrusted_types(data=data)) - {*TRUSTED_TYPES, *_scoring_functions()}
    return sorted(name for name in names if not _names_own_estimator(name))


def types_to_trust(data: bytes) -> list[str]:
    """Lists the types to pass to skops as trusted, for a file without untrusted types."""
    return list(skops_io().get_untrusted_types(data=data))


@cache
def _scoring_functions() -> frozenset[str]:
    """The functions behind scikit-learn's scorers, which a search with a `scoring` holds."""
    from sklearn.metrics import get_scorer, get_scorer_names

    functions = (get_scorer(name)._score_func for name in get_scorer_names())
    return frozenset(f"{function.__module__}.{function.__name__}" for function in functions)


def _names_own_estimator(name: str) -> bool:
    """Whether a type's name leads to an estimator of one of the `trusted_packages`."""
    module_name, _, class_name = name.rpartition(".")
    parts = module_name.split(".")
    if parts[0] not in trusted_packages() or "__main__" in parts:
        return False
    try:
        candidate = getattr(importlib.import_module(module_name), class_name, None)
    except Exception:  # An import may raise anything.
        return False
    return is_trusted_estimator(candidate)


def how_to_trust(packages: Iterable[str]) -> str:
    """How to trust packages; empty for the standard library and `LIBRARIES`."""
    own = sorted({name for name in packages if name.isidentifier()} - _NEVER_OWN)
    if not own:
        return ""
    value = ",".join(sorted({*own, *trusted_packages()}))
    return (
        f"If you trust the code of {' and '.join(own)}, set {TRUSTED_PACKAGES_VARIABLE}={value} "
        "in the environment."
    )


_NEVER_OWN = sys.stdlib_module_names | {*LIBRARIES, "__main__"}


def package_digests() -> dict[str, str]:
    """The digests of the source of `trusted_packages`, by name."""
    return {name: _digest(name) for name in trusted_packages()}


def package_files() -> list[Path]:
    """The Python files of `trusted_packages`."""
    return [file for name in trusted_packages() for file in _files(name).values()]


@cache
def _digest(package: str) -> str:
    """Digests the Python files of a package, which need not be imported; empty if there is none."""
    files = _files(package)
    if not files:
        return ""
    digest = hashlib.sha256()
    for name, file in sorted(files.items()):
        digest.update(f"{name}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _files(package: str) -> dict[str, Path]:
    """The Python files of a package, by their path in it."""
    spec = find_spec(package)
    if spec is None:
        return {}
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    if not folders and spec.origin:
        return {"": Path(spec.origin)}
    return {str(file.relative_to(f)): file for f in folders for file in f.rglob("*.py")}
