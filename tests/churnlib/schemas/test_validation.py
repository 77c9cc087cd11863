"""The errors of public functions for invalid frames and arguments."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import churnlib
from churnlib.errors import ChurnlibError
from churnlib.model.fitted_model import FittedModel
from churnlib.report.back_test import BackTest
from churnlib.settings import Settings
from tests.churnlib.model.samples import features, step, training
from tests.churnlib.report.samples import make_scored

SCORED = make_scored(80)
TABLE = features(300)
AS_OF = date(2025, 1, 1)
TRAINING = training(
    step(
        "sklearn.ensemble.HistGradientBoostingClassifier",
        categorical_features="from_dtype",
        max_iter=5,
    )
)


@pytest.fixture(scope="module")
def model() -> FittedModel:
    return churnlib.fit(TABLE, TRAINING, seed=1)


def settings(*segments: str) -> Settings:
    return churnlib.load_settings("game1", {"evaluation.segments": list(segments)}, environ={})


def back_tested(model: FittedModel, rows: Any, *segments: str) -> BackTest:
    return churnlib.back_test(model, rows, settings(*segments), as_of=AS_OF)


def compared(rows: Any) -> Any:
    return churnlib.paired_difference(rows, "churn_probability", "baseline_probability")


LABEL_OF_TWO = pl.lit(2, pl.Int8).alias("sub_churn")
Evaluating = Callable[[Any], Any]
ALL_SCORING: tuple[Evaluating, ...] = (churnlib.evaluate, churnlib.breakdown, compared)


@pytest.mark.parametrize("call", ALL_SCORING)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (LABEL_OF_TWO, "'sub_churn' must be 0, 1, or null .* it has 2"),
        (pl.lit("yes").alias("sub_churn"), "'sub_churn' must be 0, 1, or null .* 'yes'"),
        (pl.lit(None, pl.Int64).alias("char_id"), "'char_id' must not be null; 80 of 80 rows"),
        (pl.lit("a").alias("churn_probability"), "'churn_probability' holds values that are no"),
    ],
)
def test_invalid_values_are_named(call: Evaluating, change: pl.Expr, message: str) -> None:
    with pytest.raises(ChurnlibError, match=message):
        call(SCORED.with_columns(change))


@pytest.mark.parametrize("call", ALL_SCORING)
@pytest.mark.parametrize("column", ["sub_id", "sub_churn", "churn_probability"])
def test_a_column_that_is_missing_is_named(call: Evaluating, column: str) -> None:
    with pytest.raises(ChurnlibError, match=f"lack the column '{column}'"):
        call(SCORED.rename({column: "other"}))


@pytest.mark.parametrize("call", ALL_SCORING)
def test_lazy_and_eager_frames_give_the_same_result(call: Evaluating) -> None:
    assert call(SCORED.lazy()) == call(SCORED)


@pytest.mark.parametrize("call", ALL_SCORING)
def test_other_type_than_a_frame_is_named(call: Evaluating) -> None:
    with pytest.raises(
        ChurnlibError, match=r"must be of the type polars\.DataFrame or polars\.LazyFrame, not dict"
    ):
        call({"sub_id": [1]})


@pytest.mark.parametrize("call", [churnlib.evaluate, churnlib.breakdown])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pl.lit(None, pl.Boolean), "'is_first_sub' must not be null; 80 of 80 rows"),
        (pl.lit(1), "'is_first_sub' must be boolean, not Int32"),
    ],
)
def test_missing_flags_are_named(call: Evaluating, values: pl.Expr, message: str) -> None:
    with pytest.raises(ChurnlibError, match=message):
        call(SCORED.with_columns(is_first_sub=values))


@pytest.mark.parametrize("name", ["threshold", "base_rate"])
@pytest.mark.parametrize("value", [30, -0.1, float("nan")])
def test_percentage_is_refused_as_a_share(name: str, value: Any) -> None:
    with pytest.raises(ChurnlibError, match=f"{name} must be between 0 and 1.* it is {value!r}"):
        churnlib.evaluate(SCORED, **{name: value})


def test_column_that_cannot_define_segments_is_named() -> None:
    with pytest.raises(
        ChurnlibError, match=r"lack the column 'teritory'. Did you mean 'territory'"
    ):
        churnlib.breakdown(SCORED, ("teritory",))
    with pytest.raises(
        ChurnlibError, match=r"'churn_probability' cannot define segments of .* Float64"
    ):
        churnlib.breakdown(SCORED, ("churn_probability",))
    with pytest.raises(ChurnlibError, match=r"'sub_start_date' must hold dates, not String"):
        churnlib.breakdown(SCORED.cast({"sub_start_date": pl.String}))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (TABLE.drop("sub_churn"), "the training rows lack the column 'sub_churn'"),
        (TABLE.with_columns(LABEL_OF_TWO), "'sub_churn' must be 0, 1, or null .* it has 2"),
        ([1], "polars.DataFrame or polars.LazyFrame or FeatureTable, not list"),
    ],
)
def test_training_rows_are_checked(rows: Any, message: str) -> None:
    with pytest.raises(ChurnlibError, match=message):
        churnlib.fit(rows, TRAINING, seed=1)


def test_lazy_feature_table_is_fitted_and_predicted(model: FittedModel) -> None:
    again = churnlib.fit(TABLE.lazy(), TRAINING, seed=1)
    predicted = churnlib.predict(again, TABLE.lazy())
    assert predicted.equals(churnlib.predict(model, TABLE))
    assert back_tested(model, TABLE.lazy()).text == back_tested(model, TABLE).text


@pytest.mark.parametrize(
    ("rows", "segments", "message"),
    [
        (TABLE.drop("is_first_sub"), (), "the rows to test on lack the column 'is_first_sub'"),
        (TABLE.drop("sub_churn"), (), "the rows to test on lack the column 'sub_churn'"),
        (TABLE.with_columns(LABEL_OF_TWO), (), "'sub_churn' must be 0, 1, or null"),
        (TABLE, ("rase",), r"test on \(evaluation.segments\) lack the column 'rase'.* 'race'"),
    ],
)
def test_back_test_rows_are_checked(
    model: FittedModel, rows: pl.DataFrame, segments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ChurnlibError, match=message):
        back_tested(model, rows, *segments)


def test_report_that_cannot_be_saved_gives_advice_for_scripts(
    model: FittedModel, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ChurnlibError, match=r"report\.txt cannot be written .* save it else") as e:
        back_tested(model, TABLE).save(tmp_path / "file" / "report.txt")
    assert "--data-dir" not in str(e.value)
