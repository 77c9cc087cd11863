"""Faulty rows in quarantine."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from churnlib.errors import DataError
from tests.base import raw_tables
from tests.churnlib.raw.samples import (
    FORMATS,
    GOOD,
    character,
    check,
    miss,
    refusal,
    sub,
    write,
)


@pytest.mark.parametrize("form", FORMATS)
def test_faulty_rows_are_quarantined_and_the_others_kept(form: str, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        character(n, total_kills=n, race="orc" if n == 3 else "elf") for n in (4, 3, 1, 2)
    ]
    rows[3]["creation_date"] = None
    source = write(tmp_path, "character_data", rows, form)
    closed = {"race": ("elf",)}
    checked = check(source, on_bad_rows="quarantine", max_bad_share=0.5, categories=closed)
    assert checked.rows["char_id"].to_list() == [1, 4]
    rejected = checked.rejected
    first = 2 if form == "csv" else 1
    assert rejected["source_row"].to_list() == [first + 1, first + 3]
    assert rejected["char_id"].cast(int).to_list() == [3, 2]
    assert rejected["broken_rules"].to_list() == [
        "race|check__closed_list",
        "creation_date|nullability",
    ]


def test_quarantined_rows_keep_their_values_as_in_the_file(tmp_path: Path) -> None:
    rows = [character(1), character(2, creation_date="01/02/2017", total_kills="1.5")]
    source = write(tmp_path, "character_data", rows)
    rejected = check(source, on_bad_rows="quarantine", max_bad_share=0.5).rejected
    assert rejected["creation_date"].to_list() == ["01/02/2017"]
    assert rejected["total_kills"].to_list() == ["1.5"]
    assert rejected["unparsable"].to_list() == ["creation_date,total_kills"]


@pytest.mark.parametrize(("bad", "allowed"), [(2, True), (3, False)])
def test_no_more_than_the_allowed_share_is_quarantined(
    bad: int, allowed: bool, tmp_path: Path
) -> None:
    rows = [sub(n, price="?" if n <= bad else 1.0) for n in range(1, 21)]
    source = write(tmp_path, "sub_data", rows)
    if allowed:
        checked = check(source, on_bad_rows="quarantine", max_bad_share=0.1)
        assert (len(checked.rejected), len(checked.rows)) == (2, 18)
    else:
        message = refusal(source, on_bad_rows="quarantine", max_bad_share=0.1)
        assert "3 of 20 rows break a rule" in message
        assert "more than raw.max_bad_share = 0.1 allows" in message


def test_a_file_without_a_column_is_refused_in_quarantine_too(tmp_path: Path) -> None:
    source = write(tmp_path, "sub_miss", [{"sub_id": 1}])
    with pytest.raises(DataError, match="lacks the columns"):
        check(source, on_bad_rows="quarantine", max_bad_share=1.0)


def test_all_rows_may_be_quarantined_if_the_share_allows_it(tmp_path: Path) -> None:
    rows = [miss(1, 5, end_date=date(2024, 4, 1))]
    checked = check(write(tmp_path, "sub_miss", rows), on_bad_rows="quarantine", max_bad_share=1)
    assert checked.rows.is_empty()
    assert checked.rejected.height == 1


def test_orphans_are_quarantined(tmp_path: Path) -> None:
    source = write(tmp_path, "sub_data", GOOD["sub_data"])
    checked = check(source, parent=[character(1)], on_bad_rows="quarantine", max_bad_share=0.5)
    assert checked.rows["sub_id"].to_list() == [101, 102]
    assert checked.rejected["broken_rules"].to_list() == ["reference_known"]
    assert checked.rejected["orphan"].to_list() == [True]


def test_an_empty_quarantine_keeps_the_columns(tmp_path: Path) -> None:
    source = write(tmp_path, "sub_miss", GOOD["sub_miss"])
    rejected = check(source).rejected
    assert rejected.is_empty()
    assert set(raw_tables()["sub_miss"].columns) < set(rejected.columns)
