"""Cells: what is trimmed, what means null, and which days there are, by both readers."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset, read
from churnlib.raw.cells import BLANKS
from churnlib.raw.read_clean import UncleanError
from churnlib.schemas.spec import DATES
from churnlib.settings import RawSettings
from churnlib.settings.data import NULL_VALUES
from tests.base import raw_tables
from tests.churnlib.raw.samples import (
    FORMATS,
    READERS,
    ROW,
    character,
    check,
    currency,
    lines,
    miss,
    prepare,
    refusal,
    sub,
    write,
    write_text,
)

COLUMNS = [(spec.name, column) for spec in raw_tables().values() for column in spec.columns]


def values(source: Dataset, column: str, **raw: Any) -> list[Any]:
    """The values of a checked column, the same by each reader that takes the table."""
    settings = RawSettings(**raw)
    spec = raw_tables(settings)[source.name]
    found = []
    for reader in READERS:
        try:
            found.append(read(prepare(source, spec, reader, settings=settings))[column].to_list())
        except UncleanError:
            continue
    assert all(other == found[0] for other in found)
    return found[-1]


def with_text(column: str, *cells: str) -> pl.DataFrame:
    """Characters with a text in a column."""
    rows = pl.DataFrame([character(n) for n, _ in enumerate(cells)])
    return rows.with_columns(pl.Series(column, cells))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("blank", ["\t", " ", "  ", "\u00a0", "\u202f", "\u3000", "\ufeff"])
def test_text_is_trimmed(blank: str, form: str, tmp_path: Path) -> None:
    cells = [f"{blank}dark elf", f"dark elf{blank}", f"{blank}dark elf{blank}", "dark elf"]
    source = write(tmp_path, "character_data", with_text("race", *cells), form)
    assert values(source, "race") == ["dark elf"] * 4


@pytest.mark.parametrize("form", FORMATS)
def test_text_ids_are_trimmed_in_every_table(form: str, tmp_path: Path) -> None:
    rows = pl.DataFrame([sub(), sub(), sub()]).with_columns(
        sub_id=pl.Series([" a", "b\u00a0", "c"]), char_id=pl.Series(["k ", "k", " k"])
    )
    source = write(tmp_path, "sub_data", rows, form)
    checked = check(source, parent=[{"char_id": "k"}], id_type="text").rows
    assert checked.select("sub_id", "char_id").rows() == [("a", "k"), ("b", "k"), ("c", "k")]


def test_numbers_and_days_of_csv_files_are_trimmed(tmp_path: Path) -> None:
    rows = [
        character(" 1", total_kills="12 ", creation_date=" 2021-01-05\u00a0"),  # type: ignore[arg-type]
        character(2, total_kills="\t7"),
    ]
    source = write(tmp_path, "character_data", rows)
    assert values(source, "char_id") == [1, 2]
    assert values(source, "total_kills") == [12, 7]
    assert values(source, "creation_date") == [date(2021, 1, 5)] * 2


def test_blanks_inside_text_stay_and_line_breaks_are_no_blanks() -> None:
    assert not {*"\n\r"} & {*BLANKS}
    assert {" ", "\t", "\u00a0"} < {*BLANKS}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_null_words_are_null_in_every_column(
    table: str, column: str, form: str, tmp_path: Path
) -> None:
    words = [*NULL_VALUES, " NULL ", "\u00a0"]
    rows = [
        {name: str(value) for name, value in ROW[table](n).items()} | {column: word}
        for n, word in enumerate(words, 1)
    ]
    source = write(tmp_path, table, pl.DataFrame(rows), form)
    if raw_tables()[table].columns[column].nullable:
        assert values(source, column) == [None] * len(words)
    else:
        where = "line 2; line 3; line 4" if form == "csv" else "row 1; row 2; row 3"
        assert f"  {column} must not be empty: {len(words)} rows ({where}" in refusal(source)


def test_null_words_of_the_settings_replace_the_usual_ones(tmp_path: Path) -> None:
    cells = ["n/a", "NULL", "-"]
    source = write(tmp_path, "character_data", with_text("race", *cells))
    with pytest.raises(DataError, match="race must not be empty: 2 rows"):
        check(source, null_values=("n/a", "-"))
    source = write(tmp_path, "character_data", with_text("race", "NULL", "nan"))
    assert values(source, "race", null_values=("-",)) == ["NULL", "nan"]


@pytest.mark.parametrize("form", FORMATS)
def test_null_words_that_look_like_numbers_are_null(form: str, tmp_path: Path) -> None:
    rows = [currency(1, n, hard_balance=v) for n, v in ((1, -999.0), (2, 5.0))]
    source = write(tmp_path, "character_currency", rows, form)
    assert values(source, "hard_balance", null_values=("-999.0",)) == [None, 5.0]
    assert values(source, "hard_balance") == [-999.0, 5.0]


def test_nan_of_parquet_files_is_null_unless_the_settings_differ(tmp_path: Path) -> None:
    rows = [currency(1, 1, hard_balance=float("nan")), currency(1, 2)]
    source = write(tmp_path, "character_currency", rows, "parquet")
    assert values(source, "hard_balance") == [None, 257.0]
    assert "hard_balance must be a number: 1 row (row 1: nan)" in refusal(source, null_values=())


@pytest.mark.parametrize("form", FORMATS)
def test_days_that_mean_no_date_are_null(form: str, tmp_path: Path) -> None:
    days = [date(1900, 1, 1), date(9999, 12, 31), date(2022, 3, 1), None]
    rows = [character(n, class_mastery_date=day) for n, day in enumerate(days)]
    source = write(tmp_path, "character_data", rows, form)
    no_date = {"no_date": ("1900-01-01", "9999-12-31", "0000-00-00")}
    assert values(source, "class_mastery_date", **no_date) == [None, None, days[2], None]
    assert "class_mastery_date must be at most 2200-12-31" in refusal(source)
    with pytest.raises(DataError, match="creation_date must not be empty: 4 rows"):
        check(source, no_date=("2021-01-05",))


def test_days_that_mean_no_date_may_be_written_as_times_or_not_exist(tmp_path: Path) -> None:
    cells = ["1900-01-01 00:00:00", "0000-00-00", "2022-03-01"]
    source = write(tmp_path, "character_data", with_text("class_mastery_date", *cells))
    found = values(source, "class_mastery_date", no_date=("1900-01-01", "0000-00-00"))
    assert found == [None, None, date(2022, 3, 1)]
    rows = [character(1, class_mastery_date=datetime(1900, 1, 1)), character(2)]
    rows[1]["class_mastery_date"] = datetime(2022, 3, 1)
    source = write(tmp_path, "character_data", rows, "parquet")
    found = values(source, "class_mastery_date", no_date=("1900-01-01",))
    assert found == [None, date(2022, 3, 1)]


MIDNIGHTS = (
    "2022-03-01 00:00:00",
    "2022-03-01T00:00:00",
    "2022-03-01 00:00",
    "2022-03-01 00:00:00.000000",
    "2022-03-01T00:00:00Z",
    "2022-03-01 00:00:00+00:00",
)


@pytest.mark.parametrize("form", FORMATS)
def test_midnights_are_days(form: str, tmp_path: Path) -> None:
    source = write(tmp_path, "character_data", with_text("class_mastery_date", *MIDNIGHTS), form)
    assert values(source, "class_mastery_date") == [date(2022, 3, 1)] * len(MIDNIGHTS)


@pytest.mark.parametrize("table", ["character_currency", "sub_data", "sub_miss"])
def test_midnights_are_days_in_every_table(table: str, tmp_path: Path) -> None:
    days = [n for n, dtype in raw_tables()[table].types.items() if dtype == pl.Date]
    good = ROW[table]()
    source = write(tmp_path, table, [good | {day: f"{good[day]} 00:00:00" for day in days}])
    for day in days:
        assert values(source, day) == [good[day]]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("day", [date(1899, 12, 31), date(2201, 1, 1), date(1, 1, 1)])
def test_days_outside_the_range_are_faults(day: date, form: str, tmp_path: Path) -> None:
    where = "line 3" if form == "csv" else "row 2"
    for column in ("creation_date", "class_mastery_date"):
        rows = [character(1), character(2, **{column: day})]
        source = write(tmp_path, "character_data", rows, form)
        bound = f"at least {DATES[0]}" if day < DATES[0] else f"at most {DATES[1]}"
        assert f"  {column} must be {bound}: 1 row ({where}: {day})\n" in refusal(source)
    rows = [character(1, creation_date=DATES[0]), character(2, creation_date=DATES[1])]
    source = write(tmp_path, "character_data", rows, form)
    assert values(source, "creation_date") == [*DATES]


@pytest.mark.parametrize(
    ("year", "text"), [("0000-01-01", "0000-01-01"), ("-2024-01-01", "-2024-01-01")]
)
def test_year_zero_and_negative_years_are_faults_with_their_place(
    year: str, text: str, tmp_path: Path
) -> None:
    source = write_text(tmp_path, "sub_miss", lines("sub_miss", "1,2024-01-01,", f"1,{year},"))
    message = refusal(source)
    assert "1 of 2 rows break a rule" in message
    assert f"(line 3: {text})" in message
    days = pl.Series("start_date", [19_723, -719_528 if year[0] == "0" else -1_458_000])
    frame = pl.DataFrame([miss(1, 1), miss(1, 3)]).with_columns(days.cast(pl.Int32).cast(pl.Date))
    message = refusal(write(tmp_path, "sub_miss", frame, "parquet"))
    assert "start_date must be at least 1900-01-01: 1 row (row 2: " in message


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r"])
def test_a_line_break_in_a_category_or_id_is_a_fault(
    break_: str, form: str, tmp_path: Path
) -> None:
    where = "line 2" if form == "csv" else "row 1"
    source = write(tmp_path, "character_data", with_text("race", f"dark{break_}elf", "elf"), form)
    shown = f"dark{break_}elf".replace("\r", "\\r").replace("\n", "\\n")
    expected = f"  race must not contain a line break: 1 row ({where}: {shown})\n"
    assert expected in refusal(source)
    rows = pl.DataFrame([character(1), character(2)]).with_columns(
        char_id=pl.Series([f"a{break_}b", "c"])
    )
    source = write(tmp_path, "character_data", rows, form)
    assert "  char_id must not contain a line break: 1 row" in refusal(source, id_type="text")
