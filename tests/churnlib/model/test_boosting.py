"""LightGBM in pipelines: Enum columns, and the same model from parts as from all rows."""

import inspect
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import polars as pl
import pytest

from churnlib.errors import ModelError
from churnlib.model.boosting import LGBMClassifier, LGBMFromParts
from churnlib.model.estimators import resolve
from churnlib.model.feature_table import FeatureTable
from churnlib.model.fit import fit
from churnlib.model.pipeline import build_pipeline
from churnlib.model.sample import FROM_PARTS, learns_from_parts
from tests.churnlib.model.samples import (
    IMPUTE,
    LIGHTGBM,
    features,
    model_of,
    probabilities,
    step,
    training,
    usual,
)

ROWS = features(600)
IN_PARTS = training(step(FROM_PARTS, **LIGHTGBM["params"]))


@pytest.mark.parametrize("size", [32, 599, 1000])
def test_model_does_not_depend_on_the_size_of_parts(size: int) -> None:
    with_nulls = ROWS.with_columns(
        sub_churn=pl.when((pl.col("sub_id") > 1100) & (pl.col("sub_id") % 7 != 0)).then("sub_churn")
    )
    labelled = with_nulls.drop_nulls("sub_churn")
    in_memory = fit(labelled, training(model_of(LIGHTGBM)), seed=1)
    from_parts = fit(replace(FeatureTable.of(with_nulls), size=size), IN_PARTS, seed=1)
    assert from_parts.schema == in_memory.schema
    assert probabilities(from_parts, ROWS) == probabilities(in_memory, ROWS)


def test_one_part_at_a_time_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    heights: list[int] = []
    part = FeatureTable.part

    def read_and_count(rows: FeatureTable, number: int) -> pl.DataFrame:
        frame = part(rows, number)
        heights.append(len(frame))
        return frame

    def fail(*_: Any) -> None:
        raise AssertionError("all rows at once")

    monkeypatch.setattr(FeatureTable, "part", read_and_count)
    monkeypatch.setattr(LGBMFromParts, "fit", fail)
    fit(replace(FeatureTable.of(ROWS), size=100), IN_PARTS, seed=1)
    # For the categories, for LightGBM's bins, for their contents, and for the baseline.
    assert heights == [100] * 6 * 4


def test_in_a_longer_pipeline_it_is_fitted_to_the_transformed_rows() -> None:
    numbers = features().drop("race", "sub_type")
    steps = (IMPUTE, step(FROM_PARTS, **LIGHTGBM["params"]))
    assert not learns_from_parts(steps)
    assert len(set(probabilities(fit(numbers, training(*steps), seed=1), numbers))) > 10


def test_categories_are_split_on_as_a_set() -> None:
    outcome = np.array([0, 1, 0, 1] * 60)
    kinds = pl.Enum(["a", "b", "c", "d"])
    frame = pl.DataFrame({"kind": pl.Series(["a", "b", "c", "d"] * 60, dtype=kinds)})
    model = LGBMClassifier(n_estimators=1, num_leaves=2, min_child_samples=1, random_state=1)
    churned = model.fit(frame, outcome).predict_proba(frame)[:, 1]
    assert len(set(churned[outcome == 0])) == len(set(churned[outcome == 1])) == 1
    assert churned[outcome == 1].min() > churned[outcome == 0].max()


