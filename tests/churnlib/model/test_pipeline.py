"""Configured pipelines, and how they are built."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
import sklearn.experimental
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.pipeline import Pipeline
from sklearn.utils import all_estimators

from churnlib.errors import ModelError
from churnlib.model.estimators import resolve
from churnlib.model.fit import fit
from churnlib.model.persistence import as_skops, load_pipeline
from churnlib.model.pipeline import build_pipeline, check_columns, check_pipeline
from churnlib.model.trust import TRUSTED_TYPES
from churnlib.seeds import MAX_SEED
from churnlib.settings import Step
from tests.churnlib.model.samples import (
    ENCODE,
    FOREST,
    IMPUTE,
    LOGISTIC,
    ONE_HOT,
    PIPELINES,
    features,
    model_of,
    part,
    step,
    training,
)

LAST = model_of(LOGISTIC)
COLUMNS = features().schema


def refusal(*steps: Step) -> str:
    with pytest.raises(ModelError) as caught:
        build_pipeline(steps, 1)
    message = str(caught.value)
    assert message.startswith("train.pipeline: ")
    return message


# Construction


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines_are_built_as_configured(name: str) -> None:
    built = build_pipeline(PIPELINES[name], 1)
    assert [n for n, _ in built.steps] == [s.name for s in PIPELINES[name]]
    for configured, (_, estimator) in zip(PIPELINES[name], built.steps, strict=True):
        assert isinstance(estimator, resolve(configured.type))  # type: ignore[arg-type]
        params = estimator.get_params(deep=False)
        if "cv" in configured.params:  # Its folds are shuffled.
            params["cv"] = params["cv"].n_splits
        plain = {k: v for k, v in configured.params.items() if not isinstance(v, dict | list)}
        assert {k: params[k] for k in plain} == plain


@pytest.mark.parametrize("given", [{}, {"cv": 3}])
def test_folds_are_shuffled_with_a_seed(given: dict[str, int]) -> None:
    model = part("sklearn.linear_model.LogisticRegression")
    calibrated = step(
        "sklearn.calibration.CalibratedClassifierCV", "model", estimator=model, **given
    )
    first, other = (build_pipeline([calibrated], seed)[-1].cv for seed in (1, 2))
    assert (first.n_splits, first.shuffle) == (given.get("cv", 5), True)
    assert first.random_state != other.random_state


def test_estimators_nest_to_any_depth() -> None:
    inner = part("sklearn.pipeline.Pipeline", steps=[["encode", ONE_HOT]])
    outer = step(
        "sklearn.compose.ColumnTransformer",
        "encode",
        transformers=[["a", inner, ["race"]], ["b", "drop", ["sub_type"]]],
    )
    built = build_pipeline([outer, LAST], 1)
    (name, pipeline, columns), dropped = built.named_steps["encode"].transformers
    assert (name, columns, dropped) == ("a", ["race"], ("b", "drop", ["sub_type"]))
    assert isinstance(pipeline, Pipeline)
    assert pipeline.named_steps["encode"].handle_unknown == "ignore"


def random_states(value: Any, path: str = "") -> dict[str, Any]:
    """All `random_state` parameters in a tree of estimators, at any depth."""
    if isinstance(value, BaseEstimator):
        value = value.get_params(deep=False)
    states: dict[str, Any] = {}
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "random_state" and inner != "deprecated":
                states[f"{path}.{name}"] = inner
            states |= random_states(inner, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for n, inner in enumerate(value):
            states |= random_states(inner, f"{path}.{n}")
    return states


HIDDEN = (
    step(
        "skrub.TableVectorizer",
        "table",
        specific_transformers=[[part("skrub.StringEncoder"), ["race"]]],
    ),
    step(
        "sklearn.model_selection.RandomizedSearchCV",
        estimator=part(
            "sklearn.pipeline.Pipeline",
            steps=[["scale", "passthrough"], ["model", LOGISTIC]],
        ),
        param_distributions=[{"model": [FOREST, FOREST]}, {"model__C": [1.0]}],
    ),
)


@pytest.mark.parametrize("steps", [*PIPELINES.values(), HIDDEN])
def test_everything_random_is_seeded(steps: tuple[Step, ...]) -> None:
    def seeds(seed: int) -> dict[str, Any]:
        return random_states(build_pipeline(steps, seed).steps)

    one, again, other = seeds(1), seeds(1), seeds(2)
    assert one == again
    assert one.keys() == other.keys()
    assert all(isinstance(s, int) and 0 <= s <= MAX_SEED for s in one.values())
    assert set(one.values()).isdisjoint(other.values())
    assert len(set(one.values())) == len(one)


def test_random_states_finds_nested_estimators() -> None:
    assert len(random_states(build_pipeline(HIDDEN, 1).steps)) >= 5


def test_configured_seed_is_kept() -> None:
    built = build_pipeline([step("sklearn.linear_model.LogisticRegression", random_state=5)], 1)
    assert built.named_steps["model"].random_state == 5


def test_seed_of_a_step_does_not_depend_on_other_steps() -> None:
    alone = build_pipeline([LAST], 1).named_steps["model"].random_state
    assert build_pipeline([IMPUTE, LAST], 1).named_steps["model"].random_state == alone


@pytest.mark.parametrize(
    ("configured", "message"),
    [
        (step("sklearn.linear_model.LogisticRegression", c=1), "has no parameter 'c' to set"),
        (
            step("sklearn.linear_model.LogisticRegression", max_itr=1),
            "step 'model': sklearn.linear_model.LogisticRegression has no parameter 'max_itr' to "
            "set. Did you mean 'max_iter'?",
        ),
        (step("sklearn.linear_model.LogisticRegression", C=-1.0), "The 'C' parameter"),
        (step("sklearn.linear_model.LogisticRegression", C="1"), "The 'C' parameter"),
        (step("sklearn.linear_model.LogisticRegression", C=[1]), "The 'C' parameter"),
        (
            step("sklearn.calibration.CalibratedClassifierCV", estimator={**LOGISTIC, "parms": 1}),
            "estimator: an estimator is a table of type and params; there is no parms",
        ),
        (
            step("sklearn.calibration.CalibratedClassifierCV", estimator=part("os.system")),
            "step 'model', estimator: os.system is not allowed",
        ),
        (
            step(
                "sklearn.calibration.CalibratedClassifierCV",
                estimator=part("sklearn.linear_model.LogisticRegression", C=-1.0),
            ),
            "step 'model', estimator: The 'C' parameter",
        ),
        (step("sklearn.ensemble._forest.ForestClassifier"), "abstract"),
        (step("sklearn.base.ClassifierMixin"), "not an estimator that can be configured"),
        (step("sklearn.linear_model.LinearRegression"), "which gives no probabilities"),
        (step("sklearn.svm.LinearSVC"), "which gives no probabilities"),
        (step("sklearn.preprocessing.StandardScaler"), "'model', the last, is StandardScaler"),
        (step("churnlib.model.columns.OfKind"), "'model', the last, is OfKind"),
        (step("churnlib.model.columns.OfKind", kind="colour"), "kind must be"),
        (step("sklearn.pipeline.Pipeline", steps=[LOGISTIC]), "each entry is a list of name, "),
        (step("sklearn.pipeline.Pipeline", steps="abc"), "must be an instance of 'list'"),
        (
            step("sklearn.compose.ColumnTransformer", transformers=[["a", ONE_HOT]]),
            "transformers: each entry is a list of name, estimator, columns; not ['a', OneHot",
        ),
        (step("sklearn.ensemble.VotingClassifier", estimators=[[1, LOGISTIC]]), "each entry is"),
    ],
)
def test_error_names_the_step_that_cannot_be_built(configured: Step, message: str) -> None:
    assert message in refusal(configured)


PICKLING = part("sklearn.pipeline.Pipeline", steps=[["model", LOGISTIC]], memory="/tmp/x")


@pytest.mark.parametrize(
    "configured",
    [
        step("sklearn.pipeline.Pipeline", steps=[["model", LOGISTIC]], memory="/tmp/x"),
        step("sklearn.calibration.CalibratedClassifierCV", estimator=PICKLING),
        step("sklearn.ensemble.VotingClassifier", estimators=[["a", PICKLING]]),
        step("sklearn.cluster.FeatureAgglomeration", memory="/tmp/x"),
        step("sklearn.feature_extraction.text.CountVectorizer", input="filename"),
        step(
            "sklearn.model_selection.GridSearchCV",
            estimator=part("sklearn.pipeline.Pipeline", steps=[["model", LOGISTIC]]),
            param_grid={"memory": ["/tmp/x"]},
        ),
        step(
            "sklearn.model_selection.RandomizedSearchCV",
            estimator=part("sklearn.pipeline.Pipeline", steps=[["model", LOGISTIC]]),
            param_distributions=[{"C": [1]}, {"inner__memory": ["/tmp/x"]}],
        ),
        step(
            "sklearn.model_selection.GridSearchCV",
            estimator=LOGISTIC,
            param_grid={"estimator": [PICKLING]},
        ),
    ],
)
def test_parameters_that_read_or_write_files_are_refused(configured: Step) -> None:
    assert "parameter" in refusal(configured)


def test_function_cannot_be_configured_by_name(tmp_path: Path) -> None:
    # Text stays text, which a parameter that must be a function refuses.
    impute = step("sklearn.impute.SimpleImputer", "impute", strategy="os.system")
    assert "The 'strategy' parameter" in refusal(impute, LAST)
    func = part("sklearn.preprocessing.FunctionTransformer", func="os.system")
    encode = step("sklearn.compose.ColumnTransformer", "e", transformers=[["a", func, ["race"]]])
    assert "is not allowed" in refusal(encode, LAST)
    target = step("sklearn.compose.TransformedTargetRegressor", func="os.system")
    assert "The 'func' parameter" in refusal(target)


# Checks before training


@pytest.mark.parametrize("name", PIPELINES)
def test_check_accepts_pipelines_that_can_be_saved(name: str) -> None:
    check_pipeline(training(*PIPELINES[name]), COLUMNS)


def test_check_refuses_a_pipeline_that_cannot_be_built() -> None:
    with pytest.raises(ModelError, match="has no parameter 'c' to set"):
        check_pipeline(training(step("sklearn.linear_model.LogisticRegression", c=1)), COLUMNS)


def test_check_refuses_a_pipeline_that_skops_cannot_save(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("churnlib.model.trust.TRUSTED_TYPES", ())
    with pytest.raises(ModelError, match=r'OfKind.*train\.model_format = "joblib"'):
        check_pipeline(training(ENCODE, LAST), COLUMNS)
    check_pipeline(training(ENCODE, LAST, model_format="joblib"), COLUMNS)


# Columns


def test_a_first_step_must_name_features() -> None:
    configured = step(
        "sklearn.compose.ColumnTransformer",
        "encode",
        transformers=[["a", ONE_HOT, ["race", "sub_typ"]], ["b", "drop", "race"]],
    )
    pipeline = build_pipeline([configured, LAST], 1)
    check_columns(pipeline, ["race", "sub_typ"])
    with pytest.raises(ModelError) as caught:
        check_columns(pipeline, ["race", "sub_type"])
    assert str(caught.value) == (
        "train.pipeline: step 'encode', 'a': there is no feature 'sub_typ'. "
        "Did you mean 'sub_type'?"
    )


@pytest.mark.parametrize(
    ("names", "choice"),
    [(["race", "sub_typ"], {}), (["race", "sub_type"], {"exclude": ["sub_type"]})],
    ids=["no column", "left out"],
)
def test_check_refuses_a_first_step_without_an_existing_feature(
    names: list[str], choice: dict[str, list[str]]
) -> None:
    configured = step(
        "sklearn.compose.ColumnTransformer", "e", transformers=[["a", ONE_HOT, names]]
    )
    with pytest.raises(ModelError, match=f"there is no feature '{names[1]}'"):
        check_pipeline(training(configured, LAST, features=choice), COLUMNS)


def test_columns_chosen_by_other_means_are_not_checked() -> None:
    check_columns(build_pipeline([ENCODE, LAST], 1), [])
    check_columns(build_pipeline([LAST], 1), [])
    by_place = step("sklearn.compose.ColumnTransformer", "e", transformers=[["a", ONE_HOT, [0]]])
    pipeline = build_pipeline([by_place, LAST], 1)
    assert isinstance(pipeline.steps[0][1], ColumnTransformer)
    check_columns(pipeline, ["race"])


def test_default_parameters_are_unchanged() -> None:
    build_pipeline([step("sklearn.ensemble.HistGradientBoostingClassifier")], 1)
    assert HistGradientBoostingClassifier().random_state is None


# Column names after the first step


def test_a_later_step_chooses_columns_by_name() -> None:
    model = fit(features(), training(*PIPELINES["column_by_name"], calibration="none"), seed=1)
    forest = model.pipeline.named_steps["model"]
    assert list(forest.feature_names_in_) == [
        "keep__race_elf",
        "keep__missingindicator_hard_balance",
    ]


def test_a_later_step_that_names_a_missing_column_is_refused() -> None:
    encode, impute, _, forest = PIPELINES["column_by_name"]
    columns = [["keep", "passthrough", ["race_elff"]]]
    select = step("sklearn.compose.ColumnTransformer", "select", transformers=columns)
    with pytest.raises(ModelError, match=r"cannot be fitted: .*'race_elff'"):
        fit(features(), training(encode, impute, select, forest), seed=1)


def test_columns_cannot_be_chosen_by_name_from_a_sparse_matrix() -> None:
    one_hot = part("sklearn.preprocessing.OneHotEncoder")
    encode = step("sklearn.compose.ColumnTransformer", "e", transformers=[["a", one_hot, ["race"]]])
    select = PIPELINES["column_by_name"][2]
    assert refusal(encode, select, LAST) == (
        "train.pipeline: step 'select', 'keep' chooses columns by name, but OneHotEncoder in step "
        "'e' returns no frame. Set sparse_output = false in it if it has that parameter, or use "
        "another class."
    )


def test_a_pipeline_with_sparse_output_is_fitted_on_sparse_matrices() -> None:
    one_hot = part("sklearn.preprocessing.OneHotEncoder")
    encode = step("sklearn.compose.ColumnTransformer", "e", transformers=[["a", one_hot, ["race"]]])
    model = fit(features(), training(encode, LAST), seed=1)
    encoded = model.pipeline[:-1].transform(model.schema.apply(features()))
    assert issparse(encoded)


# Searches and experimental estimators


def experimental() -> list[str]:
    """Estimators that must be enabled before they can be imported."""
    for module in iter_modules(sklearn.experimental.__path__):
        if module.name.startswith("enable_"):
            import_module(f"sklearn.experimental.{module.name}")
    names = [f"{cls.__module__.split('._')[0]}.{name}" for name, cls in all_estimators()]
    code = """
