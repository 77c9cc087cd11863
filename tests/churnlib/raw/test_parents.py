"""The parents of rows, against a plain join."""

from itertools import pairwise, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.raw import batches, external_sort
from churnlib.raw.external_sort import Workspace
from churnlib.raw.parents import ORPHAN, find_parents
from churnlib.schemas.spec import TableSpec
from churnlib.settings import RawSettings
from tests.base import raw_tables
from tests.churnlib.raw.samples import AMPLE
from tests.variants import examples

IDS = st.integers(0, 9)
SPECS = [spec for spec in raw_tables().values() if spec.required_parent]
TEXT_SPECS = [
    spec for spec in raw_tables(RawSettings(id_type="text")).values() if spec.required_parent
]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches and blocks."""
    monkeypatch.setattr(batches, "BATCH", 3)
    monkeypatch.setattr(external_sort, "BLOCK", 2)


def found(
    batches: list[pl.DataFrame], spec: TableSpec, parent: pl.DataFrame | None, memory: int
) -> pl.DataFrame:
    above = None if parent is None else parent.lazy()
    with TemporaryDirectory() as folder:
        return pl.concat(find_parents(batches, spec, above, Workspace(memory, Path(folder))))


@examples(40)
@given(
    st.sampled_from([*SPECS, *TEXT_SPECS]),
    st.lists(st.lists(st.none() | IDS, max_size=8), min_size=1, max_size=4),
    st.dictionaries(IDS, IDS),
)
def test_rows_get_the_character_of_their_parent_or_are_orphans(
    spec: TableSpec, parts: list[list[Any]], known: dict[int, int]
) -> None:
    assert spec.parent is not None
    column, dtype = spec.parent.column, spec.checked_types["char_id"]
    owners = known if column != "char_id" else {n: n for n in known}
    parent = pl.DataFrame({column: list(owners)}, schema={column: pl.Int64})
    if column != "char_id":
        parent = parent.with_columns(char_id=pl.Series(list(owners.values()), dtype=pl.Int64))
    parent = parent.cast(dtype).sort("char_id")
    rows = pl.concat([pl.DataFrame({column: part}, schema={column: pl.Int64}) for part in parts])
    rows = rows.with_row_index("row").cast({column: dtype})
    ends = [sum(map(len, parts[:n])) for n in range(len(parts) + 1)]
    batches = [rows[a:b] for a, b in pairwise(ends)]
    if rows.is_empty():
        return
    sorted_rows = rows.sort(column, nulls_last=False, maintain_order=True)
    keys = sorted_rows[column].cast(pl.Int64).to_list()
    for memory in (0, AMPLE):
        joined = found(batches, spec, parent, memory)
        assert joined.select(rows.columns).equals(sorted_rows)
        assert joined[ORPHAN].to_list() == [k is not None and k not in owners for k in keys]
        assert joined["char_id"].cast(pl.Int64).to_list() == [
            k if column == "char_id" else owners.get(k) for k in keys
        ]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_without_a_parent_table_no_row_is_an_orphan(spec: TableSpec) -> None:
    assert spec.parent is not None
    rows = pl.DataFrame({spec.parent.column: [3, 1, None]})
    assert found([rows], spec, None, AMPLE)[ORPHAN].to_list() == [False] * 3


@pytest.mark.slow
def test_all_rows_of_many_parents_are_found_in_little_memory() -> None:
    (spec,) = [spec for spec in SPECS if "char_id" not in spec.columns]
    assert spec.parent is not None
    column = spec.parent.column
    parent = pl.DataFrame({column: [n * 17 % 41 for n in range(41)], "char_id": range(41)})
    batches = [pl.DataFrame({column: range(n, 41, 3)}) for n in range(3)]
    for memory, backwards in product((0, 500, AMPLE), (False, True)):
        given_rows = [rows.reverse() for rows in batches] if backwards else batches
        joined = found(given_rows, spec, parent, memory)
        assert joined[column].to_list() == list(range(41))
        assert joined["char_id"].to_list() == parent.sort(column)["char_id"].to_list()
        assert not joined[ORPHAN].any()
