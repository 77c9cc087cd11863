"""What the public functions say of frames and arguments that are not as they should be."""

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
def test_values_that_are_none_are_named(call: Evaluating, change: pl.Expr, message: str) -> None:
    with pytest.raises(ChurnlibError, match=message):
        call(SCORED.with_columns(change))


@pytest.mark.parametrize("call", ALL_SCORING)
@pytest.mark.parametrize("column", ["sub_id", "sub_churn", "churn_probability"])
def test_a_column_that_is_missing_is_named(call: Evaluating, column: str) -> None:
    with pytest.raises(ChurnlibError, match=f"lack the column '{column}'"):
        call(SCORED.rename({column: "other"}))


@pytest.mark.parametrize("call", ALL_SCORING)
def test_a_lazy_frame_is_as_good_as_one_that_is_collected(call: Evaluating) -> None:
    assert call(SCORED.lazy()) == call(SCORED)


@pytest.mark.parametrize("call", ALL_SCORING)
def test_what_is_no_frame_is_named(call: Evaluating) -> None:
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
def test_flags_that_are_not_known_are_named(
    call: Evaluating, values: pl.Expr, message: str
) -> None:
    with pytest.raises(ChurnlibError, match=message):
        call(SCORED.with_columns(is_first_sub=values))


@pytest.mark.parametrize("name", ["threshold", "base_rate"])
@pytest.mark.parametrize("value", [30, -0.1, float("nan")])
def test_a_share_in_per_cent_is_no_share(name: str, value: Any) -> None:
    with pytest.raises(ChurnlibError, match=f"{name} must lie between 0 and 1.* it is {value!r}"):
        churnlib.evaluate(SCORED, **{name: value})


def test_what_parts_nothing_is_named() -> None:
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
def test_rows_to_learn_from_are_checked(rows: Any, message: str) -> None:
    with pytest.raises(ChurnlibError, match=message):
        churnlib.fit(rows, TRAINING, seed=1)


def test_a_lazy_feature_table_is_learnt_from_and_predicted(model: FittedModel) -> None:
    again = churnlib.fit(TABLE.lazy(), TRAINING, seed=1)
    said = churnlib.predict(again, TABLE.lazy())
    assert said.equals(churnlib.predict(model, TABLE))
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
def test_rows_to_test_on_are_checked(
    model: FittedModel, rows: pl.DataFrame, segments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ChurnlibError, match=message):
        back_tested(model, rows, *segments)


def test_a_report_that_cannot_be_saved_advises_what_a_script_can_do(
    model: FittedModel, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ChurnlibError, match=r"report\.txt cannot be written .* save it else") as e:
        back_tested(model, TABLE).save(tmp_path / "file" / "report.txt")
    assert "--data-dir" not in str(e.value)
