"""Fitting: slices by time, errors, and reproducibility."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from churnlib.errors import ModelError
from churnlib.model.feature_table import FeatureTable
from churnlib.model.fit import fit, fit_in_use
from churnlib.model.predict import SCORED_COLUMNS
from churnlib.model.training import Training, train
from tests.churnlib.model.samples import (
    BOOSTING,
    ENCODE,
    IMPUTE,
    LOGISTIC,
    ONE_HOT,
    PIPELINES,
    features,
    fitted,
    model_of,
    probabilities,
    step,
    training,
    usual,
)
from tests.variants import slow_but

ROWS = features()
"""Subscriptions begun on the 15th of January to June 2024."""
END = date(2024, 6, 30)


def trained(
    rows: pl.DataFrame = ROWS, months: int = 2, *, refit: bool = True, horizon: int = 1
) -> Training:
    """By default, the labels of all earlier months are available when the validation begins."""
    settings = training(model_of(BOOSTING), validation_months=months, refit=refit)
    return train(rows, settings, END, seed=1, horizon_months=horizon)


def days(result: Training, part: str) -> set[date]:
    return set(result.scored.filter(pl.col("slice") == part)["sub_start_date"])


def day(month: int) -> date:
    return date(2024, month, 15)


def test_validation_is_on_the_last_months_and_in_sample_on_all() -> None:
    result = trained()
    assert result.scored.columns == [*SCORED_COLUMNS, "slice"]
    assert days(result, "validation") == {day(5), day(6)}
    assert days(result, "in_sample") == {day(m) for m in range(1, 7)}
    assert result.scored.height == 240 + 80


def test_without_refit_the_validated_model_is_kept() -> None:
    result = trained(refit=False)
    assert days(result, "validation") == {day(5), day(6)}
    assert days(result, "in_sample") == {day(m) for m in range(1, 5)}
    kept = probabilities(result.model, ROWS)
    by_id = dict(zip(ROWS["sub_id"], kept, strict=True))
    assert all(
        by_id[sub_id] == p
        for sub_id, p in zip(
            result.scored["sub_id"], result.scored["churn_probability"], strict=True
        )
    )


def test_validated_model_is_fitted_only_to_earlier_months() -> None:
    whole = trained()
    early = ROWS.filter(pl.col("sub_start_date") < date(2024, 5, 1))
    validator = fit(early, training(model_of(BOOSTING)), seed=1)
    late = ROWS.filter(pl.col("sub_start_date") >= date(2024, 5, 1))
    shown = whole.scored.filter(pl.col("slice") == "validation")
    assert shown["churn_probability"].to_list() == probabilities(validator, late)
    assert probabilities(whole.model, late) != probabilities(validator, late)
    # Later labels and categories change nothing.
    flipped = ROWS.with_columns(
        sub_churn=pl.when(pl.col("sub_start_date") < date(2024, 5, 1))
        .then("sub_churn")
        .otherwise(1 - pl.col("sub_churn"))
    )
    again = trained(flipped).scored.filter(pl.col("slice") == "validation")
    assert again["churn_probability"].equals(shown["churn_probability"])


@pytest.mark.parametrize(("horizon", "last"), [(1, 4), (2, 3), (3, 2)])
def test_validated_model_uses_only_labels_available_when_validation_begins(
    horizon: int, last: int
) -> None:
    result = trained(horizon=horizon, refit=False)
    assert result.warning is None
    assert days(result, "in_sample") == {day(m) for m in range(1, last + 1)}
    assert days(result, "validation") == {day(5), day(6)}
    # The last of these labels becomes available on the day when validation begins.
    assert last + horizon <= 5 < last + 1 + horizon


@pytest.mark.parametrize("refit", [True, False])
def test_validation_warns_if_too_few_labels_were_available(refit: bool) -> None:
    result = trained(horizon=4, refit=refit)
    assert result.warning is not None
    assert (
        "of 160 earlier labels only 40 were available when it opens on 2024-05-01" in result.warning
    )
    assert result.scored.equals(trained(refit=refit).scored)


def test_validation_warns_if_available_labels_have_one_outcome() -> None:
    first = pl.col("sub_start_date") < date(2024, 4, 1)
    rows = ROWS.with_columns(sub_churn=pl.when(first).then(0).otherwise("sub_churn").cast(pl.Int8))
    assert trained(rows).warning is None
    assert trained(rows, horizon=2).warning is not None


def test_rows_without_a_label_are_predicted_but_not_fitted_to() -> None:
    unlabelled = pl.col("sub_id") % 3 == 0
    with_nulls = ROWS.with_columns(sub_churn=pl.when(~unlabelled).then("sub_churn"))
    result = trained(with_nulls)
    without = trained(ROWS.filter(~unlabelled))
    assert result.scored.drop_nulls("sub_churn").equals(without.scored.drop_nulls("sub_churn"))
    assert result.scored.height == 240 + 80
    assert without.scored["sub_churn"].null_count() == 0


def test_validation_months_may_have_one_outcome() -> None:
    stayed = ROWS.with_columns(
        sub_churn=pl.when(pl.col("sub_start_date") < date(2024, 5, 1))
        .then("sub_churn")
        .otherwise(0)
        .cast(pl.Int8)
    )
    assert days(trained(stayed), "validation") == {day(5), day(6)}


def test_model_in_use_without_calibration_is_a_fit_to_all_rows() -> None:
    settings = training(*PIPELINES["boosting"])
    tested = fit(ROWS.head(120), settings, seed=3)
    model = fit_in_use(FeatureTable.of(ROWS), settings, 3, tested)
    assert probabilities(model, ROWS) == probabilities(fit(ROWS, settings, seed=3), ROWS)
    assert probabilities(model, ROWS) != probabilities(tested, ROWS)


@pytest.mark.parametrize("outcome", [0, 1])
def test_training_rows_with_one_outcome_are_refused(outcome: int) -> None:
    rows = ROWS.with_columns(sub_churn=pl.lit(outcome, pl.Int8))
    with pytest.raises(ModelError, match=f"160 labelled rows, {160 * outcome} of them churned"):
        trained(rows)


@pytest.mark.parametrize(
    ("rows", "months", "counts"),
    [
        (ROWS, 6, "leaves 0 rows to fit on before 2024-01-01 and 240 to validate"),
        (
            ROWS.filter(pl.col("sub_start_date") < date(2024, 5, 1)),
            2,
            "leaves 160 rows to fit on before 2024-05-01 and 0 to validate",
        ),
        (ROWS.with_columns(sub_churn=pl.lit(None, pl.Int8)), 2, "leaves 0 rows to fit on"),
        (ROWS.clear(), 2, "leaves 0 rows to fit on"),
    ],
)
def test_an_empty_slice_is_named(rows: pl.DataFrame, months: int, counts: str) -> None:
    with pytest.raises(ModelError, match=counts) as caught:
        trained(rows, months)
    assert f"train.validation_months = {months}" in str(caught.value)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        # Models that accept neither categories nor nulls.
        ((model_of(LOGISTIC),), "train.pipeline: LogisticRegression cannot be fitted: "),
        ((ENCODE, model_of(LOGISTIC)), "ColumnTransformer > LogisticRegression cannot be fitted"),
        (
            (
                step("sklearn.compose.ColumnTransformer", "e", transformers=[["a", 5, ["race"]]]),
                model_of(LOGISTIC),
            ),
            "cannot be fitted",
        ),
        (
            (
                step("sklearn.compose.ColumnTransformer", "e", transformers=[["a", ONE_HOT, "x"]]),
                model_of(LOGISTIC),
            ),
            "cannot be fitted",
        ),
        (
            (
                step(
                    "sklearn.compose.ColumnTransformer", "e", transformers=[["a", ONE_HOT, ["x"]]]
                ),
                model_of(LOGISTIC),
            ),
            "step 'e', 'a': there is no feature 'x'",
        ),
        (
            (ENCODE, IMPUTE, step("sklearn.linear_model.SGDClassifier", loss="hinge")),
            "SGDClassifier gives no probabilities with these parameters",
        ),
        (
            (
                ENCODE,
                IMPUTE,
                step("sklearn.ensemble.VotingClassifier", estimators=[["a", LOGISTIC]]),
            ),
            "VotingClassifier gives no probabilities with these parameters",
        ),
    ],
)
def test_failure_to_fit_names_the_steps(steps: tuple[object, ...], message: str) -> None:
    with pytest.raises(ModelError, match=r"^train\.pipeline: ") as caught:
        fit(ROWS, training(*steps), seed=1)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_any_exception_of_a_step_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise np.linalg.LinAlgError

    monkeypatch.setattr("sklearn.pipeline.Pipeline.fit", fail)
    with pytest.raises(ModelError, match=r"Classifier cannot be fitted: LinAlgError$"):
        fit(ROWS, training(model_of(BOOSTING)), seed=1)


def test_category_with_only_nulls_can_be_fitted() -> None:
    rows = ROWS.with_columns(race=pl.lit(None, pl.String))
    for name in ("boosting", "forest"):
        assert len(probabilities(fitted(name, rows), ROWS)) == len(ROWS)


@pytest.mark.parametrize(
    "name", slow_but("boosting", "forest_calibrated", "logistic", "skrub", "lightgbm", of=PIPELINES)
)
def test_same_seed_gives_the_same_bits(name: str) -> None:
    assert probabilities(fitted(name), ROWS) == probabilities(usual(name), ROWS)


@pytest.mark.parametrize("name", ["forest", "gradient_boosting", "target_encoded"])
def test_another_seed_gives_another_model(name: str) -> None:
    assert probabilities(fitted(name, seed=2), ROWS) != probabilities(usual(name), ROWS)


# Seeds and the representation of a model


def test_without_a_seed_one_is_drawn_logged_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    settings = training(*PIPELINES["boosting_stopped_early"])
    with caplog.at_level("INFO", logger="churnlib.model.fit"):
        drawn = fit(ROWS, settings)
    assert drawn.seed is not None
    assert f"seed {drawn.seed} (drawn)" in caplog.text
    again = fit(ROWS, settings, drawn.seed)
    assert probabilities(again, ROWS) == probabilities(drawn, ROWS)
    assert fit(ROWS, settings).seed != drawn.seed


def test_seed_argument_takes_precedence_over_settings() -> None:
    settings = training(*PIPELINES["boosting"], seed=5)
    assert fit(ROWS, settings).seed == 5
    assert fit(ROWS, settings, 6).seed == 6


@pytest.mark.parametrize("name", PIPELINES)
def test_a_model_is_described_in_a_few_lines(name: str) -> None:
    lines = repr(usual(name)).splitlines()
    assert len(lines) <= 10
    assert max(map(len, lines)) <= 160
    last = PIPELINES[name][-1].type.rpartition(".")[2]
    assert lines[1].endswith(last)
    assert lines[-1].split() == ["seed", "1"]
