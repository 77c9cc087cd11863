"""Pooling of rare categories: what is kept, and that all estimators treat the others alike."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from churnlib.errors import ModelError
from churnlib.io.datasets import Dataset
from churnlib.model.feature_schema import FeatureSchema, learn_schema
from churnlib.model.fit import fit
from churnlib.model.pipeline import build_pipeline, most_categories
from churnlib.model.pooling import Pooled, describe_pooled, pool
from churnlib.model.predict import predict, predict_by
from churnlib.model.training import train
from churnlib.settings import FeatureChoice, TrainSettings
from churnlib.versions.folder import load_model
from churnlib.versions.manifest import read_manifest
from tests.churnlib.model.samples import (
    BOOSTING,
    PIPELINES,
    features,
    model_of,
    save,
    step,
    training,
)
from tests.churnlib.model.test_fit import END
from tests.variants import slow_but

ROWS = features()
SHARDS = ROWS.with_columns(territory=pl.format("shard{}", pl.int_range(pl.len()) % 700))
ESTIMATORS = ("boosting", "forest", "gradient_boosting", "lightgbm", "lightgbm_from_parts",
              "logistic", "target_encoded", "skrub")  # fmt: skip


def with_kinds(**counts: int) -> pl.DataFrame:
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    return pl.DataFrame({"kind": kinds, "sub_churn": [0] * len(kinds)})


def test_the_most_frequent_values_are_kept_of_equals_the_first() -> None:
    counts = {"d": 1, "b": 2, "a": 9, "c": 2}
    assert pool(counts, 20, 4) == (("a", "b", "c", "d"), None)
    assert pool(counts, 20, None) == (("a", "b", "c", "d"), None)
    assert pool(counts, 20, 3) == (("a", "b"), Pooled("other", values=2, share=3 / 20))


@pytest.mark.parametrize(
    ("values", "name"), [("ab", "other"), (["a", "other"], "(other)"), (["x", "(other)"], "other")]
)
def test_no_value_is_called_as_the_pooled_ones(values: list[str], name: str) -> None:
    counts = dict.fromkeys(values, 5) | {"rare": 1, "rarer": 1}
    kept, pooled = pool(counts, 12, 3)
    assert set(kept) == set(values)
    assert pooled is not None
    assert pooled.name == name
    schema = learn_schema([with_kinds(**counts)], FeatureChoice(), 3)
    taken = schema.apply(with_kinds(**counts))["kind"].to_list()
    assert [taken.count(value) for value in (*values, name)] == [5, 5, 2]


def test_rare_and_unseen_values_are_pooled_and_null_stays_null() -> None:
    schema = learn_schema([with_kinds(a=3, b=2), with_kinds(b=2, c=1, d=1)], FeatureChoice(), 3)
    later = pl.DataFrame({"kind": ["a", "c", "new", "other", None, "b"]})
    assert schema.apply(later)["kind"].to_list() == ["a", "other", "other", "other", None, "b"]
    assert schema.unknown_categories(later) == {"kind": 3}
    again = FeatureSchema.from_json(json.loads(json.dumps(schema.to_json())))
    assert again == schema
    assert again.apply(later).equals(schema.apply(later))


def test_parts_and_order_of_rows_do_not_change_what_is_kept() -> None:
    rows = SHARDS.with_columns(race=pl.col("territory"))
    whole = learn_schema([rows], FeatureChoice(), 10)
    parts = learn_schema(rows.reverse().iter_slices(37), FeatureChoice(), 10)
    assert parts == whole


@pytest.mark.parametrize("name", slow_but("boosting", "forest", "lightgbm", of=ESTIMATORS))
def test_pooled_and_unseen_values_are_predicted_alike(name: str) -> None:
    settings = TrainSettings(pipeline=PIPELINES[name], max_categories=5)
    model = fit(ROWS, settings, seed=1)
    (kind,) = (f for f in model.schema.features if f.name == "sub_type")
    assert len(kind.categories) == 4
    assert kind.pooled is not None
    assert kind.pooled.values == 8
    pooled, unseen = (
        ROWS.with_columns(sub_type=pl.lit(value))
        for value in (min(set(ROWS["sub_type"]) - set(kind.categories)), "never seen")
    )
    assert predict(model, pooled).equals(predict(model, unseen))
    assert model.baseline is not None
    of_baseline = [predict_by(model.baseline, model.schema, each) for each in (pooled, unseen)]
    assert of_baseline[0].equals(of_baseline[1])
    null = ROWS.with_columns(sub_type=pl.lit(None, pl.String))
    assert predict_by(model.baseline, model.schema, null).ne(of_baseline[0]).any()


def test_categories_beyond_the_limit_of_boosting_are_pooled() -> None:
    rows = pl.concat([SHARDS, features(rows=500, seed=3).with_columns(
        territory=pl.format("shard{}", pl.int_range(pl.len())))])  # fmt: skip
    settings = training(model_of(BOOSTING))
    model = fit(rows, settings, seed=1)
    (territory,) = (f for f in model.schema.features if f.name == "territory")
    assert len(territory.categories) == 253
    # 500 values, of which shard0 to shard239 occur twice.
    assert territory.pooled == Pooled("other", values=247, share=247 / 740)
    unlimited = settings.model_copy(update={"max_categories": None})
    with pytest.raises(ModelError, match="cardinality"):
        fit(rows, unlimited, seed=1)


def test_a_model_with_fewer_bins_takes_fewer_categories() -> None:
    few = step(BOOSTING["type"], **BOOSTING["params"] | {"max_bins": 16})
    pipeline = build_pipeline([few], seed=1)
    assert most_categories(pipeline, 254) == 15
    assert most_categories(pipeline, 10) == 10
    assert most_categories(pipeline, None) is None
    assert most_categories(build_pipeline(PIPELINES["forest"], seed=1), 254) == 254
    model = fit(SHARDS, training(few), seed=1)
    assert {len(f.categories) for f in model.schema.features if f.pooled} == {14}


def test_each_model_learns_from_its_own_rows_what_is_frequent() -> None:
    """The values of the validation months are rare for the validated model, not for the kept."""
    late = pl.col("sub_start_date") >= pl.date(2024, 5, 1)
    rows = ROWS.with_columns(race=pl.when(late).then(pl.lit("late")).otherwise("sub_type"))
    settings = training(model_of(BOOSTING), validation_months=2, max_categories=4)
    kept = train(rows, settings, END, seed=1, horizon_months=1)
    races = [f.categories for f in kept.model.schema.features if f.name == "race"]
    assert "late" in races[0]
    validated = fit(rows.filter(~late), settings, seed=1)
    assert "late" not in next(f.categories for f in validated.schema.features if f.name == "race")
    shown = kept.scored.filter(pl.col("slice") == "validation")["churn_probability"]
    assert shown.to_list() == predict(validated, rows.filter(late)).to_list()


def test_calibration_rows_do_not_count() -> None:
    late = pl.col("sub_start_date") >= pl.date(2024, 4, 1)
    rows = ROWS.with_columns(race=pl.when(late).then(pl.lit("late")).otherwise("sub_type"))
    settings = training(*PIPELINES["forest"], calibration="sigmoid", max_categories=4)
    model = fit(rows, settings, seed=1)
    (race,) = (f for f in model.schema.features if f.name == "race")
    assert "late" not in race.categories
    assert race.pooled is not None


def test_the_manifest_records_what_is_pooled(tmp_path: Any) -> None:
    model = fit(ROWS, training(model_of(BOOSTING), max_categories=5), seed=1)
    target = Dataset("model", "game1", str(tmp_path / "v1"))
    manifest = read_manifest(save(target, model))
    (entry,) = (f for f in manifest["features"] if f["name"] == "sub_type")
    assert entry["pooled"]["values"] == 8
    share = 1 - ROWS["sub_type"].is_in(entry["categories"]).mean()  # type: ignore[operator]
    assert entry["pooled"]["share"] == pytest.approx(share)
    assert describe_pooled(manifest["features"]) == (
        f'sub_type: 4 of 12 values kept, the others ({share:.1%} of the rows) pooled as "other"'
    )
    assert load_model(target).schema == model.schema


def test_texts_are_used_as_numbers_where_the_settings_say_so() -> None:
    sizes = ROWS.with_columns(sub_size=pl.Series(np.where(ROWS["sub_churn"] == 1, "10", "9.5")))
    choice = FeatureChoice(include=("sub_size", "hard_balance"), numbers=("sub_size",))
    model = fit(sizes, training(model_of(BOOSTING), features=choice), seed=1)
    size = model.schema.features[0]
    assert (size.kind, size.categories, size.from_text) == ("number", (), True)
    later = pl.DataFrame({"sub_size": ["9.5", "1e1", None, "-3"], "hard_balance": [1.0] * 4})
    assert model.schema.apply(later)["sub_size"].to_list() == [9.5, 10.0, None, -3.0]
    again = FeatureSchema.from_json(json.loads(json.dumps(model.schema.to_json())))
    assert again == model.schema
    # A number between those of training is predicted as a number, not as an unseen category.
    few, many, between = (
        predict(model, sizes.with_columns(sub_size=pl.lit(size))) for size in ("9.5", "10", "9.9")
    )
    assert few.ne(many).all()
    assert between.equals(many)
    assert model.baseline is not None


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        *((value, "") for value in ("XL", "nan", "inf", "")),
        ("1,5", " '1,5' in sub_size seems to have a comma for the decimal point: write 1.5."),
    ],
)
def test_a_text_that_is_no_number_is_refused_with_what_to_do(value: str, advice: str) -> None:
    sizes = ROWS.with_columns(sub_size=pl.lit("5"))
    odd = sizes.with_columns(
        sub_size=pl.when(pl.col("sub_id") % 2 == 0).then(pl.lit(value)).otherwise("sub_size")
    )
    settings = training(model_of(BOOSTING), features=FeatureChoice(numbers=("sub_size",)))
    message = (
        f"train.features.numbers: 120 values of 'sub_size' are not numbers, such as {value!r}. "
        f"Correct them, or remove the column from the setting and train again.{advice}"
    )
    with pytest.raises(ModelError) as caught:
        fit(odd, settings, seed=1)
    assert str(caught.value) == message
    with pytest.raises(ModelError) as caught:
        predict(fit(sizes, settings, seed=1), odd)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "why"),
    [("sub_months", "is not a text"), ("sub_id", "is not a feature"), ("size", "is not a feature")],
)
def test_only_text_features_can_be_read_as_numbers(name: str, why: str) -> None:
    settings = training(model_of(BOOSTING), features=FeatureChoice(numbers=(name,)))
    with pytest.raises(ModelError, match=f"train.features.numbers: '{name}' {why}"):
        fit(ROWS, settings, seed=1)
