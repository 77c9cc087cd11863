"""Tables in row groups of whole characters, whose bytes depend on the rows alone."""

import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.errors import DataError
from churnlib.io import datasets, table_writer
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import fact, footer
from churnlib.io.table_writer import ROW_GROUPS, whole_characters, write_table
from tests.variants import examples

LIMIT = 8
SCHEMA = {"char_id": pl.Int64, "n": pl.Int64, "x": pl.Float64, "t": pl.String, "flag": pl.Boolean}
COUNTS = st.lists(st.sampled_from([0, 1, 2, 3, LIMIT - 1, LIMIT, LIMIT + 1, 3 * LIMIT]), max_size=9)


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("churnlib.io.table_writer.ROWS_PER_GROUP", LIMIT)


def rows_of(counts: list[int], dtype: Any = pl.Int64) -> pl.DataFrame:
    """As many rows of each character, with nulls and texts."""
    ids = [n for n, count in enumerate(counts) for _ in range(count)]
    rows = pl.DataFrame({"char_id": ids}, schema={"char_id": pl.Int64}).with_row_index("row")
    return rows.select(
        pl.format("c{}", "char_id").alias("char_id") if dtype == pl.String else "char_id",
        n=pl.col("row").cast(pl.Int64),
        x=pl.when(pl.col("row") % 3 != 0).then(pl.col("row") / 7),
        t=pl.when(pl.col("row") % 4 != 0).then(pl.format("é{}", pl.col("row") % 5)),
        flag=pl.col("row") % 2 == 0,
    )


def cut(rows: pl.DataFrame, ends: list[int]) -> Iterator[pl.DataFrame]:
    return (rows[a:b] for a, b in pairwise([0, *sorted(ends), len(rows)]))


def write(folder: str | Path, frames: Any, schema: Any = SCHEMA, **facts: Any) -> DatasetRef:
    target = Dataset("table", "hawk", str(Path(folder) / "table.parquet"))
    return write_table(frames, target, schema, footer(**facts))


@examples(40)
@given(COUNTS, st.lists(st.integers(0, 40), max_size=6))
def test_bytes_depend_on_the_rows_alone(counts: list[int], ends: list[int]) -> None:
    rows = rows_of(counts)
    with TemporaryDirectory() as folder:
        whole = write(folder, [rows])
        assert datasets.read(whole).equals(rows)
        assert whole.rows == len(rows)
        for frames in (cut(rows, ends), whole_characters(cut(rows, ends)), rows.iter_slices(1)):
            assert write(folder, frames) == whole


@examples(40)
@given(COUNTS, st.sampled_from([pl.Int64, pl.String]))
def test_row_groups_have_whole_characters_and_are_as_large_as_allowed(
    counts: list[int], dtype: Any
) -> None:
    rows = rows_of(counts, dtype)
    with TemporaryDirectory() as folder:
        table = write(folder, [rows], rows.schema)
        file = pq.ParquetFile(table.uri)
        groups = [pl.DataFrame(file.read_row_group(n)) for n in range(file.num_row_groups)]
        assert fact(table, ROW_GROUPS) == [[group["char_id"][0], len(group)] for group in groups]
    sizes = [count for count in counts if count]
    for group in groups:
        characters = group["char_id"].n_unique()
        assert len(group) == sum(sizes[:characters])
        assert len(group) <= LIMIT or characters == 1
        sizes = sizes[characters:]
        assert not sizes or len(group) + sizes[0] > LIMIT
    assert not sizes


@given(COUNTS, st.lists(st.integers(0, 40), max_size=8))
def test_whole_characters_are_never_divided(counts: list[int], ends: list[int]) -> None:
    rows = rows_of(counts)
    frames = list(whole_characters(cut(rows, ends)))
    assert all(map(len, frames))
    assert pl.concat([rows.clear(), *frames]).equals(rows)
    assert sum(frame["char_id"].n_unique() for frame in frames) == rows["char_id"].n_unique()


def test_rows_without_an_id_come_first_and_together() -> None:
    rows = pl.DataFrame({"char_id": [None, None, None, 1, 1, 2]})
    frames = [frame["char_id"].to_list() for frame in whole_characters(rows.iter_slices(2))]
    assert [value for frame in frames for value in frame] == rows["char_id"].to_list()
    assert sum(None in frame for frame in frames) == 1


def test_facts_are_in_the_footer_beside_the_row_groups(tmp_path: Path) -> None:
    table = write(tmp_path, [rows_of([3, 9])], as_of="2024-06-01")
    assert fact(table, "as_of") == "2024-06-01"
    assert fact(table, ROW_GROUPS) == [[0, 3], [1, 9]]


def test_schema_of_a_table_does_not_depend_on_whether_it_has_rows(tmp_path: Path) -> None:
    for frames in ([], [rows_of([])], [rows_of([2])]):
        assert datasets.read(write(tmp_path, frames)).schema == SCHEMA


@pytest.mark.parametrize("size", [1, 5, 100])
def test_rows_that_are_not_sorted_are_refused(size: int, tmp_path: Path) -> None:
    rows = rows_of([5] * 8)
    mixed = pl.concat([rows[20:], rows[:20]])
    with pytest.raises(ValueError, match="not sorted by char_id"):
        write(tmp_path, mixed.iter_slices(size))
    assert list(tmp_path.iterdir()) == []


def test_a_failure_half_way_leaves_the_earlier_file(tmp_path: Path) -> None:
    rows = rows_of([5] * 8)
    table = write(tmp_path, [rows])

    def fail() -> Iterator[pl.DataFrame]:
        yield rows[:20]
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        write(tmp_path, fail())
    with pytest.raises(pl.exceptions.PolarsError):
        write(tmp_path, [rows[:20], rows[20:].drop("x")])
    assert datasets.is_unchanged(table)
    assert [path.name for path in tmp_path.iterdir()] == ["table.parquet"]


def test_a_failure_of_the_writing_thread_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", fail)
    with pytest.raises(DataError, match=r"table.parquet cannot be written \(no space left\)"):
        write(tmp_path, [rows_of([2])])
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_after_a_failure_of_the_writing_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = list[int]()
    failed = threading.Event()

    def fail_second(_: pq.ParquetWriter, group: Any, *more: Any) -> None:
        tried.append(len(group))
        if len(tried) == 2:
            time.sleep(0.05)  # Others are waiting by now.
            failed.set()
            raise OSError("no space left")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", fail_second)
    with pytest.raises(DataError, match="no space left"):
        write(tmp_path, [rows_of([LIMIT] * 20)])
    assert failed.is_set()
    assert len(tried) <= 2 + table_writer.WAITING
    assert list(tmp_path.iterdir()) == []


def test_few_row_groups_are_held_until_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table, held = pq.ParquetWriter.write_table, list[int]()

    def slowly(writer: pq.ParquetWriter, *given: Any) -> None:
        time.sleep(0.005)
        held.append(len(opened[0].groups) - len(held))
        write_table(writer, *given)

    opened = list[table_writer.TableWriter]()
    monkeypatch.setattr(pq.ParquetWriter, "write_table", slowly)
    rows = rows_of([LIMIT] * 20)
    with table_writer.TableWriter(tmp_path / "table", rows.schema) as writer:
        opened.append(writer)
        writer.add(rows)
        writer.finish({})
    # One more is counted as soon as it waits for a place.
    assert table_writer.WAITING <= max(held) <= table_writer.WAITING + 1
    assert len(held) > 10
