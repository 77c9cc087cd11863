"""Datasets and models of an earlier run: missing is allowed, unreadable is not."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from churnlib.errors import UnreadableError
from churnlib.io import datasets
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.versions.manifest import MANIFEST
from flows.steps.past_model import find_existing, past_importance, past_model_facts
from tests.churnlib.versions.test_transactions import add_unfitted

NO_ROWS = pl.DataFrame(schema={"sub_id": pl.Int64, "sub_churn": pl.Int8})


@pytest.fixture
def model(tmp_path: Path) -> DatasetRef:
    catalog = Catalog(str(tmp_path), "hawk")
    add_unfitted(catalog, "v1")
    return datasets.ref(catalog.model("v1"))


def test_only_a_missing_dataset_does_not_exist(tmp_path: Path) -> None:
    place = Dataset("predict_features", "hawk", str(tmp_path / "predict_2024-06.parquet"))
    assert find_existing(place) is None
    Path(place.uri).symlink_to("/not/mounted")
    with pytest.raises(UnreadableError, match=r"hawk: .*predict_2024-06\.parquet: cannot be read"):
        find_existing(place)


def test_report_is_not_written_without_the_facts_of_a_model_that_exists(model: DatasetRef) -> None:
    manifest = Path(model.uri, MANIFEST)
    manifest.unlink()
    assert past_model_facts(model)["facts"] == {}
    manifest.mkdir()
    works: list[Callable[[], object]] = [
        lambda: past_model_facts(model),
        lambda: past_importance(model, model, NO_ROWS, allow_joblib=False),
    ]
    for work in works:
        with pytest.raises(UnreadableError, match="Whether model v1 can be used is not known"):
            work()
