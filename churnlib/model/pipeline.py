"""The pipeline as configuration states it: names of classes and parameters made estimators."""

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import takewhile
from typing import Any

import polars as pl
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.utils import all_estimators

from churnlib.errors import ModelError, closest
from churnlib.model.columns import OfKind
from churnlib.model.feature_schema import choose
from churnlib.model.persistence import as_skops
from churnlib.model.sample import FROM_PARTS
from churnlib.seeds import derive_seed
from churnlib.settings import Step, TrainSettings

TRUSTED_ROOTS = ("sklearn", "churnlib", "skrub")
"""The packages that configuration may name classes of. In code, because a run must not widen it."""
EXTRAS = ("skrub", "lightgbm")
"""The packages that only an extra of this one brings."""
STAND_INS = {"lightgbm.LGBMClassifier": "churnlib.model.boosting.LGBMClassifier"}
"""Classes of other packages that are made safe here, by the names that configuration gives."""
REFUSED = ("FunctionTransformer", "TextEncoder", "LLMEncoder")
"""Estimators that run whatever function they are given, or load models from the network or from
pickles, hence ways around `TRUSTED_ROOTS`."""
REFUSED_PARAMS = ("memory", "input")
"""Parameters that write and read pickles, or read the files that the data name."""
NAMED_LISTS = {
    "steps": ("name", "estimator"),
    "transformers": ("name", "estimator", "columns"),
    "transformer_list": ("name", "estimator"),
    "estimators": ("name", "estimator"),
}
"""Parameters that scikit-learn takes as lists of tuples, which TOML can only write as lists; and
what each tuple holds."""


def build_pipeline(steps: Sequence[Step], seed: int) -> Pipeline:
    """Builds the pipeline that a game's settings state.

    Args:
        steps: `[[train.pipeline]]`, in order; the last is the classifier.
        seed: Every random element that states no `random_state` gets a seed of its own from it.

    Returns:
        The pipeline, not fitted; an estimator inside another works on one thread.

    Raises:
        ModelError: A class that does not exist or is not allowed, an unknown parameter, or a value
            that its class refuses; the message names the step and the closest name.
    """
    last = len(steps) - 1
    built = [
        (step.name, _build(step.type, step.params, f"step '{step.name}'", is_model=n == last))
        for n, step in enumerate(steps)
    ]
    if not callable(getattr(type(built[-1][1]), "predict_proba", None)):
        name, model = built[-1]
        raise ModelError(
            f"train.pipeline: step '{name}', the last, is {type(model).__name__}, which gives no "
            "probabilities. The last step must be a classifier with predict_proba."
        )
    for path, estimator in estimators_in(dict(built)):
        _seed(estimator, derive_seed(seed, *path))
        # An estimator inside another predicts while that is fitted, and a forest that predicts
        # sums its trees in the order in which threads end: its last bits would differ.
        if len(path) > 1 and estimator.get_params(deep=False).get("n_jobs") is not None:
            estimator.set_params(n_jobs=1)
    return Pipeline(built)


def check_pipeline(settings: TrainSettings, columns: Mapping[str, pl.DataType]) -> None:
    """Refuses settings that state no pipeline to fit and keep, before there is anything to fit.

    Args:
        settings: See `TrainSettings`.
        columns: The types of the columns that the feature table will have, by name.

    Raises:
        ModelError: See `build_pipeline` and `choose`; a step names a column that is no feature; or
            a skops file, where that is to be written, may not hold the pipeline.
    """
    pipeline = build_pipeline(settings.pipeline, seed=0)
    check_columns(pipeline, choose(columns, settings.features))
    if settings.model_format == "skops":
        as_skops(pipeline)


def _seed(estimator: BaseEstimator, seed: int) -> None:
    params = estimator.get_params(deep=False)
    if params.get("random_state", "") is None:
        estimator.set_params(random_state=seed)
    elif params.get("random_state") == "deprecated" and isinstance(params.get("cv"), int):
        # TargetEncoder shuffles its folds without a seed, and takes one only with the folds.
        estimator.set_params(cv=StratifiedKFold(params["cv"], shuffle=True, random_state=seed))


def estimators_in(
    value: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], BaseEstimator]]:
    """Finds all estimators in a value, with the way to each; `get_params` sees not into lists."""
    inside: Any = ()
    if isinstance(value, BaseEstimator):
        yield path, value
        inside = value.get_params(deep=False).items()
    elif isinstance(value, Mapping):
        inside = value.items()
    elif isinstance(value, list | tuple):
        inside = enumerate(value)
    for name, part in inside:
        yield from estimators_in(part, (*path, str(name)))


