"""Feature tables in parts: rows and predictions do not depend on the size of the parts."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from churnlib.io.datasets import Dataset, write_parquet
from churnlib.model.feature_table import FeatureTable
from churnlib.model.predict import SCORED_COLUMNS, predict, predict_by, predict_in_parts
from churnlib.schemas.columns import BASELINE, PROBABILITY
from tests.churnlib.model.samples import features, usual
from tests.variants import slow_but

TABLE = features()
LINEAR = ("logistic", "skrub")
"""Pipelines whose last bits depend on the number of rows, which BLAS sums in blocks of 16."""
WITHOUT_BASELINE = [name for name in SCORED_COLUMNS if name != BASELINE]
ELVES = pl.col("race") == "elf"


@pytest.fixture(params=["file", "memory"])
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> FeatureTable:
    if request.param == "memory":
        return FeatureTable.of(TABLE)
    target = Dataset("features", "hawk", str(tmp_path / "features.parquet"))
    return FeatureTable.read(write_parquet(TABLE.lazy(), target))


@pytest.mark.parametrize("size", [1, 7, 120, 240, 1000])
def test_parts_together_are_the_rows(rows: FeatureTable, size: int) -> None:
    parts = list(replace(rows, size=size))
    assert pl.concat(parts).equals(TABLE)
    assert {len(part) for part in parts[:-1]} <= {size}
    kept = replace(rows, size=size, height=100).where(ELVES).where(pl.col("sub_months") > 1)
    expected = TABLE.head(100).filter(ELVES, pl.col("sub_months") > 1)
    assert pl.concat(kept).equals(expected)
    assert kept.columns("sub_id").equals(expected.select("sub_id"))


def test_empty_table_has_one_part_with_all_columns() -> None:
    (part,) = FeatureTable.of(TABLE.clear())
    assert part.equals(TABLE.clear())


@pytest.mark.parametrize(
    "name",
    slow_but(
        "logistic",
        "lightgbm",
        of=[
            "boosting",
            "gradient_boosting",
            "forest_calibrated",
            "logistic",
            "skrub",
            "lightgbm",
            "lightgbm_from_parts",
        ],
    ),
)
def test_predictions_do_not_depend_on_the_size_of_parts(name: str, rows: FeatureTable) -> None:
    model = usual(name)
    new = pl.when(pl.col("sub_id") % 50 == 0).then(pl.lit("orc")).otherwise("race")
    later = replace(rows, table=rows.table.with_columns(race=new))
    whole = later.table.collect()
    expected = whole.with_columns(predict(model, whole))
    sizes = (16, 112, 240, 1008) if name in LINEAR else (7, 100, 240, 1000)
    for size in sizes:
        scored = predict_in_parts(model, replace(later, size=size), baseline=False)
        assert scored.rows.equals(expected.select(WITHOUT_BASELINE))
        assert scored.unknown == {"race": 5}


def test_baseline_is_predicted_and_other_columns_are_kept() -> None:
    model = usual("boosting")
    assert model.baseline is not None
    probability = predict(model, TABLE)
    baseline = predict_by(model.baseline, model.schema, TABLE).alias(BASELINE)
    expected = TABLE.with_columns(probability, baseline).select(*SCORED_COLUMNS, "race", "sub_type")
    for size in (16, 240):
        scored = predict_in_parts(
            model,
            replace(FeatureTable.of(TABLE), size=size),
            also=("race", "sub_type", "is_first_sub"),
        )
        assert scored.rows.equals(expected)


def test_an_empty_batch_without_labels_gives_an_empty_table() -> None:
    model = usual("boosting")
    scored = predict_in_parts(model, TABLE.clear().drop("sub_churn"), baseline=False)
    assert scored.rows.is_empty()
    assert scored.rows.columns == [c for c in WITHOUT_BASELINE if c != "sub_churn"]
    assert scored.rows[PROBABILITY].dtype == pl.Float64
    assert scored.unknown == {}
