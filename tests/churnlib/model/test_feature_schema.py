"""Feature schemas: learned from the training rows, and checked against later tables."""

import json
import random
from typing import Any

import numpy as np
import polars as pl
import pytest

from churnlib.errors import ModelError
from churnlib.model.columns import OfKind
from churnlib.model.feature_schema import Feature, FeatureSchema, learn_schema
from churnlib.model.predict import predict
from churnlib.schemas.columns import NEVER_FEATURES
from churnlib.settings import FeatureChoice
from tests.churnlib.model.samples import features, fitted

ROWS = pl.DataFrame(
    {
        "sub_id": [1, 2, 3],
        "char_id": [1, 1, 2],
        "sub_start_date": ["2024-01-01", "2024-02-01", "2024-03-01"],
        "race": ["elf", "human", None],
        "kills": [1, None, 3],
        "is_mastered": [True, None, False],
        "price": [1.5, 2.5, None],
        "churned_on": [None, None, None],
        "sub_churn": [0, 1, None],
    }
).with_columns(pl.col("sub_start_date").str.to_date(), pl.col("churned_on").cast(pl.Date))
SCHEMA = FeatureSchema(
    (
        Feature("race", "category", ("elf", "human")),
        Feature("kills", "number"),
        Feature("is_mastered", "flag"),
        Feature("price", "number"),
    )
)


def schema_with(**choice: Any) -> FeatureSchema:
    return learn_schema([ROWS], FeatureChoice(**choice))


def refusal(schema: FeatureSchema, frame: pl.DataFrame) -> str:
    with pytest.raises(ModelError) as caught:
        schema.apply(frame)
    return str(caught.value)


def test_keys_dates_and_later_facts_are_not_features() -> None:
    assert schema_with() == SCHEMA
    full = learn_schema([features()], FeatureChoice())
    names = {feature.name for feature in full.features}
    assert names.isdisjoint(NEVER_FEATURES | {"creation_date"})
    assert "currency_age_months" in names


def test_features_are_included_and_excluded() -> None:
    assert [f.name for f in schema_with(include=("price", "race")).features] == ["price", "race"]
    assert [f.name for f in schema_with(exclude=("price", "race")).features] == [
        "kills",
        "is_mastered",
    ]
    assert [
        f.name for f in schema_with(include=("price", "race"), exclude=("price",)).features
    ] == ["race"]
    assert schema_with(include=("race", "race")) == schema_with(include=("race",))


@pytest.mark.parametrize("setting", ["include", "exclude"])
def test_a_column_that_cannot_be_a_feature_is_refused(setting: str) -> None:
    for name in ("sub_id", "sub_churn", "churned_on", "sub_start_date"):
        with pytest.raises(ModelError, match=f"{setting}: the column '{name}' cannot be a f"):
            schema_with(**{setting: (name,)})
    with pytest.raises(ModelError, match=r"there is no column 'prize'\. Did you mean 'price'\?"):
        schema_with(**{setting: ("prize",)})


def test_at_least_one_feature_must_remain() -> None:
    with pytest.raises(ModelError, match="leaves no feature"):
        schema_with(include=("race",), exclude=("race",))


def test_apply_casts_to_the_model_types() -> None:
    applied = SCHEMA.apply(ROWS)
    assert applied.schema == {
        "race": pl.Enum(["elf", "human"]),
        "kills": pl.Float64,
        "is_mastered": pl.Float64,
        "price": pl.Float64,
    }
    assert applied.rows() == [
        ("elf", 1.0, 1.0, 1.5),
        ("human", None, None, 2.5),
        (None, 3.0, 0.0, None),
    ]


def test_an_unknown_category_becomes_null_and_is_counted() -> None:
    later = ROWS.with_columns(race=pl.Series(["orc", "elf", None]))
    assert SCHEMA.apply(later)["race"].to_list() == [None, "elf", None]
    assert SCHEMA.unknown_categories(later) == {"race": 1}
    assert SCHEMA.unknown_categories(ROWS) == {}
    none_known = FeatureSchema((Feature("race", "category"),))
    assert none_known.apply(later)["race"].null_count() == 3
    assert none_known.unknown_categories(later) == {"race": 2}


