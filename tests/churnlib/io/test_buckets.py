"""Characters in buckets: their hashes, their order, and the same bytes in any number of them."""

import math
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.errors import DataError
from churnlib.features.history import add_currency_features
from churnlib.io import buckets, datasets
from churnlib.io.datasets import Dataset, DatasetRef
from tests.churnlib.features.strategies import EVERYTHING

DAY = date(2024, 6, 1)
SCHEMA = {"char_id": pl.Int64, "date": pl.Date, "hard_balance": pl.Float64, "note": pl.String}


def table_of(name: str, folder: Path, rows: pl.DataFrame) -> DatasetRef:
    target = Dataset(name, "hawk", str(folder / f"{name}.parquet"))
    return buckets.write([buckets.in_order(rows)], target, rows.schema)


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


def test_hashes_are_stable() -> None:
    numbers = pl.Series([0, 1, 2, -1, 2**62, None])
    assert buckets.hashes(numbers).tolist() == [
        0,
        12994781566227106604,
        4233148493373801447,
        7256831767414464289,
        7301644554408135072,
        0,
    ]
    texts = pl.Series(["a", "a", "b", "", None, "ä"])
    assert buckets.hashes(texts).tolist() == [
        *(4681665781835383343, 4681665781835383343, 9543904841865449333),
        *(16476032584258269876, 16476032584258269876, 17315702723226345529),
    ]
    assert len(buckets.hashes(pl.Series([], dtype=pl.String))) == 0


@pytest.mark.parametrize("ids", [pl.Series(range(40_000)), pl.Series(range(0, 4_000_000, 100))])
def test_buckets_have_similar_sizes(ids: pl.Series) -> None:
    sizes = buckets.buckets_of(ids, 64).value_counts()["count"]
    assert len(sizes) == 64
    assert sizes.is_between(500, 750).all()


@given(st.integers(0, 10), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=50))
def test_fewer_buckets_are_unions_of_more_buckets(power: int, ids: list[int]) -> None:
    found = pl.Series("char_id", ids, dtype=pl.Int64)
    finest = buckets.buckets_of(found, buckets.FINEST)
    assert buckets.buckets_of(found, 2**power).to_list() == [
        number // (buckets.FINEST // 2**power) for number in finest
    ]


VALUES = st.none() | st.floats(-9, 9)


@given(st.lists(st.tuples(st.integers(0, 9), VALUES, st.none() | st.text(max_size=2)), max_size=30))
def test_characters_are_sorted_by_hash_and_their_rows_keep_their_order(
    rows: list[tuple[Any, ...]],
) -> None:
    frame = pl.DataFrame(
        [(c, DAY, v, t) for c, v, t in rows], schema=SCHEMA, orient="row"
    ).with_row_index("row")
    hashed = [int(h) for h in buckets.hashes(frame["char_id"])]
    expected = sorted(frame.rows(), key=lambda row: hashed[row[0]])
    if len({row[0] for row in rows}) == _changes(rows):  # Each character's rows are together.
        assert buckets.in_order(frame).rows() == expected
    assert buckets.in_order(buckets.in_order(frame.sort("char_id", "row"))).equals(
        buckets.in_order(frame.sort("char_id", "row"))
    )


def _changes(rows: list[tuple[Any, ...]]) -> int:
    return sum(i == 0 or row[0] != rows[i - 1][0] for i, row in enumerate(rows))


def test_nan_and_null_are_kept_when_rows_are_sorted() -> None:
    frame = pl.DataFrame({"char_id": [1, 2, 3, 4], "x": [math.nan, None, 1.0, 2.0]})
    found = buckets.in_order(frame).sort("char_id")
    assert found["x"].is_nan().to_list() == [True, None, False, False]