def resolve(
    type_name: str, where: str = "train.pipeline", *, is_model: bool = False
) -> Callable[..., Any]:
    """Finds the class of a name, and refuses what is no estimator of a trusted package.

    Args:
        type_name: The full name, such as `sklearn.impute.SimpleImputer`.
        where: What asks for it, for messages.
        is_model: Whether it is to be the model, so that a classifier is suggested first.

    Raises:
        ModelError: There is no such class, or it is not allowed; names the closest that is.
    """
    module_name, _, class_name = STAND_INS.get(type_name, type_name).rpartition(".")
    root = module_name.partition(".")[0]
    if root not in TRUSTED_ROOTS:
        raise ModelError(
            f"{where}: {type_name} is not allowed: its package is not among "
            f"{', '.join(TRUSTED_ROOTS)}. {_closest_type(class_name, is_model)}"
        )
    try:
        found = getattr(importlib.import_module(module_name), class_name, None)
    except ImportError as error:  # Some packages raise it for the names that they once had.
        if error.name in EXTRAS:
            raise ModelError(
                f"{where}: {type_name} needs the package {error.name}: "
                f"install it with pip install 'churnlib[{error.name}]'."
            ) from None
        found = None
    if found is None:
        raise ModelError(f"{where}: there is no {type_name}. {_closest_type(class_name, is_model)}")
    # The class itself decides: a name can lead through a package to what the package imported.
    if not (
        inspect.isclass(found)
        and (issubclass(found, BaseEstimator) or found is OfKind)
        and found.__module__.partition(".")[0] in TRUSTED_ROOTS
        and found.__name__ not in REFUSED
    ):
        raise ModelError(f"{where}: {type_name} is not allowed: it is no estimator to configure.")
    return found


def _build(type_name: str, params: dict[str, Any], where: str, *, is_model: bool = False) -> Any:
    made = resolve(type_name, f"train.pipeline: {where}", is_model=is_model)
    known = [
        name
        for name, parameter in inspect.signature(made).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD and name not in REFUSED_PARAMS
    ]
    for name in params:
        if name not in known:
            raise ModelError(
                f"train.pipeline: {where}: {type_name} has no parameter '{name}' to set. "
                f"{closest(name, known)}"
            )
    values = {name: _value(name, value, f"{where}, {name}") for name, value in params.items()}
    try:
        estimator = made(**values)
        if isinstance(estimator, BaseEstimator) and hasattr(estimator, "_parameter_constraints"):
            estimator._validate_params()
    except (ValueError, TypeError) as error:
        raise ModelError(f"train.pipeline: {where}: {error}") from None
    return estimator


def _value(name: str, value: Any, where: str) -> Any:
    if isinstance(value, dict) and "type" in value:
        if unknown := set(value) - {"type", "params"}:
            raise ModelError(
                f"train.pipeline: {where}: an estimator is a table of type and params, "
                f"without {', '.join(sorted(unknown))}."
            )
        return _build(str(value["type"]), dict(value.get("params", {})), where)
    if isinstance(value, dict):
        # A grid of parameters to search sets them when it is fitted.
        if refused := [key for key in value if key.rpartition("__")[2] in REFUSED_PARAMS]:
            raise ModelError(f"train.pipeline: {where}: '{refused[0]}' is no parameter to set.")
        return {key: _value(key, inner, f"{where}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        made = [_value("", inner, where) for inner in value]
        return _tuples(made, NAMED_LISTS[name], where) if name in NAMED_LISTS else made
    return value


def _tuples(entries: list[Any], parts: tuple[str, ...], where: str) -> list[tuple[Any, ...]]:
    for entry in entries:
        if not (isinstance(entry, list) and len(entry) == len(parts) and isinstance(entry[0], str)):
            raise ModelError(
                f"train.pipeline: {where}: each entry is a list of {', '.join(parts)}; "
                f"not {entry!r}."
            )
    return [tuple(entry) for entry in entries]


def _closest_type(class_name: str, is_model: bool) -> str:
    names = {made.__name__: made for _, made in all_estimators()}
    names["OfKind"] = OfKind
    by_class = {name.rpartition(".")[2]: name for name in (*STAND_INS, FROM_PARTS)}
    if near := get_close_matches(class_name, by_class, n=1, cutoff=0.8):
        return f"Did you mean '{by_class[near[0]]}'?"
    models = [name for name, made in names.items() if issubclass(made, ClassifierMixin)]
    near = get_close_matches(class_name, models, n=1, cutoff=0.6) if is_model else []
    near = near or get_close_matches(class_name, names, n=1, cutoff=0.75)
    if not near:
        return "Name a class of scikit-learn in full, such as sklearn.impute.SimpleImputer."
    public = takewhile(lambda part: not part.startswith("_"), names[near[0]].__module__.split("."))
    return f"Did you mean '{'.'.join(public)}.{near[0]}'?"


def check_columns(pipeline: Pipeline, columns: Sequence[str]) -> None:
    """Holds the columns that a first step names against those that there are.

    Args:
        pipeline: As `build_pipeline` gives it.
        columns: The features that enter it.

    Raises:
        ModelError: A `ColumnTransformer` that comes first names a column that is no feature.
    """
    name, first = pipeline.steps[0]
    for transformer in first.transformers if isinstance(first, ColumnTransformer) else ():
        for column in transformer[2] if isinstance(transformer[2], list) else ():
            if isinstance(column, str) and column not in columns:
                raise ModelError(
                    f"train.pipeline: step '{name}', '{transformer[0]}': there is no feature "
                    f"'{column}'. {closest(column, columns)}"
                )
