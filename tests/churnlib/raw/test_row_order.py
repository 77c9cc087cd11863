"""The order of rows, against Polars' own sort and a slow search for late rows."""

from datetime import date
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from churnlib.raw.row_order import is_ascending, sort_rows, split_late

ORDER = ("id", "day", "name")
SCHEMA = {"id": pl.Int64, "day": pl.Date, "name": pl.String}
IDS = st.integers(0, 4) | st.sampled_from([-(2**63), 2**63 - 1, 2**62, -1])
DAYS = st.none() | st.sampled_from([date(1, 1, 1), date(1969, 12, 31), date(2024, 5, 1)])
NAMES = st.none() | st.sampled_from(["", "a", "B", "ä", "z", "\U0001f600", "a\0"])
KEYS = st.tuples(st.none() | IDS, DAYS, NAMES)
ORDERS = st.permutations(ORDER).flatmap(lambda names: st.integers(1, 3).map(lambda n: names[:n]))


def frame(keys: list[Any], at: int | None = None) -> pl.DataFrame:
    """Numbered rows with other columns beside their keys; of two chunks, if they are cut."""
    rows = pl.DataFrame(keys, schema=SCHEMA, orient="row").with_row_index("row")
    rows = rows.with_columns(
        half=pl.when(pl.col("row") % 3 != 0).then(pl.col("row") / 2),
        flag=pl.col("row") % 2 == 0,
        small=pl.when(pl.col("row") % 5 != 0).then(pl.col("row").cast(pl.Int8)),
    )
    return rows if at is None else pl.concat([rows[:at], rows[at:]], rechunk=False)


def comparable(key: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """A key by which Python sorts as the engine does: null first, text by its bytes."""
    return [
        (v is not None, v.encode() if isinstance(v, str) else v) if v is not None else (False,)
        for v in key
    ]


@given(st.lists(KEYS, max_size=30), ORDERS, st.integers(0, 30))
@example([(0, None, "a"), (2**62, None, "a"), (0, None, "a")], ["id"], 1)
def test_sorted_rows_equal_those_of_a_stable_sort(
    keys: list[Any], order: list[str], at: int
) -> None:
    rows = frame(keys, at)
    found = sort_rows(rows, order)
    assert found.equals(rows.sort(order, nulls_last=False, maintain_order=True))
    assert found.schema == rows.schema
    assert is_ascending(found, order)
    ranked = [comparable(key) for key in found.select(order).rows()]
    assert ranked == sorted(ranked)


@given(st.lists(KEYS, max_size=6), ORDERS, st.integers(0, 6))
def test_order_of_neighbours_decides_whether_rows_ascend(
    keys: list[Any], order: list[str], at: int
) -> None:
    rows = frame(keys, at)
    ranked = [comparable(key) for key in rows.select(order).rows()]
    pairs = list(pairwise(ranked))
    assert is_ascending(rows, order) == all(a <= b for a, b in pairs)
    assert is_ascending(rows, order, strictly=True) == all(a < b for a, b in pairs)


@given(st.lists(KEYS, min_size=1, max_size=20), ORDERS, st.none() | KEYS, st.integers(0, 20))
@example([(1, None, None), (5, None, None), (3, None, None), (4, None, None)], ["id"], None, 2)
@example([(1, None, None), (2, None, None)], ["id"], (9, None, None), 0)
def test_rows_below_any_earlier_one_come_late(
    keys: list[Any], order: list[str], last: Any, at: int
) -> None:
    rows = frame(keys, at)
    before = None if last is None else frame([last]).select(order)
    in_order, late = split_late(rows, order, before)
    highest = [] if before is None else comparable(before.row(0))
    numbers = []
    for number, key in enumerate(rows.select(order).rows()):
        if comparable(key) >= highest:
            highest = comparable(key)
            numbers.append(number)
    assert in_order.equals(rows[numbers])
    others = [number for number in range(len(rows)) if number not in numbers]
    assert (late is None) == (not others)
    assert late is None or late.equals(rows[others])


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int32, pl.UInt32, pl.UInt64, pl.Date])
def test_keys_of_any_whole_number_type_are_sorted(dtype: Any) -> None:
    rows = pl.DataFrame({"id": [7, 3, 5, 3], "n": [0, 1, 2, 3]}, schema_overrides={"n": dtype})
    rows = rows.with_columns(pl.col("id").cast(dtype))
    assert sort_rows(rows, ("id", "n"))["n"].cast(pl.Int64).to_list() == [1, 3, 2, 0]
