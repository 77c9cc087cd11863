"""Buckets of characters: ranges of ids that are the same in all tables."""

import threading
import time
from collections.abc import Callable, Generator
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.errors import DataError
from churnlib.features.history import add_history_features
from churnlib.io import buckets, datasets
from churnlib.io.buckets import Bucket
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.table_writer import write_table
from tests.base import HISTORY
from tests.churnlib.features.strategies import EVERYTHING
from tests.variants import examples

DAY = date(2024, 6, 1)
COUNTS = (1, 2, 3, 8, 64)
"""Numbers of buckets."""


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("churnlib.io.table_writer.ROWS_PER_GROUP", 32)


def table_of(name: str, folder: str | Path, rows: pl.DataFrame) -> DatasetRef:
    target = Dataset(name, "hawk", str(Path(folder) / f"{name}.parquet"))
    return write_table([rows.sort("char_id", maintain_order=True)], target, rows.schema)


def of_ids(*ids: Any) -> pl.DataFrame:
    return pl.DataFrame({"char_id": pl.Series(*ids).sort()}).with_row_index("n")


def game(characters: int = 300, seed: int = 7) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Subscriptions and currency, with gaps, nulls and characters without either."""
    random = np.random.default_rng(seed)
    months = [
        (c, date(2023, 1 + m, 1), *(None if random.random() < 0.1 else v for v in values))
        for c in range(characters)
        for m in range(int(random.integers(0, 12)))
        if random.random() < 0.8 and (values := random.normal(1e6, 3, 4).tolist())
    ]
    columns = ["char_id", "date", "sub_hard", "sub_soft", "hard_balance", "soft_balance"]
    currency = pl.DataFrame(months, schema=columns, orient="row")
    starts = [
        (1000 * c + i, c, date(2023, int(random.integers(1, 13)), 15))
        for c in range(characters)
        for i in range(int(random.integers(0, 3)))
    ]
    subs = pl.DataFrame(starts, schema=["sub_id", "char_id", "sub_start_date"], orient="row")
    return subs.sort("char_id", "sub_start_date", "sub_id"), currency


def game_tables(folder: Path) -> list[DatasetRef]:
    subs, currency = game()
    return [table_of("subs", folder, subs), table_of("character_currency", folder, currency)]


SKEWED = {
    "dense": pl.Series(np.arange(3000)),
    "one_huge_id": pl.Series([*range(1999), 2**62]),
    "dense_and_sparse": pl.Series([*range(1500), *(10**6 * n for n in range(1, 1500))]),
    "texts": pl.Series([f"{mark}{n}" for n in range(1000) for mark in ("a", "Z", "é")]),
}


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("ids", SKEWED)
def test_buckets_have_similar_numbers_of_rows_whatever_the_ids(
    ids: str, count: int, tmp_path: Path
) -> None:
    table = table_of("table", tmp_path, of_ids("char_id", SKEWED[ids]))
    ranges = buckets.cut([table], count)
    heights = [len(bucket.rows(datasets.scan(table)).collect()) for bucket in ranges]
    assert len(ranges) == min(count, len(buckets.row_groups(table)))
    assert sum(heights) == len(SKEWED[ids])
    assert max(heights) <= len(SKEWED[ids]) / count + 32


def test_largest_table_decides_where_buckets_are_cut(tmp_path: Path) -> None:
    small = table_of("small", tmp_path, of_ids("char_id", range(500)))
    busy = [n for n in range(500) for _ in range(20 if n >= 450 else 1)]
    large = table_of("large", tmp_path, of_ids("char_id", busy))
    for tables in ([small, large], [large, small]):
        first, second = buckets.cut(tables, 2)
        assert first.end == second.first
        assert 450 < second.first < 500


@examples(30)
@given(
    st.lists(st.lists(st.integers(-40, 40), max_size=200), min_size=1, max_size=3),
    st.sampled_from(COUNTS),
    st.booleans(),
)
def test_every_row_of_a_character_is_in_one_bucket_in_all_tables(
    tables: list[list[int]], count: int, as_text: bool
) -> None:
    owner: dict[Any, int] = {}
    with TemporaryDirectory() as folder:
        refs = []
        for n, numbers in enumerate(tables):
            ids = pl.Series("char_id", numbers, dtype=pl.Int64)
            rows = of_ids("char_id", ids.cast(pl.String) if as_text else ids)
            refs.append(table_of(f"table{n}", folder, rows))
        ranges = buckets.cut(refs, count)
        assert 1 <= len(ranges) <= count
        for table in refs:
            parts = [bucket.rows(datasets.scan(table)).collect() for bucket in ranges]
            assert pl.concat(parts).equals(datasets.read(table))
            for number, part in enumerate(parts):
                for char_id in part["char_id"]:
                    assert owner.setdefault(char_id, number) == number


@pytest.mark.parametrize("count", COUNTS)
def test_empty_tables_have_one_bucket(count: int, tmp_path: Path) -> None:
    table = table_of("table", tmp_path, of_ids("char_id", range(0)))
    assert buckets.cut([table, table], count) == [Bucket()]


def test_features_have_the_same_bytes_for_any_number_of_buckets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = game_tables(tmp_path)
    function = partial(add_history_features, features=EVERYTHING, table=HISTORY, as_of=DAY)
    target = Dataset("features", "hawk", str(tmp_path / "features.parquet"))
    written = set()
    for count in COUNTS:
        monkeypatch.setattr(buckets, "count_for", lambda *_, count=count: count)
        assert len(buckets.cut(tables, count)) == min(count, len(buckets.row_groups(tables[1])))
        written.add(buckets.build(function, tables, target, {}, 256))
    assert len(written) == 1
    subs, currency = game()
    assert function(subs.lazy(), currency.lazy()).collect().equals(datasets.read(target))


def test_number_of_buckets_depends_on_memory(tmp_path: Path) -> None:
    subs, currency = game_tables(tmp_path)
    assert subs.rows is not None
    assert currency.rows is not None
    assert buckets.size_of(currency) == currency.rows * (8 + 4 + 4 * 8)
    assert buckets.size_of(subs) == subs.rows * (8 + 8 + 4)
    uncounted = datasets.ref(Dataset(subs.name, subs.game, subs.uri))
    assert buckets.size_of(uncounted) == buckets.size_of(subs)
    assert buckets.count_for(256, [subs, currency]) == 1
    many = [currency] * 100
    needed = buckets.size_of(currency) * 100 * buckets.BUILDING / 2**20
    assert buckets.count_for(1, many) == -(-needed // 1) > 1
    assert buckets.count_for(2, many) == -(-needed // 2)


def test_more_buckets_are_cut_for_a_result_with_more_rows(tmp_path: Path) -> None:
    table = wide(tmp_path, 2_000)
    few = buckets.count_for(1, [table], repeated)
    rows, width = 50_000, 16
    extra = buckets.BUILDING * rows * width / 2**20
    assert few + extra - 1 <= buckets.count_for(1, [table], repeated, rows) <= few + extra + 1


def repeated(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.select("char_id", day=pl.lit(1, pl.Int64))


def wide(folder: Path, rows: int) -> DatasetRef:
    frame = pl.DataFrame({"char_id": range(rows), "value": range(rows)})
    return write_table([frame], Dataset("wide", "hawk", str(folder / "wide.parquet")), frame.schema)


def test_a_table_of_another_program_cannot_be_cut(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pl.DataFrame({"char_id": [1]}).write_parquet(path)
    table = datasets.ref(Dataset("other", "hawk", str(path)), 1)
    assert buckets.cut([table], 1) == [Bucket()]
    with pytest.raises(DataError) as caught:
        buckets.cut([table], 2)
    assert str(caught.value) == (
        f"hawk: the footer of {path} does not contain 'row_groups', so it was not written by this "
        f"version. {datasets.REBUILD}"
    )


def test_failure_between_buckets_leaves_the_earlier_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, table = game_tables(tmp_path)
    monkeypatch.setattr(buckets, "count_for", lambda *_: 4)
    target, calls = Dataset(table.name, "hawk", table.uri), []

    def fail(rows: pl.LazyFrame) -> pl.LazyFrame:
        calls.append(rows)
        if len(calls) > 3:
            raise DataError("out of luck")
        return rows

    before = threading.active_count()
    with pytest.raises(DataError, match="out of luck"):
        buckets.build(fail, [table], target, {}, 256)
    assert datasets.is_unchanged(table)
    assert threading.active_count() == before


def builds(
    count: int, compute: Callable[[int], object] = lambda _: None
) -> list[Callable[[], pl.DataFrame]]:
    def build(number: int) -> pl.DataFrame:
        compute(number)
        return pl.DataFrame({"n": [number]})

    return [partial(build, number) for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_frames_built_at_once_keep_their_order(count: int) -> None:
    before = threading.active_count()
    slow_first = builds(count, lambda number: time.sleep(0.01 * (number % 2 == 0)))
    assert [frame["n"][0] for frame in buckets.at_once(slow_first)] == list(range(count))
    assert threading.active_count() == before


def test_two_frames_are_built_while_another_is_used() -> None:
    begun = [threading.Event() for _ in range(6)]
    both = threading.Barrier(buckets.AT_ONCE)

    def compute(number: int) -> None:
        begun[number].set()
        both.wait(timeout=10)

    for number, _ in enumerate(buckets.at_once(builds(len(begun), compute))):
        last = number + buckets.AT_ONCE
        assert all(event.wait(timeout=10) for event in begun[: last + 1])
        assert not any(event.is_set() for event in begun[last + 1 :])


@pytest.mark.parametrize("failing", [0, 1, 3])
def test_an_exception_is_raised_after_the_frames_before_it(failing: int) -> None:
    def compute(number: int) -> None:
        if number >= failing:
            raise DataError(f"out of luck at {number}")

    before, seen = threading.active_count(), list[int]()
    with pytest.raises(DataError, match=f"out of luck at {failing}"):
        for frame in buckets.at_once(builds(9, compute)):
            seen.append(frame["n"][0])
    assert seen == list(range(failing))
    assert threading.active_count() == before


def test_no_thread_is_left_if_frames_are_not_used_to_the_end() -> None:
    before = threading.active_count()
    frames = buckets.at_once(builds(9))
    next(frames)
    frames.close()
    assert threading.active_count() == before


def test_no_thread_is_left_if_the_result_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, table = game_tables(tmp_path)
    monkeypatch.setattr(buckets, "count_for", lambda *_: 4)

    def fail(frames: Generator[pl.DataFrame, None, None], *_: object) -> None:
        next(frames)
        raise DataError("no space left")

    monkeypatch.setattr(buckets, "join", fail)
    before, target = threading.active_count(), Dataset("out", "hawk", f"{tmp_path}/out")
    with pytest.raises(DataError, match="no space left"):
        buckets.build(lambda rows: rows, [table], target, {}, 256)
    assert threading.active_count() == before