import sys
from importlib import import_module
for name in sys.argv[1:]:
    module, _, cls = name.rpartition(".")
    try:
        getattr(import_module(module), cls)
    except ImportError:
        print(name)
"""
    return subprocess.run(
        [sys.executable, "-c", code, *names], capture_output=True, text=True, check=True
    ).stdout.split()


@pytest.mark.filterwarnings("ignore:Since version 1.0:UserWarning")
@pytest.mark.slow
def test_experimental_estimators_resolve_and_can_be_saved() -> None:
    names = experimental()
    assert "sklearn.impute.IterativeImputer" in names
    for name in names:
        cls = resolve(name)
        assert f"{cls.__module__}.{cls.__name__}" in TRUSTED_TYPES


@pytest.mark.parametrize("scoring", get_scorer_names())
def test_search_with_any_scoring_can_be_saved(scoring: str) -> None:
    search = step(
        "sklearn.model_selection.GridSearchCV",
        estimator=LOGISTIC,
        param_grid={"C": [1.0]},
        scoring=scoring,
    )
    pipeline = build_pipeline([search], 1)
    pipeline[0].scorer_ = get_scorer(scoring)  # As fitting does.
    data = as_skops(pipeline)
    loaded = load_pipeline("model.skops", data, "hawk", "Train again.")
    assert loaded[0].scorer_._score_func is pipeline[0].scorer_._score_func
