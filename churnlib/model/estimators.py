"""The estimator classes that a configuration may name, found by their full names."""

import importlib
import pkgutil
import warnings
from collections.abc import Callable
from difflib import get_close_matches
from itertools import takewhile
from typing import Any

from sklearn.base import ClassifierMixin
from sklearn.utils import all_estimators

from churnlib.errors import ModelError
from churnlib.model.columns import OfKind
from churnlib.model.sample import FROM_PARTS
from churnlib.model.trust import (
    TRUSTED_ROOTS,
    how_to_trust,
    is_trusted_estimator,
    package_of,
    trusted_packages,
)

EXTRAS = ("skrub", "lightgbm")
"""Packages that an extra of this one installs."""
REPLACEMENTS = {"lightgbm.LGBMClassifier": "churnlib.model.boosting.LGBMClassifier"}
"""Classes of other packages that this one makes safe, by the names that configurations use."""


def resolve(
    type_name: str, where: str = "train.pipeline", *, is_model: bool = False
) -> Callable[..., Any]:
    """Finds a class by its name, if it is an estimator of a trusted package.

    Args:
        type_name: The full name, such as `sklearn.impute.SimpleImputer`.
        where: The part of the configuration, for messages.
        is_model: Whether it is the last step, so that messages suggest a classifier first.

    Raises:
        ModelError: There is no such class, or it is not allowed; suggests the closest that is, or
            says how to trust its package.
    """
    module_name, _, class_name = REPLACEMENTS.get(type_name, type_name).rpartition(".")
    root = module_name.partition(".")[0]
    trusted = (*TRUSTED_ROOTS, *trusted_packages())
    if root not in trusted:
        raise ModelError(f"{where}: {_not_trusted(type_name, root, is_model)}")
    try:
        candidate = _import_class(module_name, class_name)
    except ImportError as error:  # Some packages raise it for names that they once had.
        if error.name in EXTRAS:
            raise ModelError(
                f"{where}: {type_name} needs the package {error.name}: "
                f"install it: pip install 'churnlib[{error.name}]'"
            ) from None
        if error.name == root:
            raise ModelError(
                f"{where}: {type_name} needs the package {root}, which cannot be imported. "
                "Install it, or add its folder to PYTHONPATH."
            ) from None
        candidate = None
    if candidate is None:
        suggestion = _closest_type(class_name, is_model) if root in TRUSTED_ROOTS else ""
        raise ModelError(f"{where}: there is no {type_name}. {suggestion}".rstrip())
    if not (candidate is OfKind or is_trusted_estimator(candidate)):
        package = package_of(candidate) if isinstance(candidate, type) else root
        why = "it is not an estimator that can be configured"
        if package not in trusted:
            why = f"the package {package}, which defines it, is not trusted"
        hint = how_to_trust([package]) if _is_estimator(candidate) else ""
        raise ModelError(f"{where}: {type_name} is not allowed: {why}. {hint}".rstrip())
    resolved: Callable[..., Any] = candidate
    return resolved


def _is_estimator(candidate: Any) -> bool:
    return isinstance(candidate, type) and hasattr(candidate, "get_params")


def _import_class(module_name: str, class_name: str) -> Any:
    """The attribute of a module; None if it has none of that name."""
    module = importlib.import_module(module_name)
    try:
        return getattr(module, class_name, None)
    except ImportError:
        if module_name.partition(".")[0] != "sklearn":
            raise
    _enable_experimental()
    return getattr(module, class_name, None)


def _enable_experimental() -> None:
    """Makes scikit-learn's experimental estimators importable by their public names."""
    from sklearn import experimental

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # An estimator that is not experimental any more warns.
        for module in pkgutil.iter_modules(experimental.__path__):
            if module.name.startswith("enable_"):
                importlib.import_module(f"{experimental.__name__}.{module.name}")


def _not_trusted(type_name: str, root: str, is_model: bool) -> str:
    class_name = type_name.rpartition(".")[2]
    closest_type = _closest_type(class_name, is_model)
    if not root:
        return f"'{type_name}' is not the full name of a class. {closest_type}"
    is_known = root in EXTRAS or class_name in _estimators()
    return (
        f"{type_name} is not allowed: the package {root} is not trusted; only "
        f"{', '.join((*TRUSTED_ROOTS, *trusted_packages()))} are. "
        f"{closest_type if is_known else how_to_trust([root])}"
    ).rstrip()


def _estimators() -> dict[str, Any]:
    """The estimators of scikit-learn and this package, by the names of their classes."""
    return dict(all_estimators()) | {"OfKind": OfKind}


def _closest_type(class_name: str, is_model: bool) -> str:
    names = _estimators()
    others = {name.rpartition(".")[2]: name for name in (*REPLACEMENTS, FROM_PARTS)}
    if near := get_close_matches(class_name, others, n=1, cutoff=0.8):
        return f"Did you mean '{others[near[0]]}'?"
    models = [name for name, cls in names.items() if issubclass(cls, ClassifierMixin)]
    near = get_close_matches(class_name, models, n=1, cutoff=0.6) if is_model else []
    near = near or get_close_matches(class_name, names, n=1, cutoff=0.75)
    if not near:
        return "Give the full name of a class, such as sklearn.impute.SimpleImputer."
    public = takewhile(lambda part: not part.startswith("_"), names[near[0]].__module__.split("."))
    return f"Did you mean '{'.'.join(public)}.{near[0]}'?"
