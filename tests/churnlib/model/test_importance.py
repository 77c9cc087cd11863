import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from churnlib.model import importance
from churnlib.model.feature_table import FeatureTable
from churnlib.model.fit import fit
from churnlib.model.fitted_model import FittedModel
from churnlib.model.importance import permutation_importance
from churnlib.model.predict import predict
from tests.churnlib.model.samples import features, step, training

TREES = step(
    "sklearn.ensemble.HistGradientBoostingClassifier",
    categorical_features="from_dtype",
    max_iter=40,
    min_samples_leaf=5,
)


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return features(800).with_columns(noise=np.random.default_rng(5).normal(size=800))


@pytest.fixture(scope="module")
def model(table: pl.DataFrame) -> FittedModel:
    return fit(table, training(TREES), seed=1)


def test_importance_is_greatest_for_features_that_determine_the_label(
    model: FittedModel, table: pl.DataFrame
) -> None:
    importances = permutation_importance(model, table)
    assert {i.feature for i in importances} == {f.name for f in model.schema.features}
    assert {i.feature for i in importances[:3]} == {"hard_balance", "race", "is_mastered"}
    assert [i.auc_loss for i in importances] == sorted(
        (i.auc_loss for i in importances), reverse=True
    )
    assert all(i.least <= i.auc_loss <= i.most for i in importances)


def test_importance_of_a_constant_column_is_zero(model: FittedModel, table: pl.DataFrame) -> None:
    (constant,) = (
        i
        for i in permutation_importance(model, table.with_columns(hard_balance=pl.lit(200.0)))
        if i.feature == "hard_balance"
    )
    assert (constant.least, constant.auc_loss, constant.most) == (0, 0, 0)


@pytest.mark.slow
def test_importance_is_the_loss_of_auc(
    model: FittedModel, table: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importance, "REPEATS", 200)
    rows = table.head(100)
    importances = {i.feature: i for i in permutation_importance(model, rows)}
    rng, outcome = np.random.default_rng(9), rows["sub_churn"].to_numpy()
    auc = roc_auc_score(outcome, predict(model, rows))
    losses = []
    for _ in range(200):
        shuffled = rows.with_columns(race=rows["race"].gather(rng.permutation(100)))
        losses.append(auc - roc_auc_score(outcome, predict(model, shuffled)))
    error = np.std(losses) / 200**0.5
    assert importances["race"].auc_loss == pytest.approx(np.mean(losses), abs=5 * error)


def test_importance_uses_a_sample_of_the_labelled_characters(
    model: FittedModel, table: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importance, "MAX_ROWS", 150)
    label = pl.when(pl.col("sub_id") % 3 > 0).then("sub_churn")
    with_nulls = table.with_columns(sub_churn=label)
    whole = permutation_importance(model, with_nulls)
    in_parts = permutation_importance(
        model, FeatureTable(with_nulls.lazy(), len(with_nulls), size=64)
    )
    sample = FeatureTable.of(with_nulls.drop_nulls("sub_churn")).sample(150).collect()
    assert whole == in_parts == permutation_importance(model, sample)


@pytest.mark.parametrize("churned", [0, 1])
def test_importance_is_empty_with_one_outcome(
    model: FittedModel, table: pl.DataFrame, churned: int
) -> None:
    rows = table.with_columns(sub_churn=pl.lit(churned, pl.Int8))
    assert permutation_importance(model, rows) == []


def test_importance_is_empty_without_rows(model: FittedModel, table: pl.DataFrame) -> None:
    assert permutation_importance(model, table.clear()) == []


@pytest.mark.parametrize(
    ("churned", "stayed", "expected"),
    [(900, 1100, (500, 500)), (300, 1700, (300, 700)), (1700, 300, (700, 300)), (40, 60, (40, 60))],
)
def test_compared_rows_are_balanced(churned: int, stayed: int, expected: tuple[int, int]) -> None:
    outcome = np.random.default_rng(1).permutation(np.repeat([True, False], [churned, stayed]))
    compared = importance._balanced(outcome, np.arange(len(outcome)))
    assert (outcome[compared].sum(), (~outcome[compared]).sum()) == expected
    assert (np.diff(compared) > 0).all()


@pytest.mark.slow
def test_intervals_of_features_without_effect_include_zero() -> None:
    """The label is noise, for the model as for the rows: 5 % of the intervals may exclude 0."""
    intervals = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        noise = [
            features(rows=900, seed=100 * part + seed).with_columns(
                sub_churn=pl.Series(rng.integers(0, 2, 900), dtype=pl.Int8)
            )
            for part in (0, 1)
        ]
        found = permutation_importance(fit(noise[0], training(TREES), seed=1), noise[1])
        intervals += [i for i in found if i.least < i.most]
    assert len(intervals) > 70
    # More than 11 of 84 happen with a chance of 0.1 %.
    assert sum(i.least > 0 or i.most < 0 for i in intervals) <= 11


@pytest.mark.slow
def test_intervals_hold_the_loss_of_all_characters(model: FittedModel) -> None:
    """The loss on many rows, within the intervals of small samples of its characters."""
    population = features(8000, seed=9).with_columns(
        noise=np.random.default_rng(6).normal(size=8000)
    )
    small = [population[start : start + 400] for start in range(0, 8000, 400)]
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("MAX_ROWS", "MAX_COMPARED"):
            patch.setattr(importance, limit, 8000)
        truth = {i.feature: i.auc_loss for i in permutation_importance(model, population)}
        found = [i for rows in small for i in permutation_importance(model, rows)]
    held = [i.least <= truth[i.feature] <= i.most for i in found if i.least < i.most]
    assert np.mean(held) >= 0.85


def test_characters_count_once_however_many_rows_they_have(
    model: FittedModel, table: pl.DataFrame
) -> None:
    rows = table.head(200)
    copies = pl.concat([rows.with_columns(pl.col("sub_id") + 1000 * n) for n in range(4)])
    apart = copies.with_columns(char_id=pl.int_range(pl.len()))
    wide, narrow = (
        {i.feature: i.most - i.least for i in permutation_importance(model, each)}
        for each in (copies, apart)
    )
    assert narrow["hard_balance"] < 0.75 * wide["hard_balance"]
