"""Structural faults: what is refused, and that the message names where, what and how many."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.io.datasets import Dataset
from tests.base import raw_tables
from tests.churnlib.raw.samples import (
    FORMATS,
    GOOD,
    ROW,
    character,
    check,
    currency,
    lines,
    miss,
    refusal,
    sub,
    write,
    write_text,
)
from tests.variants import slow_but

NULLABLE = {
    *("class_mastery_date", "end_date"),
    *("sub_hard", "sub_soft", "hard_balance", "soft_balance"),
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("table", raw_tables())
def test_good_tables_pass_whole_and_typed(table: str, form: str, tmp_path: Path) -> None:
    checked = check(write(tmp_path, table, GOOD[table], form))
    assert checked.rows.schema == raw_tables()[table].types
    assert checked.rows.to_dicts() == GOOD[table]
    assert checked.rejected.is_empty()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table in raw_tables() for column in ROW[table]()]
)
def test_a_missing_column_is_named(table: str, column: str, form: str, tmp_path: Path) -> None:
    frame = pl.DataFrame(GOOD[table]).drop(column)
    message = refusal(write(tmp_path, table, frame, form))
    assert message.startswith(f"hawk: {table}.{form} lacks the column {column}.")


def test_a_misspelt_column_name_is_suggested(tmp_path: Path) -> None:
    frame = pl.DataFrame(GOOD["sub_miss"]).rename({"end_date": "enddate"})
    message = refusal(write(tmp_path, "sub_miss", frame))
    assert message == (
        "hawk: sub_miss.csv lacks the column end_date. "
        "If its column 'enddate' is meant, set tables.sub_miss.rename = "
        '{ "enddate" = "end_date" }.'
    )


def test_all_missing_columns_are_named_at_once(tmp_path: Path) -> None:
    frame = pl.DataFrame(GOOD["sub_miss"]).select("sub_id")
    message = refusal(write(tmp_path, "sub_miss", frame))
    assert message == "hawk: sub_miss.csv lacks the columns start_date, end_date."


@pytest.mark.parametrize("mark", [";", "\t"])
def test_another_separator_is_recognized(mark: str, tmp_path: Path) -> None:
    names = ["sub_id", "start_date", "end_date"]
    text = f"{mark.join(names)}\n1{mark}2024-01-01{mark}2024-01-01\n"
    message = refusal(write_text(tmp_path, "sub_miss", text))
    assert message == (
        f"hawk: sub_miss.csv lacks the columns {', '.join(names)}. "
        f"The separator seems to be {mark!r}. Set tables.sub_miss.separator = {json.dumps(mark)}."
    )


@pytest.mark.parametrize("form", FORMATS)
def test_columns_beyond_the_schema_are_left_out(form: str, tmp_path: Path) -> None:
    marks = ["source_row", "unparsable", "orphan", "_known", "fields"]
    frame = pl.DataFrame(GOOD["sub_data"]).with_columns(pl.lit("x").alias(m) for m in marks)
    checked = check(write(tmp_path, "sub_data", frame, form), parent=GOOD["character_data"])
    assert checked.rows.to_dicts() == GOOD["sub_data"]


def test_a_duplicate_column_is_refused(tmp_path: Path) -> None:
    text = "sub_id,start_date,end_date,sub_id\n1,2024-01-01,2024-01-01,2\n"
    message = refusal(write_text(tmp_path, "sub_miss", text))
    assert message.startswith("hawk: sub_miss.csv has the column sub_id twice.")


@pytest.mark.parametrize("name", ["sub_miss.csv", "sub_miss.parquet"])
@pytest.mark.parametrize("content", [None, b"", b"\x89PNG\r\n\x1a\n\x00\x00"])
def test_a_file_that_is_not_a_table_is_refused(
    content: bytes | None, name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    message = refusal(Dataset("sub_miss", "hawk", str(path)))
    assert message.startswith("hawk: ")
    assert name in message
    assert any(text in message for text in ("cannot be read", "is empty", "is not text"))


def test_a_folder_is_not_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "sub_miss.csv"
    path.mkdir()
    assert refusal(Dataset("sub_miss", "hawk", str(path))) == (
        f"hawk: {path} is a folder, not a file. Put the file in its place."
    )


def test_a_cut_parquet_file_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path, "sub_miss", GOOD["sub_miss"], "parquet")
    whole = Path(source.uri).read_bytes()
    Path(source.uri).write_bytes(whole[: len(whole) // 2])
    assert f"hawk: {source.uri} cannot be read: " in refusal(source)


def test_text_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    text = lines("character_data", "1,f,elf,mage,west,2021-01-05,,1,2").encode()
    source = write_text(tmp_path, "character_data", text + b"2,f,elf,m\xe9,west,2021-01-05,,1,2\n")
    assert "line 3 is not UTF-8 text" in refusal(source)


def test_a_quote_that_never_closes_is_refused(tmp_path: Path) -> None:
    rows = ['1,"2024-01-01,2024-01-01', *["1,2024-02-01,2024-02-01"] * 9]
    assert "cannot be read" in refusal(write_text(tmp_path, "sub_miss", lines("sub_miss", *rows)))


def test_a_quote_that_swallows_a_large_file_is_refused(tmp_path: Path) -> None:
    rows = ['1,"2024-01-01,2024-01-01', *["1,2024-02-01,2024-02-01"] * 9000]
    assert "cannot be read" in refusal(write_text(tmp_path, "sub_miss", lines("sub_miss", *rows)))


def test_a_header_alone_is_an_empty_table(tmp_path: Path) -> None:
    for table in raw_tables():
        checked = check(write_text(tmp_path, table, lines(table)))
        assert checked.rows.is_empty()
        assert checked.rows.columns == list(raw_tables()[table].columns)


BAD_DAYS = [
    "01/02/2017", "2021-13-01", "2021-02-29", "2021-1-5", "21-01-05", "20210105", "2021-01-05x",
    "2021-01-05T00:00:01", "2021-01-05 12:00", "2021-01-05 00:00:00+02:00",
    "2021-01-05T", "0000-00-00", "-2021-01-05", "-2024-1-01", "12021-01-05", "yesterday",
    "٢٠٢١-01-05",
]  # fmt: skip
BAD_NUMBERS = ["a", "inf", "-inf", "1e999", "1,5", "0x10", "1_000", "true"]
BAD_WHOLES = [*BAD_NUMBERS, "1.5", "99999999999999999999", "9007199254740993.0", "1e300"]


SEEMS = {
    "1,5": " '1,5' in {0} seems to have a comma for the decimal point: write 1.5. If the file has "
    'decimal commas, set tables.{1}.decimal = ",".',
    "1_000": " '1_000' in {0} seems to have marks between thousands: write 1000.",
    "01/02/2017": ' To read \'01/02/2017\', set tables.{1}.date_format = "%d/%m/%Y" or "%m/%d/%Y".',
    "21-01-05": ' To read \'21-01-05\', set tables.{1}.date_format = "%d-%m-%y" or "%y-%m-%d".',
    "20210105": " To read '20210105', set tables.{1}.date_format = \"%Y%m%d\".",
    "2021-01-05 00:00:00+02:00": " To read '2021-01-05 00:00:00+02:00', set "
    'tables.{1}.time_zone, such as "Europe/Berlin".',
}


@pytest.mark.parametrize(
    ("column", "word", "value"),
    [
        *(("creation_date", "date such as 2024-12-31", v) for v in BAD_DAYS),
        *(("class_mastery_date", "date such as 2024-12-31", v) for v in BAD_DAYS[:1]),
        *(("total_kills", "whole number", v) for v in BAD_WHOLES),
        *(("char_id", "whole number", v) for v in BAD_WHOLES[:1]),
    ],
)
def test_a_value_of_another_type_is_shown(
    column: str, word: str, value: str, tmp_path: Path
) -> None:
    rows = [character(1), character(2) | {column: value}, character(3)]
    text_ids = ' If ids are text, set raw.id_type = "text".' if column == "char_id" else ""
    seems = SEEMS.get(value, "").format(column, "character_data")
    message = refusal(write(tmp_path, "character_data", rows))
    assert message == (
        "hawk: character_data.csv: 1 of 3 rows break a rule:\n"
        f"  {column} must be a {word}: 1 row (line 3: {value})\n"
        "Nothing was built from it, and earlier outputs are kept. "
        'Fix the file, or set raw.on_bad_rows = "quarantine" to leave such rows out.'
        f"{text_ids}{seems}"
    )


@pytest.mark.parametrize("value", BAD_NUMBERS)
@pytest.mark.parametrize("column", ["hard_balance", "soft_balance"])
def test_a_value_that_is_not_a_number_is_shown_even_if_null_is_allowed(
    column: str, value: str, tmp_path: Path
) -> None:
    rows = [currency(1, 1), currency(1, 2, **{column: value})]
    message = refusal(write(tmp_path, "character_currency", rows))
    assert f"\n  {column} must be a number: 1 row (line 3: {value})\n" in message


@pytest.mark.parametrize("form", slow_but("csv", of=FORMATS))
@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table in raw_tables() for column in ROW[table]()]
)
def test_null_is_a_fault_unless_the_column_is_nullable(
    table: str, column: str, form: str, tmp_path: Path
) -> None:
    frame = pl.DataFrame(GOOD[table])
    second = pl.int_range(pl.len()) == 1
    frame = frame.with_columns(pl.when(~second).then(column).alias(column))
    source = write(tmp_path, table, frame, form)
    if column in NULLABLE:
        assert check(source).rows[column].null_count() == 1
    else:
        where = "line 3" if form == "csv" else "row 2"
        assert f"  {column} must not be empty: 1 row ({where})\n" in refusal(source)


@pytest.mark.parametrize("table", raw_tables())
def test_a_duplicate_key_is_refused(table: str, tmp_path: Path) -> None:
    good = GOOD[table][1]
    column, value = list(good.items())[-1]
    other = value + timedelta(31) if isinstance(value, date) else value + 1
    rows = [*GOOD[table], {**good, column: other}]
    message = refusal(write(tmp_path, table, rows))
    key = raw_tables()[table].key
    values = ", ".join(f"{column} {rows[1][column]}" for column in key)
    values = values if len(key) > 1 else str(rows[1][key[0]])
    twice = f"line 3: {values}; line {len(rows) + 1}: {values}"
    assert f"  {', '.join(key)} must be unique: 2 rows ({twice})\n" in message


def test_unreadable_keys_are_not_reported_as_duplicates(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [character(1), character(2), character(3)]
    rows[0]["char_id"], rows[1]["char_id"] = "x", "y"
    message = refusal(write(tmp_path, "character_data", rows))
    assert "char_id must be a whole number: 2 rows (line 2: x; line 3: y)" in message
    assert "unique" not in message
    assert "empty" not in message


def test_a_currency_row_must_be_dated_on_the_first_of_a_month(tmp_path: Path) -> None:
    rows = [currency(1, 1), currency(1, 2, date=date(2021, 2, 2))]
    message = refusal(write(tmp_path, "character_currency", rows))
    assert "  date must be the first day of a month: 1 row (line 3: 2021-02-02)\n" in message


def test_a_run_must_not_end_before_it_starts(tmp_path: Path) -> None:
    rows = [miss(101, 3), miss(101, 8, end_date=date(2024, 7, 1))]
    message = refusal(write(tmp_path, "sub_miss", rows))
    rule = "A run of missed months must not end before it starts"
    assert f"  {rule}: 1 row (line 3: end_date 2024-07-01, start_date 2024-08-01)\n" in message


def test_a_run_of_one_month_is_valid(tmp_path: Path) -> None:
    rows = [miss(101, 3, end_date=date(2024, 3, 1))]
    assert len(check(write(tmp_path, "sub_miss", rows)).rows) == 1


def test_a_category_off_the_closed_list_is_refused(tmp_path: Path) -> None:
    rows = [character(1), character(2, race="orc", **{"class": "bard"}), character(3, race="orc")]
    source = write(tmp_path, "character_data", rows)
    closed = {"race": ("elf", "human"), "class": ("mage",), "sub_type": ("premium",)}
    message = refusal(source, categories=closed)
    assert "hawk: character_data.csv: 2 of 3 rows break a rule:\n" in message
    assert (
        "  race must be one of raw.categories: elf, human: 2 rows (line 3: orc; line 4: orc)"
        in message
    )
    assert "  class must be one of raw.categories: mage: 1 row (line 3: bard)\n" in message
    assert len(check(source).rows) == 3


@pytest.mark.parametrize("form", FORMATS)
def test_references_must_be_known(form: str, tmp_path: Path) -> None:
    where = "line 4" if form == "csv" else "row 3"
    subs = write(tmp_path, "sub_data", GOOD["sub_data"], form)
    message = refusal(subs, parent=[character(1)])
    assert f"  char_id must be in character_data: 1 row ({where}: 2)\n" in message
    misses = write(tmp_path, "sub_miss", GOOD["sub_miss"], form)
    message = refusal(misses, parent=[sub(101)])
    assert f"  sub_id must be in sub_data: 1 row ({where}: 201)\n" in message
    assert len(check(misses).rows) == 3


def test_a_duplicate_parent_does_not_multiply_rows(tmp_path: Path) -> None:
    source = write(tmp_path, "sub_data", GOOD["sub_data"])
    parent = [character(1), character(1), character(2)]
    assert len(check(source, parent=parent).rows) == 3


def test_a_currency_table_refers_to_nothing(tmp_path: Path) -> None:
    source = write(tmp_path, "character_currency", GOOD["character_currency"])
    assert len(check(source, parent=[character(9)]).rows) == 6


def test_only_the_first_faulty_rows_are_shown(tmp_path: Path) -> None:
    rows = [character(n, total_kills="x" if n > 2 else 1) for n in range(1, 1503)]
    message = refusal(write(tmp_path, "character_data", rows))
    assert "hawk: character_data.csv: 1,500 of 1,502 rows break a rule:\n" in message
    shown = "line 4: x; line 5: x; line 6: x; ..."
    assert f"  total_kills must be a whole number: 1,500 rows ({shown})\n" in message


def test_every_broken_rule_of_a_row_is_named(tmp_path: Path) -> None:
    row = character(gender=None, creation_date="01/02/2017", total_kills=12.5, total_deaths=None)
    message = refusal(write(tmp_path, "character_data", [row]))
    assert message.splitlines()[1:-1] == [
        "  creation_date must be a date such as 2024-12-31: 1 row (line 2: 01/02/2017)",
        "  total_kills must be a whole number: 1 row (line 2: 12.5)",
        "  gender must not be empty: 1 row (line 2)",
        "  total_deaths must not be empty: 1 row (line 2)",
    ]