@pytest.mark.parametrize("count", [1, 2, 8, 256, 1024])
def test_concatenated_buckets_are_the_table(count: int, tmp_path: Path) -> None:
    _, currency = game()
    table = table_of("character_currency", tmp_path, currency)
    parts = [buckets.bucket(table, number, count).collect() for number in range(count)]
    assert pl.concat(parts).equals(datasets.read(table))
    for number, part in enumerate(parts):
        assert set(buckets.buckets_of(part["char_id"], count)) <= {number}


def test_features_have_the_same_bytes_for_any_number_of_buckets(tmp_path: Path) -> None:
    subs, currency = game()
    tables = [table_of("subs", tmp_path, subs), table_of("character_currency", tmp_path, currency)]
    function = partial(add_currency_features, settings=EVERYTHING, as_of=DAY)
    schema = function(*map(datasets.scan, tables)).collect_schema()
    written = set()
    for count in (1, 4, 64):
        target = Dataset("features", "hawk", str(tmp_path / f"{count}.parquet"))
        frames = (buckets.make(function, tables, number, count) for number in range(count))
        written.add(buckets.write(frames, target, schema).fingerprint)
    assert len(written) == 1
    whole = function(subs.lazy(), currency.lazy()).collect()
    assert buckets.in_order(whole).equals(datasets.read(target))


def test_number_of_buckets_depends_on_memory(tmp_path: Path) -> None:
    _, currency = game()
    table = table_of("character_currency", tmp_path, currency)
    size = buckets.size_of(table)
    assert size == len(currency) * (8 + 4 + 4 * 8)
    assert buckets.count_for(256, size) == 1
    assert buckets.count_for(1, size, times=2**20 * 8 // size) == 8
    assert buckets.count_for(1, 10**15) == buckets.FINEST
    counted = datasets.ref(Dataset(table.name, table.game, table.uri))
    assert buckets.size_of(counted) == size
    assert buckets.size_of(counted, "char_id", "date") == len(currency) * (8 + 4)


def test_table_of_another_program_has_no_buckets(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pl.DataFrame({"char_id": [1]}).write_parquet(path)
    table = datasets.ref(Dataset("other", "hawk", str(path)), 1)
    assert buckets.bucket(table, 0, 1).collect().height == 1
    with pytest.raises(DataError, match="Remove it, and make it again"):
        buckets.bucket(table, 0, 2)


@pytest.mark.parametrize("count", [1, 8, 64, 256])
def test_spilled_rows_keep_their_order(count: int, tmp_path: Path) -> None:
    frame = pl.DataFrame({"sub_id": [n * 7 % 501 for n in range(5_000)], "n": range(5_000)})
    parts = buckets.spill(frame.lazy(), "sub_id", count, tmp_path / "aside")
    assert len(parts) == count
    found = [part.collect() for part in parts]
    for number, part in enumerate(found):
        assert part["n"].is_sorted()
        assert count == 1 or set(buckets.buckets_of(part["sub_id"], count)) <= {number}
    assert pl.concat(found).sort("n").equals(frame)


def test_failure_between_buckets_leaves_the_old_file(tmp_path: Path) -> None:
    _, currency = game()
    table = table_of("character_currency", tmp_path, currency)
    target = Dataset("character_currency", "hawk", table.uri)

    def fail(_: pl.LazyFrame) -> pl.LazyFrame:
        raise DataError("out of luck")

    with pytest.raises(DataError, match="out of luck"):
        frames = (buckets.make(fail, [table], number, 4) for number in range(4))
        buckets.write(frames, target, currency.schema)
    assert datasets.is_unchanged(table)
    assert [path.name for path in tmp_path.iterdir()] == ["character_currency.parquet"]


def test_lazy_frame_over_frames_supports_projection_filter_and_limit() -> None:
    frames = [pl.DataFrame({"a": [n, n + 1], "b": [0, 0]}) for n in (0, 10, 20)]
    schema = frames[0].schema
    rows = buckets.lazily(frames, schema).filter(pl.col("a") > 0).select("a").head(3).collect()
    assert rows["a"].to_list() == [1, 10, 11]
