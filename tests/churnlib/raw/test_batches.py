"""Rows are read batch by batch: all of them, or an error."""

import threading
from pathlib import Path

import polars as pl
import pytest

from churnlib.raw import batches
from churnlib.raw.batches import batches_of

LATEST = 2**63 - 1


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH", 100)


def test_batches_hold_all_rows_in_order() -> None:
    read = list(batches_of(pl.LazyFrame({"n": range(1000)}).filter(pl.col("n") > 5)))
    assert len(read) > 1
    assert pl.concat(read)["n"].to_list() == list(range(6, 1000))


def test_batches_end_with_an_error_where_polars_panics(tmp_path: Path) -> None:
    times = pl.Series([LATEST, *[0] * 9999]).cast(pl.Datetime("us", "Europe/Berlin"))
    pl.DataFrame({"at": times}).write_parquet(tmp_path / "a.parquet", row_group_size=100)
    rows = pl.scan_parquet(tmp_path / "a.parquet").select(pl.col("at").dt.date())
    with pytest.raises(pl.exceptions.ComputeError, match="out-of-range"):
        list(batches_of(rows))


def test_batches_end_with_the_error_of_a_value() -> None:
    rows = pl.LazyFrame({"n": [*map(str, range(500)), "x"]}).select(pl.col("n").cast(pl.Int8))
    with pytest.raises(pl.exceptions.PolarsError, match="conversion"):
        list(batches_of(rows))


def test_batches_that_nobody_reads_on_are_not_parsed() -> None:
    before = threading.active_count()
    read = batches_of(pl.LazyFrame({"n": range(100_000)}))
    assert next(read)["n"].to_list() == list(range(100))
    read.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
