"""Warnings about a run."""

import polars as pl

from churnlib.model.feature_table import FeatureTable
from churnlib.model.fit import fit
from churnlib.model.fitted_model import FittedModel
from churnlib.model.predict import predict_in_parts
from flows.steps.run_warnings import new_category_warnings
from tests.churnlib.model.samples import BOOSTING, features, model_of, training

ROWS = features()


def scored_with(model: FittedModel, rows: pl.DataFrame) -> tuple[str, ...]:
    return new_category_warnings(predict_in_parts(model, FeatureTable.of(rows)))


def test_only_unusually_many_pooled_values_are_warned_of() -> None:
    model = fit(ROWS, training(model_of(BOOSTING), max_categories=5), seed=1)
    assert scored_with(model, ROWS) == ()
    assert scored_with(model, ROWS.with_columns(race=pl.lit("orc"))) == (
        "race: 240 of 240 subscriptions have a category that did not occur in training",
    )
    assert scored_with(model, ROWS.with_columns(sub_type=pl.lit("new"))) == (
        "sub_type: 240 of 240 subscriptions have a category that was rare or absent in training, "
        "more than expected",
    )
    assert scored_with(model, ROWS.head(1).with_columns(sub_type=pl.lit("new"))) == ()
