"""Folds and early stopping by character, for subscriptions that have a row for each month.

The rows of one subscription are alike, and so are their outcomes. Where an estimator divides its
rows at random, to cross-validate or to stop early, it would measure how well it knows the
subscriptions that it was fitted to. Here all rows of a character fall on one side.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline

from churnlib.errors import ModelError, TooFewRowsError
from churnlib.model.nested import estimators_in
from churnlib.model.weights import Weights, weighted
from churnlib.seeds import derive_seed

FOLDS = 5
"""The folds of scikit-learn's cross-validation, unless a parameter gives another number."""
AUTOMATIC = 10_000
"""With more rows, `early_stopping = "auto"` of histogram gradient boosting stops early."""
STOPPING = ("early_stopping", "n_iter_no_change")
"""Parameters with which an estimator sets rows aside at random."""

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows that a pipeline is being fitted to.

    Attributes:
        units: The number of the character of each row, from 0.
        outcome: Whether each row churned.
    """

    units: Whole
    outcome: Whole

    def where(self, keep: Flags) -> "_Rows":
        """Selects some of the rows."""
        units = np.unique(self.units[keep], return_inverse=True)[1]
        return _Rows(units, self.outcome[keep])

    def in_turn(self, seed: int) -> Whole:
        """The place of each row's character in a random order, in which those that churn follow.

        Characters at regular distances in this order have as many churners as chance allows.
        """
        churners = np.bincount(self.units, self.outcome) > 0
        shuffled = np.random.default_rng(seed).permutation(len(churners))
        places = np.empty(len(churners), np.int64)
        places[shuffled[np.argsort(churners[shuffled], kind="stable")]] = np.arange(len(churners))
        return places[self.units]


_fitted_to: ContextVar[_Rows | None] = ContextVar("rows of the pipeline", default=None)


class CharacterFolds(StratifiedKFold):  # type: ignore[misc]
    """Divides the rows that a pipeline is being fitted to, all rows of a character in one fold."""

    def split(
        self, features: Any, outcome: Any, groups: Any = None
    ) -> Iterator[tuple[Whole, Whole]]:
        """Yields the rows to fit on and the rows to test on, for each fold.

        Raises:
            ValueError: These are other rows, so their characters are not known.
        """
        rows = _fitted_to.get()
        if rows is None or not np.array_equal(np.asarray(outcome), rows.outcome):
            raise ValueError(
                "where subscriptions have a row for each month, folds are by character, which is "
                "not possible inside an estimator that fits to a part of the rows or in processes "
                "of its own. Set cv and n_jobs on the outer estimator only"
            )
        folds = rows.in_turn(self.random_state) % self.n_splits
        for fold in range(self.n_splits):
            yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)


def use_character_folds(pipeline: Pipeline, seed: int) -> None:
    """Makes all cross-validation in a pipeline divide its rows by character.

    Args:
        pipeline: The pipeline from `churnlib.model.pipeline.build_pipeline`, changed in place.
        seed: The seed of the folds.

    Raises:
        ModelError: An estimator divides its rows at random in a way that cannot be changed.
    """
    last = pipeline.steps[-1][0]
    for path, estimator in estimators_in(dict(pipeline.steps)):
        params = estimator.get_params(deep=False)
        is_last_step = path == (last,)
        if not (is_last_step and isinstance(estimator, HistGradientBoostingClassifier)):
            _refuse_early_stopping(path, estimator, params)
        if "cv" not in params:
            continue
        folds = getattr(params["cv"], "n_splits", params["cv"] or FOLDS)
        if not isinstance(folds, int):
            raise _refused(path, estimator, f"cv = {folds!r}", "Set cv to a number of folds.")
        estimator.set_params(
            cv=CharacterFolds(folds, shuffle=True, random_state=derive_seed(seed, *path))
        )


def _refuse_early_stopping(path: tuple[str, ...], estimator: Any, params: dict[str, Any]) -> None:
    grids: Any = params.get("param_grid", params.get("param_distributions", ()))
    for grid in [grids] if isinstance(grids, dict) else grids:
        if names := [name for name in grid if name.rpartition("__")[2] in STOPPING]:
            raise _refused(path, estimator, f"a search over {names[0]}", "Leave it out.")
    if "early_stopping" in params:
        if params["early_stopping"] and params.get("validation_fraction", 0) is not None:
            what = f"early_stopping = {params['early_stopping']!r}"
            raise _refused(path, estimator, what, "Set early_stopping = false in it.")
    elif params.get("n_iter_no_change") is not None and "validation_fraction" in params:
        raise _refused(path, estimator, "n_iter_no_change", "Leave n_iter_no_change out.")


def _refused(path: tuple[str, ...], estimator: Any, what: str, remedy: str) -> ModelError:
    return ModelError(
        f"train.pipeline: step '{path[0]}': {type(estimator).__name__} with {what} sets rows aside "
        'at random. With cohort.grain = "monthly" a subscription has several rows, which would '
        f"fall on both sides. {remedy} HistGradientBoostingClassifier as the last step may stop "
        "early: it sets characters aside."
    )


def fit_by_character(
    pipeline: Pipeline,
    features: pl.DataFrame,
    outcome: Whole,
    characters: pl.Series,
    seed: int,
    weights: Weights | None = None,
) -> None:
    """Fits a pipeline in place, with folds and early stopping by character.

    Histogram gradient boosting as the last step stops early by the loss on a share
    `validation_fraction` of the characters, which the other steps are not fitted to either.

    Args:
        pipeline: See `use_character_folds`.
        features: The columns that it takes.
        outcome: Whether each row churned.
        characters: The character of each row.
        seed: The seed of folds and early stopping.
        weights: The weight of each row; None if all are equal.

    Raises:
        ModelError: See `use_character_folds`; or too few characters to stop early.
    """
    use_character_folds(pipeline, seed)
    rows = _Rows(characters.rank("dense").to_numpy().astype(np.int64) - 1, outcome)
    share = _share_to_stop(pipeline[-1], len(outcome))
    if not share:
        with _fitting_to(rows):
            pipeline.fit(features, outcome, **weighted(pipeline, weights))
        return
    aside = _set_aside(rows, share, derive_seed(seed, "early_stopping"))
    fitted, stopping = features.filter(~aside), features.filter(aside)
    if len(pipeline) > 1:
        with _fitting_to(rows.where(~aside)):
            fitted = pipeline[:-1].fit_transform(fitted, outcome[~aside])
        stopping = pipeline[:-1].transform(stopping)
    each = (None, None) if weights is None else (weights[~aside], weights[aside])
    pipeline[-1].fit(
        fitted,
        outcome[~aside],
        sample_weight=each[0],
        X_val=stopping,
        y_val=outcome[aside],
        sample_weight_val=each[1],
    )


@contextmanager
def _fitting_to(rows: _Rows) -> Iterator[None]:
    token = _fitted_to.set(rows)
    try:
        yield
    finally:
        _fitted_to.reset(token)


def _share_to_stop(model: Any, rows: int) -> float:
    """The share of the characters by which a model stops early; 0 if it does not."""
    if not isinstance(model, HistGradientBoostingClassifier):
        return 0
    automatic = model.early_stopping == "auto" and rows > AUTOMATIC
    share = model.validation_fraction
    if share is None or not (model.early_stopping is True or automatic):
        return 0
    return share / rows if isinstance(share, int) else float(share)


def _set_aside(rows: _Rows, share: float, seed: int) -> Flags:
    """Flags the rows of a share of the characters."""
    places = rows.in_turn(seed)
    aside: Flags = np.floor((places + 1) * share) > np.floor(places * share)
    for part in (aside, ~aside):
        if len(np.unique(rows.outcome[part])) < 2:
            raise TooFewRowsError(
                f"early stopping sets {share:.1%} of {int(places.max()) + 1:,} characters aside, "
                "and both outcomes are needed among these and among the others: widen "
                "windows.train, or set early_stopping = false in train.pipeline."
            )
    return aside
