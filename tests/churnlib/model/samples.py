"""Small feature tables, and pipelines to fit to them."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.model.fit import fit
from churnlib.model.fitted_model import FittedModel
from churnlib.model.predict import predict
from churnlib.model.sample import FROM_PARTS
from churnlib.months import shift_months
from churnlib.settings import FeatureChoice, Step, TrainSettings
from churnlib.versions.folder import save_model

Params = dict[str, Any]

ENCODED = ["race", "sub_type"]
FACTS: Mapping[str, Any] = {
    "as_of": date(2025, 1, 1),
    "window": (date(2024, 1, 1), date(2024, 6, 30)),
    "labels_known_by": date(2024, 12, 1),
    "seed": 1,
    "settings": {
        "horizon_months": 6,
        "churn_after_months": 3,
        "standard": {"undated_totals": False},
        "tables": {},
        "features": {},
    },
    "inputs": {"sub_data": {"fingerprint": "0" * 64, "rows": 240}},
    "metrics": {"in_sample": {"general": {}}, "validation": {"general": {"roc_auc": None}}},
}
"""The contents of a manifest that do not describe the model itself."""


def features(rows: int = 240, seed: int = 0) -> pl.DataFrame:
    """A feature table over six months whose label depends on numbers, flags and categories."""
    rng = np.random.default_rng(seed)
    balance = rng.normal(200, 50, rows).round(2)
    race = rng.choice(["elf", "human", "dwarf"], rows)
    mastered = rng.random(rows) < 0.5
    risk = (balance < 190).astype(float) + (race == "elf") - mastered
    first = date(2024, 1, 15)
    return pl.DataFrame(
        {
            "sub_id": np.arange(rows) + 1000,
            "char_id": np.arange(rows) // 2,
            "sub_start_date": [shift_months(first, n * 6 // rows) for n in range(rows)],
            "creation_date": [date(2020, 1, 1)] * rows,
            "is_first_sub": [n % 2 == 0 for n in range(rows)],
            "race": race,
            "sub_type": rng.choice([f"kind{n}" for n in range(12)], rows),
            "is_mastered": mastered,
            "sub_months": rng.choice([1, 6, 12], rows).astype(np.int32),
            "hard_balance": balance,
            "currency_age_months": [None if n % 10 == 0 else n % 3 for n in range(rows)],
            "churned_on": [None] * rows,
            "sub_churn": (rng.random(rows) < 1 / (1 + np.exp(-2 * risk))).astype(np.int8),
        },
        schema_overrides={"churned_on": pl.Date, "currency_age_months": pl.Int32},
    ).with_columns(
        hard_balance=pl.when(pl.col("currency_age_months").is_not_null()).then("hard_balance"),
        race=pl.when(pl.col("sub_id") % 17 != 0).then("race"),
        day=pl.col("sub_start_date"),
    )


def step(type_name: str, name: str = "model", **params: Any) -> Step:
    return Step(name=name, type=type_name, params=params)


def part(type_name: str, **params: Any) -> Params:
    """An estimator inside another's parameters."""
    return {"type": type_name, "params": params}


def training(*steps: Step, **other: Any) -> TrainSettings:
    return TrainSettings(pipeline=steps, **other)


ONE_HOT = part("sklearn.preprocessing.OneHotEncoder", handle_unknown="ignore", sparse_output=False)
ENCODE = step(
    "sklearn.compose.ColumnTransformer",
    "encode",
    transformers=[["categories", ONE_HOT, part("churnlib.model.columns.OfKind")]],
    remainder="passthrough",
)
IMPUTE = step("sklearn.impute.SimpleImputer", "impute", add_indicator=True)
BOOSTING = part(
    "sklearn.ensemble.HistGradientBoostingClassifier",
    categorical_features="from_dtype",
    max_iter=10,
    min_samples_leaf=5,
)
FOREST = part("sklearn.ensemble.RandomForestClassifier", n_estimators=25, max_depth=4, n_jobs=2)
LOGISTIC = part("sklearn.linear_model.LogisticRegression", max_iter=2000)
SCALE = step("sklearn.preprocessing.StandardScaler", "scale")

LIGHTGBM = part(
    "lightgbm.LGBMClassifier", n_estimators=10, min_child_samples=5, subsample=0.8, subsample_freq=1
)


def model_of(estimator: Params) -> Step:
    return step(estimator["type"], **estimator["params"])


