"""Rows that were not known yet on the day of a run are not checked."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset
from churnlib.raw.validate import CheckedTable, check_table
from churnlib.settings import RawSettings
from tests.base import declared
from tests.churnlib.raw.samples import (
    Rows,
    as_frame,
    by_key,
    character,
    currency,
    miss,
    sub,
    write,
    write_text,
)

DAY = date(2024, 3, 1)


def check(source: Dataset, parent: Rows | None = None, **raw: object) -> CheckedTable:
    above = None if parent is None else pl.LazyFrame(parent)
    settings = declared(RawSettings.model_validate(raw))
    checked = check_table(source, source.name, settings, parent=above, as_of=DAY)
    return by_key(checked, source.name)


FAULTY = {
    "character_data": [
        (character(2, creation_date=DAY, race=None), True),
        (character(2, creation_date=date(2024, 3, 2), race=None), False),
    ],
    "character_currency": [
        (currency(1, date=DAY, hard_balance="x"), True),
        (currency(1, date=date(2024, 4, 1), hard_balance="x"), False),
    ],
    "sub_data": [
        (sub(102, sub_start_date=DAY, price=None), True),
        (sub(102, sub_start_date=date(2024, 3, 2), price=None), False),
    ],
    "sub_miss": [
        (miss(101, 2, end_date=date(2024, 1, 1)), True),
        (miss(101, 3, end_date=date(2024, 1, 1)), False),
    ],
}
GOOD_ROW = {
    "character_data": character(1),
    "character_currency": currency(1),
    "sub_data": sub(101),
    "sub_miss": miss(101, 1),
}


@pytest.mark.parametrize("table", FAULTY)
def test_faults_count_from_the_day_on_which_they_are_known(table: str, tmp_path: Path) -> None:
    good = GOOD_ROW[table]
    for bad, is_known in FAULTY[table]:
        source = write(tmp_path, table, as_frame([good, bad]))
        if is_known:
            with pytest.raises(DataError, match="1 of 2 rows break a rule"):
                check(source)
        else:
            checked = check(source)
            assert checked.rows.to_dicts() == [good]
            assert checked.rejected.is_empty()


def test_rows_without_a_readable_date_count_as_known(tmp_path: Path) -> None:
    source = write(tmp_path, "sub_data", [sub(101), sub(102, sub_start_date=None)])
    with pytest.raises(DataError, match="sub_start_date must not be empty"):
        check(source)
    text = as_frame([sub(101)]).write_csv() + "102,1,2030-01-01\n"
    with pytest.raises(DataError, match="every line must have as many fields"):
        check(write_text(tmp_path, "sub_data", text))


def test_later_rows_without_fault_are_kept(tmp_path: Path) -> None:
    rows = [sub(101), sub(102, sub_start_date=date(2030, 1, 1)), sub(103, price=None)]
    checked = check(write(tmp_path, "sub_data", rows), on_bad_rows="quarantine", max_bad_share=0.5)
    assert checked.rows["sub_id"].to_list() == [101, 102]
    assert checked.rejected["source_row"].to_list() == [4]


def test_a_later_row_makes_no_earlier_one_faulty(tmp_path: Path) -> None:
    later = sub(101, price=0.01, sub_start_date=date(2030, 1, 1))
    checked = check(write(tmp_path, "sub_data", [later, sub(101)]), parent=[character(1)])
    assert checked.rows.to_dicts() == [sub(101)]


def test_the_share_of_faulty_rows_is_that_of_the_known_ones(tmp_path: Path) -> None:
    later = [sub(200 + n, sub_start_date=date(2030, 1, 1)) for n in range(8)]
    source = write(tmp_path, "sub_data", [sub(101), sub(102, price=None), *later])
    with pytest.raises(DataError, match="1 of 2 rows break a rule"):
        check(source, on_bad_rows="quarantine", max_bad_share=0.4)
    assert len(check(source, on_bad_rows="quarantine", max_bad_share=0.5).rejected) == 1


def test_copies_count_whatever_a_later_row_of_their_key_says(tmp_path: Path) -> None:
    known = sub(101, sub_start_date=date(2024, 2, 1))
    later = {**known, "sub_start_date": date(2024, 5, 1)}
    checked = check(write(tmp_path, "sub_data", [known, later, known, later]))
    assert checked.rows.to_dicts() == [known]
    assert checked.rejected.is_empty()
    assert checked.copies == 2
    contradiction = {**known, "price": 1.0}
    with pytest.raises(DataError, match="sub_id must be unique: 3 rows"):
        check(write(tmp_path, "sub_data", [known, contradiction, known]))
