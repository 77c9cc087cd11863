"""Checks of the parts of a loaded model that compiled code reads without any check of its own.

A file of trusted types can still hold a tree whose node leads outside of its arrays: predicting
would read, or write, foreign memory, and crash the process at best. `check_parts` refuses it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.ensemble._forest import BaseForest
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder
from sklearn.svm._base import BaseLibSVM
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree
from sklearn.utils.validation import check_array

Indices: TypeAlias = NDArray[Any]


def check_parts(model: Any) -> None:
    """Checks all objects that a model holds.

    Raises:
        ValueError: One of them would make compiled code leave its arrays.
    """
    seen: set[int] = set()
    waiting = [model]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        _check(part)
        waiting.extend(_inside(part))


def _inside(part: Any) -> Iterable[Any]:
    if isinstance(part, Mapping):
        return (*part.keys(), *part.values())
    if isinstance(part, list | tuple | set):
        return part
    if isinstance(part, np.ndarray):
        return part.ravel().tolist() if part.dtype == object else ()
    return vars(part).values() if hasattr(part, "__dict__") else ()


def _check(part: Any) -> None:
    """Checks one object by its class."""
    for cls, check in CHECKS.items():
        if isinstance(part, cls):
            _need(type(part).__name__, not _overridden(part), "a method is replaced")
            try:
                check(part)
            except (AttributeError, TypeError, IndexError, KeyError) as error:
                raise ValueError(f"{type(part).__name__} is incomplete ({error})") from None
    if issparse(part) and hasattr(part, "check_format"):
        part.check_format(full_check=True)
    words = getattr(part, "vocabulary_", None)
    if isinstance(words, Mapping):
        _need("vocabulary_", sorted(words.values()) == list(range(len(words))), "has gaps")


def _overridden(part: Any) -> list[str]:
    """The attributes of an object that take the place of a method of its class."""
    return [
        name for name in getattr(part, "__dict__", ()) if callable(getattr(type(part), name, 0))
    ]


def _need(name: str, holds: Any, fault: str) -> None:
    if not holds:
        raise ValueError(f"{name} {fault}")


def _below(name: str, values: Any, size: int, at_least: Any = 0) -> None:
    values = np.asarray(values)
    _need(name, ((values >= at_least) & (values < size)).all(), f"leads outside of its {size:,}")


def _check_tree(tree: Tree) -> None:
    _need("a tree", tree.node_count == tree.capacity > 0, "counts other nodes than it has")
    _need("a tree", tree.n_outputs == 1 and tree.max_n_classes > 0, "has no single outcome")
    left, right = tree.children_left, tree.children_right
    inner = np.flatnonzero(left != -1)
    for children in (left, right):
        _below("a node of a tree", children[inner], tree.node_count, inner + 1)
    _below("a feature of a tree", tree.feature[inner], tree.n_features)


def _check_tree_model(model: BaseDecisionTree) -> None:
    if hasattr(model, "tree_"):
        _need("tree_", isinstance(model.tree_, Tree), "is no tree")
        _need("n_features_in_", model.n_features_in_ == model.tree_.n_features, "is not its tree's")


def _check_forest(model: Any) -> None:
    for tree in np.ravel(getattr(model, "estimators_", [])):
        _need("estimators_", isinstance(tree, BaseDecisionTree), "holds no trees")
        _need("estimators_", isinstance(tree.tree_, Tree), "holds trees that are not fitted")
        _need("n_features_in_", tree.n_features_in_ == model.n_features_in_, "is not its trees'")


def _check_gradient_boosting(model: Any) -> None:
    if hasattr(model, "estimators_"):
        shape = model.estimators_.shape
        _need(
            "estimators_", shape[1:] == (model.n_trees_per_iteration_,) == (1,), "has other trees"
        )
        _check_forest(model)


def _check_histogram_boosting(model: Any) -> None:
    if not hasattr(model, "_predictors"):
        return
    features, bins = model.n_features_in_, model._bin_mapper
    _need("a model", not getattr(model, "_in_fit", False), "is being fitted")
    _need("is_categorical_", np.shape(bins.is_categorical_) == (features,), "has another size")
    _need("bin_thresholds_", len(bins.bin_thresholds_) == features, "has another size")
    if model._preprocessor is not None:
        _check_preprocessor(model._preprocessor, features)
    categorical = np.flatnonzero(bins.is_categorical_)
    for predictors in model._predictors:
        for predictor in predictors:
            _need("_predictors", isinstance(predictor, TreePredictor), "holds no trees")
            inner = predictor.nodes[predictor.nodes["is_leaf"] == 0]
            _below("a feature of a tree", inner["feature_idx"], features)
            split = inner[inner["is_categorical"] != 0]
            known = np.isin(split["feature_idx"], categorical)
            _need("a tree", known.all(), "splits a number as a category")


def _check_preprocessor(transformer: Any, features: int) -> None:
    """Checks that it gives as many columns as it takes, each once."""
    _need("_preprocessor", type(transformer) is ColumnTransformer, "has another type")
    _need("n_features_in_", transformer.n_features_in_ == features, "of _preprocessor differs")
    columns = np.zeros(features, dtype=np.int64)
    for name, step, chosen in transformer.transformers_:
        function = getattr(getattr(step, "func", None), "func", None)
        keeps = type(step) is OrdinalEncoder or (
            type(step) is FunctionTransformer and function is check_array
        )
        _need("_preprocessor", keeps or (name, step) == ("remainder", "drop"), "has another step")
        indices = np.flatnonzero(chosen) if np.asarray(chosen).dtype == bool else np.asarray(chosen)
        known = transformer._transformer_to_input_indices.get(name, indices)
        _need("_preprocessor", np.array_equal(indices, known), "has two choices of columns")
        columns[indices.astype(np.int64)] += step != "drop"
    _need("_preprocessor", (columns == 1).all(), "drops or repeats columns")


def _check_predictor(tree: TreePredictor) -> None:
    nodes = tree.nodes
    _need("a tree", nodes.ndim == 1 and len(nodes) > 0, "has no nodes")
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    for side in ("left", "right"):
        _below("a node of a tree", nodes[side][inner], len(nodes), inner + 1)
    _below("a feature of a tree", nodes["feature_idx"][inner], np.iinfo(np.int64).max)
    split = inner[nodes["is_categorical"][inner] != 0]
    for sets in (tree.raw_left_cat_bitsets, tree.binned_left_cat_bitsets):
        _need(
            "the categories of a tree", sets.ndim == 2 and sets.shape[1] == 8, "have another size"
        )
        _below("a set of categories", nodes["bitset_idx"][split], len(sets))


def _check_one_hot(encoder: OneHotEncoder) -> None:
    if not hasattr(encoder, "categories_"):
        return
    sizes = [len(values) for values in encoder.categories_]
    outputs = encoder._compute_n_features_outs()
    _need("_n_features_outs", list(encoder._n_features_outs) == outputs, "has other sizes")
    dropped = encoder._drop_idx_after_grouping
    for index, size in zip(dropped if dropped is not None else (), sizes, strict=False):
        _need("drop_idx_", index is None or 0 <= index < size, "leads outside of the categories")
    if encoder._infrequent_enabled:
        groups = zip(encoder._default_to_infrequent_mappings, outputs, strict=True)
        for mapping, size in groups:
            _below("a rare category", mapping if mapping is not None else [], size + 1)


def _check_neighbours(model: KNeighborsClassifier) -> None:
    if hasattr(model, "_fit_X"):
        rows, features = model._fit_X.shape
        _need("_fit_X", features == model.n_features_in_, "has other columns")
        _need("_y", np.shape(model._y) == (rows,), "has other rows")
        _below("_y", model._y, len(model.classes_))


def _check_vectors(model: BaseLibSVM) -> None:
    if not hasattr(model, "support_vectors_"):
        return
    vectors, classes = len(model.support_), len(getattr(model, "classes_", (0, 1)))
    pairs = classes * (classes - 1) // 2
    _need("a support vector", not model._sparse, "is sparse")
    shape = (vectors, model.n_features_in_)
    _need("support_vectors_", model.support_vectors_.shape == shape, "has another size")
    _need("_n_support", (model._n_support >= 0).all(), "counts less than nothing")
    # Without classes, all vectors are counted twice.
    counted = vectors if hasattr(model, "classes_") else 2 * vectors
    _need("_n_support", model._n_support.shape == (classes,), "has another size")
    _need("_n_support", int(model._n_support.sum()) == counted, "counts other vectors")
    _need("_dual_coef_", model._dual_coef_.shape == (classes - 1, vectors), "has another size")
    _need("_intercept_", model._intercept_.shape == (pairs,), "has another size")
    for name in ("_probA", "_probB"):
        _need(name, getattr(model, name).shape in ((0,), (pairs,)), "has another size")


def _check_isotonic(model: IsotonicRegression) -> None:
    if hasattr(model, "X_thresholds_"):
        steps, values = model.X_thresholds_, model.y_thresholds_
        _need("X_thresholds_", steps.shape == values.shape == (len(steps),), "has another size")
        _need("X_thresholds_", (np.diff(steps) >= 0).all(), "does not rise")


def _check_linear(model: LinearClassifierMixin) -> None:
    if hasattr(model, "coef_"):
        shape = np.shape(model.coef_)
        _need("coef_", shape == (1, model.n_features_in_), "has another size")
        _need("intercept_", np.shape(model.intercept_) == (1,), "has another size")


CHECKS: dict[type, Callable[[Any], None]] = {
    Tree: _check_tree,
    BaseDecisionTree: _check_tree_model,
    BaseForest: _check_forest,
    GradientBoostingClassifier: _check_gradient_boosting,
    GradientBoostingRegressor: _check_gradient_boosting,
    TreePredictor: _check_predictor,
    HistGradientBoostingClassifier: _check_histogram_boosting,
    HistGradientBoostingRegressor: _check_histogram_boosting,
    OneHotEncoder: _check_one_hot,
    KNeighborsClassifier: _check_neighbours,
    BaseLibSVM: _check_vectors,
    IsotonicRegression: _check_isotonic,
    LinearClassifierMixin: _check_linear,
}
"""The check of each class. A tree that is part of another object is checked by itself, too."""
