"""The catalog of a game's datasets."""

from datetime import date
from pathlib import Path

import pytest

from churnlib.errors import DataError
from churnlib.io.catalog import LAYERS, Catalog, month_name
from churnlib.io.datasets import Dataset
from tests.base import raw_tables

START = date(2024, 12, 1)


def test_paths_are_as_documented() -> None:
    catalog = Catalog("/data", "hawk")
    paths = {
        catalog.checked("sub_data"): "02_intermediate/hawk/sub_data.parquet",
        catalog.rejected("sub_data"): "02_intermediate/hawk/sub_data_rejected.parquet",
        catalog.standard_features(): "03_primary/hawk/standard_features.parquet",
        catalog.standard_sources(): "03_primary/hawk/standard_features_sources.json",
        catalog.features("train"): "04_feature/hawk/train_features.parquet",
        catalog.features("score"): "04_feature/hawk/score_features.parquet",
        catalog.features("in_use"): "04_feature/hawk/in_use_features.parquet",
        catalog.contacts(): "04_feature/hawk/contacts.parquet",
        catalog.predict_features(START): "05_model_input/hawk/predict_2024-12.parquet",
        catalog.models(): "06_models/hawk",
        catalog.model("v1"): "06_models/hawk/v1",
        catalog.model_in_use("v1", "u1"): "06_models/hawk/v1/in_use/u1",
        catalog.models_in_use(): "06_models/hawk/*/in_use/*/manifest.json",
        catalog.champion(): "06_models/hawk/champion.json",
        catalog.registry(): "06_models/hawk/registry.json",
        catalog.predictions(START): "07_model_output/hawk/predictions_2024-12.parquet",
        catalog.report("in_sample_report"): "08_reporting/hawk/in_sample_report.json",
        catalog.report("score_report"): "08_reporting/hawk/score_report.json",
        catalog.batch_report(START): "08_reporting/hawk/batch_score_report_2024-12.json",
        catalog.batch_list(START): "08_reporting/hawk/batch_list_2024-12.json",
    }
    for dataset, path in paths.items():
        assert dataset.uri == f"/data/{path}"
        assert dataset.game == "hawk"
        assert path.split("/")[0] in LAYERS
    assert len({dataset.uri for dataset in paths}) == len(paths)
    listed = {dataset for dataset, _ in catalog.places(["sub_data"], START)}
    assert listed == {*paths} - {catalog.model("v1"), catalog.model_in_use("v1", "u1")}


def test_paths_in_an_object_store_are_the_same() -> None:
    here, there = Catalog("/data", "hawk"), Catalog("s3://bucket/some/data/", "hawk")
    for ask in (Catalog.models, Catalog.champion, Catalog.standard_features):
        assert ask(there).uri == ask(here).uri.replace("/data", "s3://bucket/some/data")


@pytest.mark.parametrize("table", raw_tables())
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_raw_table_is_found_in_either_format(table: str, suffix: str, tmp_path: Path) -> None:
    file = tmp_path / "01_raw" / "hawk" / f"{table}{suffix}"
    file.parent.mkdir(parents=True)
    file.touch()
    assert Catalog(str(tmp_path), "hawk").raw(table) == Dataset(table, "hawk", str(file))


def test_missing_raw_table_is_named_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        Catalog(str(tmp_path), "hawk").raw("sub_miss")
    message = str(caught.value)
    assert message.startswith("hawk: the raw table sub_miss is missing")
    assert str(tmp_path / "01_raw" / "hawk") in message
    assert "--data-dir" in message


def test_raw_table_in_two_formats_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "01_raw" / "hawk"
    folder.mkdir(parents=True)
    for suffix in (".csv", ".parquet"):
        (folder / f"sub_miss{suffix}").touch()
    with pytest.raises(DataError, match=r"sub_miss\.parquet and sub_miss\.csv"):
        Catalog(str(tmp_path), "hawk").raw("sub_miss")


def test_month_name_is_year_and_month() -> None:
    assert month_name(date(2024, 1, 31)) == "2024-01"
