"""Hashes of ids: stable, uniform, and independent of other rows."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.io.hashing import hashes, is_below

NUMBERS = st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=30)
TEXTS = st.lists(st.none() | st.sampled_from(["a", "b", "ä", "", "aa"]) | st.text(max_size=3))


def test_hashes_are_stable() -> None:
    numbers = pl.Series([0, 1, 2, -1, 2**62, None])
    assert hashes(numbers).tolist() == [
        0,
        12994781566227106604,
        4233148493373801447,
        7256831767414464289,
        7301644554408135072,
        0,
    ]
    texts = pl.Series(["a", "a", "b", "", None, "ä"])
    assert hashes(texts).tolist() == [
        *(4681665781835383343, 4681665781835383343, 9543904841865449333),
        *(16476032584258269876, 16476032584258269876, 17315702723226345529),
    ]


@given(NUMBERS, TEXTS)
def test_hash_of_an_id_does_not_depend_on_other_rows(
    numbers: list[int | None], texts: list[str | None]
) -> None:
    for ids in (pl.Series(numbers, dtype=pl.Int64), pl.Series(texts, dtype=pl.String)):
        alone = [int(hashes(ids[n : n + 1])[0]) for n in range(len(ids))]
        assert hashes(ids).tolist() == alone
        assert hashes(ids).dtype == np.uint64


@given(st.lists(st.integers(-(2**63), 2**63 - 1), unique=True))
def test_hashes_of_numbers_do_not_collide(numbers: list[int]) -> None:
    assert len({*hashes(pl.Series(numbers, dtype=pl.Int64)).tolist()}) == len(numbers)


@pytest.mark.parametrize(
    "ids",
    [
        pl.Series(range(40_000)),
        pl.Series(range(0, 4_000_000, 100)),
        pl.Series([f"player-{n:07}" for n in range(40_000)]),
    ],
)
def test_hashes_are_uniform(ids: pl.Series) -> None:
    counts = np.bincount((hashes(ids) >> np.uint64(58)).astype(np.int64), minlength=64)
    assert counts.min() > 500
    assert counts.max() < 750


@pytest.mark.parametrize("ids", [pl.Series(range(500)), pl.Series([str(n) for n in range(500)])])
@pytest.mark.parametrize("limit", [-1, 0, 1, 2**62, 2**63, 2**64 - 1, 2**64])
def test_filter_keeps_the_rows_with_hashes_below_the_limit(ids: pl.Series, limit: int) -> None:
    rows = pl.DataFrame({"id": ids})
    expected = ids.filter(pl.Series([int(h) < limit for h in hashes(ids)])).to_list()
    assert rows.filter(is_below(limit, "id"))["id"].to_list() == expected
    assert rows.lazy().filter(is_below(limit, "id")).collect(engine="streaming")[
        "id"
    ].to_list() == (expected)
    assert rows.clear().filter(is_below(limit, "id")).is_empty()
    if limit in (0, 2**64):
        assert len(expected) == (len(ids) if limit else 0)