PIPELINES: Mapping[str, tuple[Step, ...]] = {
    "boosting": (model_of(BOOSTING),),
    "boosting_stopped_early": (
        step(BOOSTING["type"], **BOOSTING["params"] | {"early_stopping": True}),
    ),
    "boosting_calibrated": (
        step(
            "sklearn.calibration.CalibratedClassifierCV",
            estimator=BOOSTING,
            cv=2,
            method="isotonic",
        ),
    ),
    "boosting_by_temperature": (
        step(
            "sklearn.calibration.CalibratedClassifierCV",
            estimator=BOOSTING,
            cv=2,
            method="temperature",
        ),
    ),
    "forest": (ENCODE, IMPUTE, model_of(FOREST)),
    "forest_calibrated": (
        ENCODE,
        IMPUTE,
        step("sklearn.calibration.CalibratedClassifierCV", estimator=FOREST, cv=2),
    ),
    "gradient_boosting": (
        ENCODE,
        IMPUTE,
        step("sklearn.ensemble.GradientBoostingClassifier", n_estimators=10, subsample=0.5),
    ),
    "logistic": (ENCODE, IMPUTE, SCALE, model_of(LOGISTIC)),
    "target_encoded": (
        step(
            "sklearn.compose.ColumnTransformer",
            "encode",
            transformers=[["c", part("sklearn.preprocessing.TargetEncoder"), ENCODED]],
            remainder="passthrough",
        ),
        IMPUTE,
        SCALE,
        step("sklearn.feature_selection.SelectKBest", "select", k=4),
        model_of(LOGISTIC),
    ),
    "vote": (
        ENCODE,
        IMPUTE,
        SCALE,
        step(
            "sklearn.ensemble.VotingClassifier",
            estimators=[["forest", FOREST], ["line", LOGISTIC]],
            voting="soft",
        ),
    ),
    "stack": (
        ENCODE,
        IMPUTE,
        SCALE,
        step(
            "sklearn.ensemble.StackingClassifier",
            estimators=[["forest", FOREST], ["line", LOGISTIC]],
            cv=2,
        ),
    ),
    "search": (
        ENCODE,
        IMPUTE,
        SCALE,
        step(
            "sklearn.model_selection.GridSearchCV",
            estimator=LOGISTIC,
            param_grid={"C": [0.01, 1.0]},
            cv=2,
        ),
    ),
    "search_with_scoring": (
        ENCODE,
        IMPUTE,
        SCALE,
        step(
            "sklearn.model_selection.RandomizedSearchCV",
            estimator=LOGISTIC,
            param_distributions={"C": [0.01, 1.0]},
            n_iter=2,
            cv=2,
            scoring=["roc_auc", "neg_log_loss"],
            refit="roc_auc",
        ),
    ),
    "halving_search": (
        ENCODE,
        IMPUTE,
        SCALE,
        step(
            "sklearn.model_selection.HalvingGridSearchCV",
            estimator=LOGISTIC,
            param_grid={"C": [0.01, 1.0]},
            cv=2,
            scoring="roc_auc",
        ),
    ),
    "iterative": (
        ENCODE,
        step("sklearn.impute.IterativeImputer", "impute", max_iter=2),
        SCALE,
        model_of(LOGISTIC),
    ),
    "column_by_name": (
        step(
            "sklearn.compose.ColumnTransformer",
            "encode",
            transformers=[["categories", ONE_HOT, part("churnlib.model.columns.OfKind")]],
            remainder="passthrough",
            verbose_feature_names_out=False,
        ),
        IMPUTE,
        step(
            "sklearn.compose.ColumnTransformer",
            "select",
            transformers=[["keep", "passthrough", ["race_elf", "missingindicator_hard_balance"]]],
        ),
        model_of(FOREST),
    ),
    "skrub": (
        step("skrub.DropCols", "drop", cols=["sub_months"]),
        step(
            "skrub.ApplyToCols",
            "text",
            transformer=part("skrub.StringEncoder", n_components=3),
            cols=["sub_type"],
        ),
        step("skrub.ApplyToCols", "encode", transformer=ONE_HOT, cols=["race"]),
        IMPUTE,
        SCALE,
        model_of(LOGISTIC),
    ),
    "lightgbm": (model_of(LIGHTGBM),),
    "lightgbm_in_part": (
        ENCODE,
        step("sklearn.calibration.CalibratedClassifierCV", estimator=LIGHTGBM, cv=2),
    ),
    "lightgbm_from_parts": (step(FROM_PARTS, **LIGHTGBM["params"]),),
    "skrub_select": (
        step("skrub.SelectCols", "select", cols=["hard_balance", "currency_age_months"]),
        step("skrub.SquashingScaler", "squash"),
        IMPUTE,
        SCALE,
        model_of(LOGISTIC),
    ),
}
"""Pipelines as games configure them, by name."""


def fitted(
    name: str = "boosting",
    rows: pl.DataFrame | None = None,
    seed: int = 1,
    choice: FeatureChoice | None = None,
) -> FittedModel:
    settings = training(*PIPELINES[name], features=choice or FeatureChoice())
    return fit(features() if rows is None else rows, settings, seed)


@cache
def usual(name: str = "boosting") -> FittedModel:
    """A pipeline fitted to the default table, once for all tests."""
    return fitted(name)


def save(target: Dataset, model: FittedModel, **named: Any) -> DatasetRef:
    rows = features()
    scored = rows.with_columns(predict(model, rows))
    return save_model(target, model, scored, rows.head(20), FACTS, **named)


def probabilities(model: FittedModel, rows: pl.DataFrame) -> list[float]:
    values: list[float] = predict(model, rows).to_list()
    return values


def monthly_features(subscriptions: int = 120, months: int = 12, seed: int = 0) -> pl.DataFrame:
    """A feature table at the monthly grain: a row for each month of 2024 of each subscription.

    Each runs all months, of a character of its own, and its outcome is that of all its rows. No
    feature tells it but `hard_balance`, which is another in each subscription, by remembering it.
    """
    rng = np.random.default_rng(seed)
    subs = pl.DataFrame(
        {
            "sub_id": np.arange(subscriptions) + 1000,
            "char_id": np.arange(subscriptions),
            "sub_start_date": [date(2023, 12, 15)] * subscriptions,
            "is_first_sub": [True] * subscriptions,
            "race": rng.choice(["elf", "human"], subscriptions),
            "sub_type": rng.choice(["gold", "silver"], subscriptions),
            "hard_balance": rng.permutation(subscriptions) * 10.0,
            "sub_churn": rng.permutation(np.arange(subscriptions) % 3 == 0).astype(np.int8),
        }
    )
    days = pl.DataFrame({"day": [shift_months(date(2024, 1, 1), n) for n in range(months)]})
    rows = subs.join(days, how="cross").with_columns(
        tenure_months=pl.col("day").dt.month().cast(pl.Int32),
        months_left=(24 - pl.col("day").dt.month()).cast(pl.Int32),
    )
    return rows.sort("char_id", "day")
