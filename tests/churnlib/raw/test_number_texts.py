"""Text in columns of numbers: refused with its likely cause, or read right."""

from pathlib import Path

import polars as pl
import pytest

from churnlib.raw.number_texts import advice
from tests.base import raw_tables
from tests.churnlib.raw.samples import FORMATS, ROW, check, lines, refusal, write, write_text
from tests.variants import slow_but

THOUSANDS = "seems to have marks between thousands: write {}."
MEANINGS = {
    "1,234": (
        "seems to have marks between thousands, or a comma for the decimal point: "
        "write 1234 or 1.234."
    ),
    "1,234.5": THOUSANDS.format("1234.5"),
    "-12,345,678": THOUSANDS.format("-12345678"),
    "1.234,5": THOUSANDS.format("1234.5"),
    "1.234.567": THOUSANDS.format("1234567"),
    "1 234": THOUSANDS.format("1234"),
    "1\u00a0234,50": THOUSANDS.format("1234.50"),
    "12\u202f345\u202f678": THOUSANDS.format("12345678"),
    "1'234.5": THOUSANDS.format("1234.5"),
    "1_000": THOUSANDS.format("1000"),
    "22,48": "seems to have a comma for the decimal point: write 22.48.",
    "12 EUR": "seems to have a unit: write plain numbers, all in the same unit.",
    "€9.99": "seems to have a unit: write plain numbers, all in the same unit.",
    "5%": "seems to have a unit: write plain numbers, all in the same unit.",
    "1.2k": "seems to have a unit: write plain numbers, all in the same unit.",
}
NUMBERS = [
    (spec.name, column, dtype.is_integer())
    for spec in raw_tables().values()
    for column, dtype in spec.types.items()
    if dtype.is_numeric()
]


@pytest.mark.parametrize("text", slow_but(*list(MEANINGS)[:4], of=MEANINGS))
def test_text_is_explained_and_no_number_to_any_column(text: str, tmp_path: Path) -> None:
    assert advice(text, "price") == f"'{text}' in price {MEANINGS[text]}"
    for column, kind in (("price", "number"), ("sub_months", "whole number")):
        message = refusal(write(tmp_path, "sub_data", [ROW["sub_data"](**{column: text})]))
        assert f"{column} must be a {kind}: 1 row" in message


@pytest.mark.parametrize("form", slow_but("csv", of=FORMATS))
@pytest.mark.parametrize(("table", "column", "is_whole"), NUMBERS)
def test_text_that_is_no_number_is_refused_with_what_it_seems_to_mean(
    table: str, column: str, is_whole: bool, form: str, tmp_path: Path
) -> None:
    for text in ("1.234,5", "12 EUR"):
        row = {name: str(value) for name, value in ROW[table]().items()} | {column: text}
        message = refusal(write(tmp_path, table, pl.DataFrame([row]), form))
        assert f"{column} must be a {'whole ' if is_whole else ''}number: 1 row" in message, text
        assert message.endswith(f" '{text}' in {column} {MEANINGS[text]}")


@pytest.mark.parametrize("form", slow_but("csv", of=FORMATS))
@pytest.mark.parametrize(("table", "column"), [(t, c) for t, c, is_whole in NUMBERS if is_whole])
def test_a_whole_number_that_may_be_thousands_is_refused(
    table: str, column: str, form: str, tmp_path: Path
) -> None:
    row = {name: str(value) for name, value in ROW[table]().items()} | {column: "12.000"}
    message = refusal(write(tmp_path, table, pl.DataFrame([row]), form))
    assert (
        f"'12.000' in {column} seems to have marks between thousands: write 12000, or 12 if it"
        in message
    )
    row[column] = "12.0"
    assert check(write(tmp_path, table, pl.DataFrame([row]), form)).rows[column].to_list() == [12]


def test_each_column_is_explained_once(tmp_path: Path) -> None:
    rows = [ROW["sub_data"](n, price="22,48", num_hard_currency="1 234") for n in range(3)]
    message = refusal(write(tmp_path, "sub_data", rows))
    assert message.count("seems to have") == 2


def test_numbers_with_commas_and_without_quotes_are_explained(tmp_path: Path) -> None:
    good, bad = "1,2021-01-01,0,0,1,2", "1,2021-02-01,0,0,1,234,2"
    message = refusal(
        write_text(tmp_path, "character_currency", lines("character_currency", good, bad))
    )
    assert "header: 1 row (line 3: 7)" in message
    assert message.endswith(
        "put text with commas in quotes, and write numbers as 1234.5, not as 1,234.5 or 1234,5."
    )
    message = refusal(
        write_text(tmp_path, "character_currency", lines("character_currency", "1,2"))
    )
    assert "commas" not in message


@pytest.mark.parametrize(
    "text", ["a", "inf", "1e999", "0x10", "true", "2024-01-01", "1.5", "x" * 99]
)
def test_other_text_is_not_explained(text: str) -> None:
    assert advice(text, "price") == ""
