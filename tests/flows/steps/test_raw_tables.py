"""The memory that the check of a raw table gets."""

from pathlib import Path

import polars as pl

from churnlib.io import datasets
from churnlib.io.datasets import Dataset
from churnlib.settings import EngineSettings
from flows.steps.raw_tables import workspace_for


def test_a_small_table_gets_as_many_buckets_as_its_parent_needs(tmp_path: Path) -> None:
    misses = Dataset("sub_miss", "hawk", str(tmp_path / "misses.csv"))
    Path(misses.uri).write_text("sub_id,start_date,end_date\n1,2024-01-01,2024-02-01\n")
    subs = pl.LazyFrame({"sub_id": range(200_000), "char_id": range(200_000)})
    parent = datasets.write_parquet(
        subs, Dataset("sub_data", "hawk", str(tmp_path / "subs.parquet"))
    )
    engine = EngineSettings(memory_mib=1, scratch_dir=str(tmp_path))
    with workspace_for(datasets.ref(misses), engine) as space:
        assert space.count == 1
    with workspace_for(datasets.ref(misses), engine, parent) as space:
        assert space.count == 16