def test_column_order_and_other_columns_are_irrelevant() -> None:
    shuffled = list(ROWS.columns)
    random.Random(1).shuffle(shuffled)
    assert shuffled != ROWS.columns
    later = ROWS.select(shuffled).with_columns(more=1)
    assert SCHEMA.apply(later).equals(SCHEMA.apply(ROWS))


def test_a_missing_column_is_named() -> None:
    assert refusal(SCHEMA, ROWS.rename({"price": "prices"})) == (
        "the model needs the feature 'price', which the table lacks. Did you mean 'prices'?"
    )


@pytest.mark.parametrize(
    ("name", "dtype", "message"),
    [
        ("kills", pl.String, "'kills' as a number, but the table has a category"),
        ("race", pl.Categorical, "'race' as a category, but the table has a Categorical"),
        ("is_mastered", pl.Int8, "'is_mastered' as a flag, but the table has a number"),
        ("price", pl.Boolean, "'price' as a number, but the table has a flag"),
    ],
)
def test_a_column_of_another_kind_is_refused(name: str, dtype: Any, message: str) -> None:
    assert message in refusal(SCHEMA, ROWS.with_columns(pl.col(name).cast(dtype)))


def test_numbers_of_another_width_are_the_same_feature() -> None:
    later = ROWS.with_columns(pl.col("kills").cast(pl.UInt8), pl.col("price").cast(pl.Float32))
    assert SCHEMA.apply(later).equals(SCHEMA.apply(ROWS))


def test_schema_is_equal_after_json() -> None:
    assert FeatureSchema.from_json(json.loads(json.dumps(SCHEMA.to_json()))) == SCHEMA


def test_columns_are_chosen_by_kind() -> None:
    frame = SCHEMA.apply(ROWS)
    assert OfKind()(frame) == ["race"]
    assert OfKind("number")(frame) == ["kills", "is_mastered", "price"]
    with pytest.raises(ValueError, match="not 'flag'"):
        OfKind("flag")  # type: ignore[arg-type]


def test_numbers_are_finite_in_single_precision_too() -> None:
    prices = [1e300, -1e39, float("inf"), 1e38, 9.2e15, 0.1]
    rows = pl.DataFrame({"price": prices})
    taken = FeatureSchema((Feature("price", "number"),)).apply(rows)["price"]
    assert taken.to_list() == [1e38, -1e38, 1e38, 1e38, 9.2e15, 0.1]
    assert np.isfinite(taken.to_numpy().astype(np.float32)).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "name", ["boosting", "forest", "gradient_boosting", "iterative", "lightgbm", "logistic"]
)
def test_algorithms_take_extreme_numbers(name: str) -> None:
    place = pl.int_range(pl.len())
    rows = features().with_columns(
        hard_balance=pl.when(place % 9 == 0).then(1e300)
        .when(place % 9 == 1).then(-1e300)
        .when(place % 9 == 2).then(9.2e15)
        .otherwise("hard_balance")
    )  # fmt: skip
    assert predict(fitted(name, rows), rows).is_between(0, 1).all()


def test_share_of_known_values_is_learned_from_all_parts_and_kept_in_the_manifest() -> None:
    rows = pl.DataFrame({"race": ["elf", None, "orc", "elf"], "kills": [None, None, None, 1]})
    for parts in ([rows], [rows.head(1), rows.slice(1, 0), rows.tail(3)]):
        schema = FeatureSchema.from_json(learn_schema(parts, FeatureChoice()).to_json())
        assert {f.name: f.known for f in schema.features} == {"race": 0.75, "kills": 0.25}
        assert schema.known_values(rows.head(2)) == {"race": 1, "kills": 0}


def test_bounds_of_numbers_are_learned_from_all_parts_and_kept_in_the_manifest() -> None:
    parts = [ROWS.slice(n, 1) for n in range(3)]
    for schema in (schema_with(), learn_schema(parts, FeatureChoice())):
        data = json.loads(json.dumps(schema.to_json()))
        bounds = {f.name: f.bounds for f in FeatureSchema.from_json(data).features}
        assert bounds == {"race": None, "kills": (1, 3), "is_mastered": None, "price": (1.5, 2.5)}
        later = ROWS.with_columns(kills=pl.Series([0, 4, 2]), price=pl.Series([1.5, 2.5, None]))
        assert schema.beyond_training(later) == {"kills": 2}
    assert SCHEMA.beyond_training(ROWS) == {}  # Without bounds, as in earlier manifests.
