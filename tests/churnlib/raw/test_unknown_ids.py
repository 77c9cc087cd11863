"""Ids that are not known: their form, the table that is the cause, and how many are too many."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset
from churnlib.raw.quality_warnings import DayCounts, count_unknown_parents
from churnlib.raw.unknown_ids import advice, check_share_known
from churnlib.raw.validate import check_table
from churnlib.settings import RawSettings
from tests.base import HISTORY, declared, raw_tables
from tests.churnlib.raw.samples import (
    GOOD,
    character,
    currency,
    miss,
    refusal,
    sub,
    write,
    write_text,
)

UUID = "a1b2c3d4-0000-4000-8000-00000000000"


def parents(ids: list[Any]) -> pl.LazyFrame:
    created = pl.lit(date(2021, 1, 1)).alias("creation_date")
    dtype = pl.String if ids and isinstance(ids[0], str) else pl.Int64
    return pl.LazyFrame({"char_id": ids}, schema={"char_id": dtype}).with_columns(created)


@pytest.mark.parametrize(
    ("unknown", "known", "expected"),
    [
        (["000001", "000002"], ["1", "2", "3"], 'set raw.id_type = "integer"'),
        (["1.0", "2.0"], ["1", "2", "3"], 'set raw.id_type = "integer"'),
        (["1", "2"], ["0001", "0002"], 'set raw.id_type = "integer"'),
        (["10", "20.0"], ["0010", "20"], 'set raw.id_type = "integer"'),
        ([f"{UUID}1".upper()], [f"{UUID}1"], "without regard to case"),
        ([f"{{{UUID}1}}"], [f"{UUID}1"], "without regard to case"),
        ([f"{UUID}1".replace("-", "")], [f"{UUID}1"], "without regard to case"),
        (["00a1", "00b2"], ["a1", "b2"], "without leading zeros"),
        (["1", "2", "x"], ["01", "02"], 'set raw.id_type = "integer"'),
        (["1", "8", "9"], ["01", "02"], ""),
        (["k1"], ["1"], ""),
        ([1, 2], [10_000_000_001], ""),
    ],
)
def test_ids_that_match_in_another_form_are_recognized(
    unknown: list[Any], known: list[Any], expected: str
) -> None:
    found = advice(pl.Series("char_id", unknown), parents(known))
    assert expected in found
    assert bool(found) == bool(expected)


def test_orphans_that_match_in_another_form_name_the_setting(tmp_path: Path) -> None:
    source = write(tmp_path, "sub_data", [{**sub(n), "char_id": f"00000{n}"} for n in (1, 2)])
    message = refusal(source, parent=[{"char_id": "1"}, {"char_id": "2"}], id_type="text")
    assert "char_id must be in character_data: 2 rows (line 2: 000001; line 3: 000002)" in message
    assert message.endswith('The ids match as whole numbers, as 1, 000001 and 1.0 do: set '
                            'raw.id_type = "integer".')  # fmt: skip
    assert "match" not in refusal(source, parent=[{"char_id": "7"}], id_type="text")


@pytest.mark.parametrize(
    ("table", "rows", "parent"),
    [("sub_data", [sub()], character()), ("sub_miss", [miss()], sub())],
)
def test_an_empty_parent_is_named_as_the_cause(
    table: str, rows: list[dict[str, Any]], parent: dict[str, Any], tmp_path: Path
) -> None:
    spec = raw_tables()[table]
    assert spec.parent is not None
    key = parent[spec.parent.column]
    source = write(tmp_path, table, rows)
    none: list[dict[str, Any]] = []
    empty = pl.DataFrame(none, schema={spec.parent.column: pl.Int64, "char_id": pl.Int64})
    with pytest.raises(DataError) as caught:
        check_table(source, table, declared(), parent=empty.lazy())
    message = str(caught.value)
    assert f"the rows of {table}.csv refer to {spec.parent.table}, which has no rows" in message
    assert str(key) not in message


def test_an_empty_table_may_refer_to_an_empty_one(tmp_path: Path) -> None:
    source = write_text(tmp_path, "sub_miss", "sub_id,start_date,end_date\n")
    empty = pl.LazyFrame(schema={"sub_id": pl.Int64, "char_id": pl.Int64})
    assert check_table(source, "sub_miss", declared(), parent=empty).rows.is_empty()


def check_share(known: list[int], as_of: date, share: float = 0.5) -> None:
    spec = raw_tables()[HISTORY]
    rows = pl.DataFrame([currency(c, m) for c in (1, 2, 3, 4) for m in (1, 2)])
    extra = pl.DataFrame([currency(9, m) for m in range(3, 13)])
    checked = pl.concat([rows, extra]).lazy()
    counts = DayCounts(spec)
    counts.add(checked.collect())
    characters = parents(known)
    by_day = {**counts.by_day, **count_unknown_parents(checked, spec, characters)}
    settings = RawSettings(max_unknown_share=share)
    table = Dataset(spec.name, "hawk", "x.parquet")
    check_share_known(table, (checked, characters), spec, by_day, settings, as_of)


def test_a_history_of_mostly_unknown_characters_is_refused_as_of_the_day() -> None:
    february, december = date(2021, 2, 1), date(2021, 12, 1)
    check_share([1, 2], february)
    with pytest.raises(DataError) as caught:
        check_share([1], february)
    assert str(caught.value).startswith(
        "hawk: character_currency: 6 of 8 rows belong to no known character, such as char_id "
        "2, 3, 4; more than raw.max_unknown_share = 0.5 allows. Check that char_id means the same"
    )
    check_share([1], february, share=0.75)
    check_share([1, 2, 3, 4, 9], december)
    with pytest.raises(DataError, match="10 of 18 rows belong to no known character"):
        check_share([1, 2, 3, 4], december)


def test_a_history_without_any_character_names_the_empty_table() -> None:
    with pytest.raises(DataError, match="refer to character_data, which has no rows"):
        check_share([], date(2021, 2, 1))


def test_the_sample_has_known_parents_only() -> None:
    known = parents([row["char_id"] for row in GOOD["character_data"]])
    spec = raw_tables()[HISTORY]
    assert count_unknown_parents(pl.LazyFrame(GOOD[spec.name]), spec, known) == {}
