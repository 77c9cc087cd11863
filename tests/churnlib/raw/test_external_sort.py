"""Sorting in bounded memory, against Polars' own sort, and reading sorted frames together."""

from datetime import date
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.io.table_writer import TableWriter
from churnlib.raw import batches, external_sort
from churnlib.raw.batches import SortedReader, batches_of
from churnlib.raw.external_sort import ExternalSorter, Workspace, WrittenRun
from tests.variants import examples

AMPLE = 2**30
ORDER = ("id", "day")
NUMBERS = st.none() | st.integers(-3, 3) | st.sampled_from([-(2**63), 2**63 - 1])
TEXTS = st.none() | st.sampled_from(["", "a", "B", "ä", "z", "aa", "\U0001f600"])
DAYS = st.none() | st.dates(date(2023, 12, 30), date(2024, 1, 3))
FRAMES = st.lists(st.lists(st.tuples(NUMBERS, DAYS), max_size=12), max_size=6)
TEXT_FRAMES = st.lists(st.lists(st.tuples(TEXTS, DAYS), max_size=12), max_size=6)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks a run."""
    monkeypatch.setattr(external_sort, "BLOCK", 3)


def frames_of(parts: list[list[Any]], dtype: Any) -> list[pl.DataFrame]:
    """Frames whose rows are numbered over all of them."""
    schema = {"id": dtype, "day": pl.Date}
    rows = pl.concat([pl.DataFrame(part, schema=schema, orient="row") for part in [[], *parts]])
    rows = rows.with_row_index("row").with_columns(x=pl.col("row") / 7, t=pl.lit("é"))
    ends = np.cumsum([0, *map(len, parts)])
    return [rows[a:b] for a, b in pairwise(ends)]


def merged(frames: list[pl.DataFrame], memory: int, folder: str) -> list[pl.DataFrame]:
    sorter = ExternalSorter(ORDER, Workspace(memory, Path(folder)))
    for frame in frames:
        sorter.add(frame)
    assert sorter.is_empty == all(frame.is_empty() for frame in frames)
    return list(sorter.merge())


def assert_sorts(frames: list[pl.DataFrame]) -> None:
    """Any memory gives the rows in the order of a stable sort, an id never in two frames."""
    for memory in (0, 300, AMPLE):
        with TemporaryDirectory() as folder:
            found = merged(frames, memory, folder)
        if not any(map(len, frames)):
            assert found == []
            continue
        rows = pl.concat(frames).sort(ORDER, nulls_last=False, maintain_order=True)
        assert pl.concat(found).equals(rows)
        assert pl.concat(found).schema == rows.schema
        assert sum(frame["id"].n_unique() for frame in found) == rows["id"].n_unique()


@examples(60)
@given(FRAMES)
def test_numbers_are_sorted_as_by_a_stable_sort(parts: list[list[Any]]) -> None:
    assert_sorts(frames_of(parts, pl.Int64))


@examples(40)
@given(TEXT_FRAMES)
def test_text_is_sorted_by_its_bytes(parts: list[list[Any]]) -> None:
    assert_sorts(frames_of(parts, pl.String))


def test_frames_of_several_chunks_are_spilled_and_merged(tmp_path: Path) -> None:
    pieces = [pl.DataFrame({"id": range(n, 100, 7), "day": date(2024, 1, 1)}) for n in range(7)]
    rows = pl.concat(pieces, rechunk=False)
    assert rows.n_chunks() > 1
    found = pl.concat(merged([rows, rows[5:60]], 0, str(tmp_path)))
    assert found["id"].to_list() == sorted([*rows["id"], *rows["id"][5:60]])
    assert len(list(tmp_path.iterdir())) == 2


def test_rows_are_spilled_only_beyond_the_memory(tmp_path: Path) -> None:
    frames = [pl.DataFrame({"id": [n], "day": [date(2024, 1, 1)]}) for n in range(5)]
    merged(frames, AMPLE, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_merge_yields_ranges_within_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_sort, "BLOCK", 64)
    ids = np.random.default_rng(0).permutation(20_000)
    rows = pl.DataFrame({"id": ids}).with_columns(day=date(2024, 1, 1))
    memory = int(rows.estimated_size()) // 5
    found = merged([rows[n : n + 1000] for n in range(0, 20_000, 1000)], memory, str(tmp_path))
    assert pl.concat(found)["id"].to_list() == list(range(20_000))
    assert max(frame.estimated_size() for frame in found) <= memory


@pytest.mark.parametrize("dtype", [pl.Int64, pl.String])
def test_late_rows_are_merged_behind_equal_rows_of_a_written_table(
    dtype: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("churnlib.io.table_writer.ROWS_PER_GROUP", 4)
    written, late = (
        pl.DataFrame(
            {"char_id": ids, "day": date(2024, 1, 1), "n": range(start, start + len(ids))}
        ).with_columns(pl.col("char_id").cast(dtype))
        for start, ids in ((0, [1, 1, 3, 3, 3, 3, 3, 5, 6, 9]), (10, [9, 0, 3, 3, 11]))
    )
    with TableWriter(tmp_path / "table.parquet", written.schema) as table:
        table.add(written)
        table.finish({})
    for memory in (0, AMPLE):
        sorter = ExternalSorter(("char_id", "day"), Workspace(memory, tmp_path))
        sorter.add(late)
        found = pl.concat(sorter.merge(WrittenRun(table, written.schema["char_id"])))
        assert found.equals(pl.concat([written, late]).sort("char_id", "day", maintain_order=True))


@given(
    st.lists(st.integers(0, 12), max_size=20, unique=True).map(sorted),
    st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=5), max_size=5),
    st.integers(1, 4),
)
def test_sorted_reader_has_every_row_of_the_ids_that_are_asked_for(
    known: list[int], asked: list[list[int]], size: int
) -> None:
    rows = pl.DataFrame({"id": [n for n in known for _ in range(n % 3 + 1)]})
    rows = rows.cast(pl.Int64).with_row_index("row")
    frames = (rows[n : n + size] for n in range(0, len(rows), size))
    reader = SortedReader(frames, "id", rows.schema)
    ids = sorted(n for part in asked for n in part)
    start = 0
    for length in map(len, asked):
        part = pl.Series("id", ids[start : start + length], dtype=pl.Int64)
        start += length
        found = reader.read_on(part).filter(pl.col("id").is_in(part.implode()))
        assert found.equals(rows.filter(pl.col("id").is_in(part.implode())))


def test_sorted_reader_forgets_rows_below_the_ids_that_are_asked_for() -> None:
    frames = (pl.DataFrame({"id": range(n, n + 10)}) for n in range(0, 1000, 10))
    reader = SortedReader(frames, "id", {"id": pl.Int64})
    heights = [len(reader.read_on(pl.Series([n, n + 3]))) for n in range(0, 1000, 2)]
    assert max(heights) <= 30


def test_sorted_reader_skips_ids_between_those_that_are_asked_for() -> None:
    frames = (pl.DataFrame({"id": range(n, n + 10)}) for n in range(0, 1000, 10))
    near = SortedReader(frames, "id", {"id": pl.Int64}).read_on(pl.Series([3, 700]))
    assert near["id"].head(2).to_list() == [3, 700]
    assert len(near) <= 30


def test_late_text_does_not_hold_the_memory_of_all_rows(tmp_path: Path) -> None:
    texts = pl.DataFrame({"id": [f"a long identifier, number {n:09}" for n in range(20_000)]})
    sorter = ExternalSorter(("id",), Workspace(100_000, tmp_path))
    for _ in range(50):
        sorter.add(texts.filter(pl.col("id").str.ends_with("00")))
    held = sum(frame.to_arrow().nbytes for frame in sorter._waiting)
    assert held <= 100_000


def test_sorted_reader_of_ids_that_are_null_reads_nothing() -> None:
    frames = iter([pl.DataFrame({"id": [1, 2]})])
    reader = SortedReader(frames, "id", {"id": pl.Int64})
    assert reader.read_on(pl.Series([None, None], dtype=pl.Int64)).is_empty()
    assert reader.read_on(pl.Series([None, 2], dtype=pl.Int64))["id"].to_list() == [2]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_batches_keep_the_order_of_the_file(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH", 100)
    rows = pl.DataFrame({"n": range(3456)})
    path = tmp_path / f"rows.{form}"
    if form == "csv":
        rows.write_csv(path)
        frame = pl.scan_csv(path)
    else:
        rows.write_parquet(path, row_group_size=77)
        frame = pl.scan_parquet(path)
    parts = list(batches_of(frame))
    assert pl.concat(parts).equals(rows)
    assert max(map(len, parts)) == 100
