"""The pipeline that a configuration describes, built from classes and parameters."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline

from churnlib.errors import ModelError, closest
from churnlib.model.by_character import FOLDS, use_character_folds
from churnlib.model.estimators import resolve
from churnlib.model.feature_schema import choose
from churnlib.model.nested import estimators_in
from churnlib.model.persistence import as_skops
from churnlib.model.weights import check_takes_weights
from churnlib.schemas.columns import TENURE
from churnlib.seeds import derive_seed
from churnlib.settings import Step, TrainSettings

REFUSED_PARAMS = ("memory", "input")
"""Parameters that write and read pickles, or read files that the data name."""
NAMED_LISTS = {
    "steps": ("name", "estimator"),
    "transformers": ("name", "estimator", "columns"),
    "transformer_list": ("name", "estimator"),
    "estimators": ("name", "estimator"),
}
"""Parameters that scikit-learn takes as lists of tuples (lists in TOML), and the parts of
each tuple."""


def build_pipeline(steps: Sequence[Step], seed: int) -> Pipeline:
    """Builds the pipeline that a game's settings describe.

    Its steps pass on Polars frames, so that each can choose columns by name; unless one of them
    cannot return frames, such as an encoder with sparse output. Then all pass on arrays.

    Args:
        steps: `[[train.pipeline]]`, in order; the last is the classifier.
        seed: Each random element without a `random_state` gets a seed of its own derived from it.

    Returns:
        The pipeline, not fitted. An estimator inside another works on one thread.

    Raises:
        ModelError: A class does not exist or is not allowed; a parameter is unknown, or its value
            invalid; or a step chooses columns by name from an array. Names the step.
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
        # An estimator inside another predicts while that is fitted, and a forest adds up its trees
        # in the order in which threads finish: its last bits would differ.
        if len(path) > 1 and estimator.get_params(deep=False).get("n_jobs") is not None:
            estimator.set_params(n_jobs=1)
    pipeline = Pipeline(built)
    _pass_on_frames(pipeline)
    return pipeline


def check_pipeline(settings: TrainSettings, columns: Mapping[str, pl.DataType]) -> None:
    """Refuses settings with which no model can be fitted and saved, before building features.

    Args:
        settings: See `TrainSettings`.
        columns: The types of the feature table's columns, by name.

    Raises:
        ModelError: See `build_pipeline` and `choose`; or a step names a column that is not a
            feature, or cannot be fitted by character at the monthly grain, or takes no weights if
            it must; or a skops file may not hold the model.
    """
    pipeline = build_pipeline(settings.pipeline, seed=0)
    check_columns(pipeline, choose(columns, settings.features))
    check_takes_weights(pipeline, settings)
    if TENURE in columns:
        use_character_folds(pipeline, seed=0)
    if settings.model_format == "skops":
        as_skops(pipeline)


def _pass_on_frames(pipeline: Pipeline) -> None:
    obstacles = [
        (path, type(estimator).__name__)
        for path, estimator in estimators_in(dict(pipeline.steps))
        if not _can_return_frames(estimator)
    ]
    if not obstacles:
        for _, estimator in estimators_in(pipeline):
            if isinstance(estimator, Pipeline) and len(estimator) > 1:
                # Not the last: a stacking classifier would give frames to its final estimator,
                # which it fits to arrays.
                estimator[:-1].set_output(transform="polars")
        return
    for name, step in pipeline.steps[1:]:
        for transformer in _named_columns(step):
            (path, obstacle) = obstacles[0]
            raise ModelError(
                f"train.pipeline: step '{name}', '{transformer}' chooses columns by name, but "
                f"{obstacle} in step '{path[0]}' returns no frame. Set sparse_output = false in "
                "it if it has that parameter, or use another class."
            )


def _can_return_frames(estimator: BaseEstimator) -> bool:
    if not (hasattr(estimator, "transform") or hasattr(estimator, "fit_transform")):
        return True
    params = estimator.get_params(deep=False)
    is_sparse = params.get("sparse_output") is True or params.get("encode") == "onehot"
    return hasattr(estimator, "set_output") and not is_sparse


