"""Warnings about a run."""

import logging

import polars as pl
import pytest

from churnlib.model.feature_table import FeatureTable
from churnlib.model.fit import fit
from churnlib.model.fitted_model import FittedModel
from churnlib.model.predict import predict_in_parts
from flows.engine.run_logger import told_once
from flows.steps.run_warnings import new_value_warnings, warn
from tests.churnlib.model.samples import BOOSTING, features, model_of, training

ROWS = features()


def scored_with(model: FittedModel, rows: pl.DataFrame) -> tuple[str, ...]:
    return new_value_warnings(predict_in_parts(model, FeatureTable.of(rows)))


def test_warning_is_logged_once_a_run_and_in_every_report(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "flows"):
        with told_once():
            assert warn(["a", "a"], ["b"]) == ("a", "b")
            with told_once():  # A sub-flow.
                assert warn(["b", "c"]) == ("b", "c")
            assert warn(["c"]) == ("c",)
        assert caplog.messages == ["a", "b", "c"]
        warn(["c"])
    assert caplog.messages == ["a", "b", "c", "c"]


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


def test_another_spelling_of_a_known_category_is_named() -> None:
    model = fit(ROWS, training(model_of(BOOSTING)), seed=1)
    known = ROWS["race"].drop_nulls().unique().sort()
    shouted = ROWS.with_columns(pl.col("race").str.to_uppercase())
    (warning,) = scored_with(model, shouted)
    assert warning.startswith("race: ")
    assert warning.endswith(
        f'did not occur in training, such as "{known[0].upper()}", which training knows as '
        f'"{known[0]}"'
    )


def test_numbers_in_another_unit_are_warned_of() -> None:
    model = fit(ROWS, training(model_of(BOOSTING)), seed=1)
    weeks = ROWS.with_columns(pl.col("sub_months") * 100)
    assert scored_with(model, weeks) == (
        "sub_months: 240 of 240 subscriptions have a number below or above all of training; if its "
        "unit changed, predictions are wrong",
    )
    # Few rows beyond training are expected.
    half = pl.int_range(pl.len()) % 2 == 0
    few = ROWS.with_columns(pl.when(half).then(pl.col("sub_months") * 100).otherwise("sub_months"))
    assert len(scored_with(model, few)) == 1
    assert scored_with(model, few.tail(239)) == ()
    assert scored_with(model, weeks.head(4)) == ()


def test_far_fewer_values_than_in_training_are_warned_of() -> None:
    model = fit(ROWS, training(model_of(BOOSTING)), seed=1)
    row = pl.int_range(pl.len())
    few, half = (
        ROWS.with_columns(sub_months=pl.when(row < known).then("sub_months")) for known in (60, 120)
    )
    assert scored_with(model, few) == (
        "sub_months: 60 of 240 subscriptions have a value, where about 240 were to be expected "
        "from training: check that the last months of its table are complete",
    )
    assert scored_with(model, half) == ()
    assert scored_with(model, few.tail(4)) == ()  # Too few rows to tell.
