"""The part of the profile about the values of columns."""

from datetime import date
from math import isclose

import polars as pl
import pytest

from churnlib.profile import columns
from churnlib.profile.columns import ColumnProfile, profile_columns
from tests.base import raw_tables
from tests.churnlib.raw.samples import character

SPEC = raw_tables().characters


def profiled(rows: list[dict[str, object]]) -> dict[str, ColumnProfile]:
    frame = pl.DataFrame(rows, schema=SPEC.checked_types)
    return {found.name: found for found in profile_columns(frame.lazy(), SPEC, len(frame))}


def test_columns_have_their_missing_distinct_range_and_most_frequent_values() -> None:
    mastered = [None, date(2021, 5, 1), None, date(2020, 1, 31)]
    races = ["elf", "orc", "elf", "elf"]
    found = profiled(
        [
            character(n, class_mastery_date=mastered[n], race=races[n], total_kills=10 * n)
            for n in range(4)
        ]
    )
    assert list(found) == list(SPEC.columns)
    assert (found["char_id"].distinct, found["char_id"].most) == (4, ())
    race, mastery, kills = (found[n] for n in ("race", "class_mastery_date", "total_kills"))
    assert (race.missing, race.distinct, race.most) == (0, 2, (("elf", 0.75), ("orc", 0.25)))
    assert (mastery.missing, mastery.distinct) == (0.5, 2)
    assert (mastery.least, mastery.greatest) == (date(2020, 1, 31), date(2021, 5, 1))
    assert (kills.least, kills.greatest, kills.mean) == (0, 30, 15)


def test_columns_of_a_table_without_rows_are_empty() -> None:
    for found in profiled([]).values():
        assert (found.missing, found.distinct, found.least, found.most) == (0, 0, None, ())


def test_column_of_nulls_has_no_range() -> None:
    found = profiled([character(n, class_mastery_date=None) for n in range(3)])
    mastery = found["class_mastery_date"]
    assert (mastery.missing, mastery.distinct, mastery.least) == (1, 0, None)


def test_different_values_of_a_large_table_are_about_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "EXACT", 1000)
    found = profiled([character(n) for n in range(2000)])["char_id"]
    assert not found.is_exact
    assert isclose(found.distinct, 2000, rel_tol=0.2)