def test_lightgbm_is_deterministic_and_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    model = fit(features(), training(model_of(LIGHTGBM)), seed=1).pipeline.named_steps["model"]
    assert isinstance(model, lightgbm.LGBMClassifier)
    assert model.get_params()["deterministic"]
    assert model.get_params()["force_row_wise"]
    assert "[deterministic: 1]" in model.booster_.model_to_string()
    text = usual("lightgbm_from_parts").pipeline.named_steps["model"].text_
    assert "[deterministic: 1]" in text
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"num_leafs": 3}, "has no parameter 'num_leafs' to set. Did you mean 'num_leaves'?"),
        ({"deterministic": False}, "has no parameter 'deterministic' to set."),
        ({"learning_rate": 0}, "The 'learning_rate' parameter of LGBM"),
        ({"objective": "regression"}, "The 'objective' parameter of LGBM"),
        ({"n_estimators": 1.5}, "The 'n_estimators' parameter of LGBM"),
    ],
)
@pytest.mark.parametrize("name", ["lightgbm.LGBMClassifier", FROM_PARTS])
def test_unknown_and_invalid_parameters_are_refused(
    name: str, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        build_pipeline([step(name, **params)], 1)
    assert message in str(caught.value)


PARAMS = [name for name in inspect.signature(LGBMClassifier).parameters if name != "kwargs"]


@pytest.mark.parametrize("param", PARAMS)
@pytest.mark.parametrize("name", ["lightgbm.LGBMClassifier", FROM_PARTS])
def test_text_cannot_set_other_parameters(name: str, param: str) -> None:
    with pytest.raises(ModelError, match=f"The '{param}' parameter of LGBM"):
        build_pipeline([step(name, **{param: "1 machines=127.0.0.1:1\nverbose=2"})], 1)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"max_depth": [3, "3 machines=x"]}, "'max_depth' parameter of LGBMClassifier must be"),
        ({"metric": ["auc machines=x"]}, "has no parameter 'metric' to set"),
        ({"deterministic": [True]}, None),
    ],
)
def test_text_in_a_search_cannot_set_other_parameters(
    grid: dict[str, Any], message: str | None
) -> None:
    search = step("sklearn.model_selection.GridSearchCV", estimator=LIGHTGBM, param_grid=grid, cv=2)
    if message is None:
        build_pipeline([search], 1)
        return
    with pytest.raises(ModelError) as caught:
        build_pipeline([search], 1)
    assert message in str(caught.value)


def test_parameters_of_a_file_are_checked() -> None:
    model = usual("lightgbm").pipeline.steps[-1][1]
    state = model.__getstate__()
    for change in ({"n_jobs": "1 machines=x"}, {"_other_params": {"metric": "auc machines=x"}}):
        with pytest.raises(ValueError, match=r"n_jobs|metric"):
            LGBMClassifier().__setstate__({**state, **change})


def test_class_weight_is_refused_for_parts() -> None:
    build_pipeline([step("lightgbm.LGBMClassifier", class_weight="balanced")], 1)
    with pytest.raises(ModelError, match="'class_weight' parameter of LGBMFromParts must be None"):
        build_pipeline([step(FROM_PARTS, class_weight="balanced")], 1)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("lightgbm.LGBMClasifier", "lightgbm.LGBMClassifier"),
        ("sklearn.ensemble.LGBMClassifier", "lightgbm.LGBMClassifier"),
        ("churnlib.model.parts.LGBMFromParts", FROM_PARTS),
    ],
)
def test_misspelled_name_gets_a_suggestion(name: str, suggestion: str) -> None:
    with pytest.raises(ModelError, match=f"Did you mean '{suggestion}'"):
        resolve(name)


@pytest.mark.parametrize("name", ["lightgbm.LGBMRegressor", "lightgbm.Booster", "lightgbm.train"])
def test_other_names_of_lightgbm_are_refused(name: str) -> None:
    with pytest.raises(ModelError, match="is not allowed"):
        resolve(name)


@pytest.mark.parametrize("name", ["lightgbm.LGBMClassifier", FROM_PARTS])
def test_message_names_the_extra_if_lightgbm_is_missing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [m for m in sys.modules if m.partition(".")[0] == "lightgbm"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, "churnlib.model.boosting")
    monkeypatch.setattr(sys, "path", [p for p in sys.path if "site-packages" not in p])
    with pytest.raises(ModelError, match=r"needs the package lightgbm: .*'churnlib\[lightgbm\]'"):
        resolve(name)