def _seed(estimator: BaseEstimator, seed: int) -> None:
    params = estimator.get_params(deep=False)
    if params.get("random_state", "") is None:
        estimator.set_params(random_state=seed)
    is_cross_fitted = "cv" in params and isinstance(params["cv"], int | None)
    # TargetEncoder takes a seed only with its folds. The folds of the others would not be shuffled:
    # each would be a range of characters, as old as each other.
    if is_cross_fitted and (is_classifier(estimator) or "target_type" in params):
        folds = StratifiedKFold(params["cv"] or FOLDS, shuffle=True, random_state=seed)
        estimator.set_params(cv=folds)


def most_categories(pipeline: Pipeline, configured: int | None) -> int | None:
    """The most values of a category that a pipeline takes.

    Args:
        pipeline: The pipeline. Histogram gradient boosting takes fewer values than it has bins.
        configured: The setting `train.max_categories`.
    """
    if configured is None:
        return None
    params = (each.get_params(deep=False) for _, each in estimators_in(pipeline))
    bins = [p["max_bins"] - 1 for p in params if isinstance(p.get("max_bins"), int)]
    return max(2, min(configured, *bins)) if bins else configured


def _build(type_name: str, params: dict[str, Any], where: str, *, is_model: bool = False) -> Any:
    cls = resolve(type_name, f"train.pipeline: {where}", is_model=is_model)
    known = [
        name
        for name, parameter in inspect.signature(cls).parameters.items()
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
        estimator = cls(**values)
        if isinstance(estimator, BaseEstimator) and hasattr(estimator, "_parameter_constraints"):
            estimator._validate_params()
        _check_candidates(estimator)
    except (ValueError, TypeError) as error:
        raise ModelError(f"train.pipeline: {where}: {error}") from None
    return estimator


def _check_candidates(search: Any) -> None:
    """Checks each value that a search will try, which it sets when it is fitted."""
    grids = getattr(search, "param_grid", getattr(search, "param_distributions", ()))
    for grid in [grids] if isinstance(grids, dict) else grids:
        for name, values in grid.items():
            for value in values if isinstance(values, list) else ():
                candidate = clone(search.estimator).set_params(**{name: value})
                for _, estimator in estimators_in(candidate):
                    if hasattr(estimator, "_parameter_constraints"):
                        estimator._validate_params()


def _value(name: str, value: Any, where: str) -> Any:
    if isinstance(value, dict) and "type" in value:
        if unknown := set(value) - {"type", "params"}:
            raise ModelError(
                f"train.pipeline: {where}: an estimator is a table of type and params; "
                f"there is no {', '.join(sorted(unknown))}."
            )
        return _build(str(value["type"]), dict(value.get("params", {})), where)
    if isinstance(value, dict):
        # A search sets the parameters of its grid when it is fitted.
        if refused := [key for key in value if key.rpartition("__")[2] in REFUSED_PARAMS]:
            raise ModelError(f"train.pipeline: {where}: no parameter '{refused[0]}' can be set.")
        return {key: _value(key, inner, f"{where}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        entries = [_value("", inner, where) for inner in value]
        return _tuples(entries, NAMED_LISTS[name], where) if name in NAMED_LISTS else entries
    return value


def _tuples(entries: list[Any], parts: tuple[str, ...], where: str) -> list[tuple[Any, ...]]:
    for entry in entries:
        if not (isinstance(entry, list) and len(entry) == len(parts) and isinstance(entry[0], str)):
            raise ModelError(
                f"train.pipeline: {where}: each entry is a list of {', '.join(parts)}; "
                f"not {entry!r}."
            )
    return [tuple(entry) for entry in entries]


def check_columns(pipeline: Pipeline, features: Sequence[str]) -> None:
    """Refuses a first step that names a column that is not a feature.

    Args:
        pipeline: The pipeline from `build_pipeline`.
        features: The features that enter it.

    Raises:
        ModelError: A `ColumnTransformer` that comes first names another column.
    """
    name, first = pipeline.steps[0]
    for transformer, columns in _named_columns(first).items():
        for column in columns:
            if column not in features:
                raise ModelError(
                    f"train.pipeline: step '{name}', '{transformer}': there is no feature "
                    f"'{column}'. {closest(column, features)}"
                )


def _named_columns(step: Any) -> dict[str, list[str]]:
    """The columns that a `ColumnTransformer` names, by transformer; empty for other steps."""
    transformers = step.transformers if isinstance(step, ColumnTransformer) else ()
    columns = {t[0]: t[2] if isinstance(t[2], list) else [] for t in transformers}
    named = {name: [c for c in chosen if isinstance(c, str)] for name, chosen in columns.items()}
    return {name: chosen for name, chosen in named.items() if chosen}
