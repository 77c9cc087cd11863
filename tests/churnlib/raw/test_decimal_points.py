"""Columns of numbers whose points may stand between thousands."""

from collections import Counter
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from churnlib.io.footer import fact
from churnlib.raw.decimal_points import ENOUGH, FEWEST, TEXT, DecimalPoints
from churnlib.raw.quality_warnings import ROWS_BY_DAY
from tests.base import raw_tables
from tests.churnlib.raw.declared import reading
from tests.churnlib.raw.samples import Reader, currency, prepare, write

FLOATS = [
    (spec.name, column)
    for spec in raw_tables().values()
    for column, dtype in spec.types.items()
    if dtype.is_float()
]


def with_points(numbers: list[int]) -> list[str]:
    """Numbers with a point between thousands, as text."""
    return [f"{number:,}".replace(",", ".") for number in numbers]


@pytest.mark.parametrize(
    ("form", "reader"), [("csv", "clean"), ("csv", "careful"), ("parquet", "careful")]
)
def test_points_between_thousands_are_warned_of_with_the_rows_that_have_one(
    form: str, reader: Reader, tmp_path: Path
) -> None:
    numbers = [137 * n for n in range(1, 61)]
    rows = pl.DataFrame([currency(n) for n in numbers]).with_columns(
        hard_balance=pl.Series(with_points(numbers))
    )
    spec = raw_tables()["character_currency"]
    prepared = prepare(write(tmp_path, spec.name, rows, form), spec, reader)
    grouped = sum(number >= 1000 and number % 1000 != 0 for number in numbers)
    assert fact(prepared, ROWS_BY_DAY) == {
        "rows": [["2021-01-01", 60]],
        text_of("hard_balance"): [["2021-01-01", grouped]],
    }


@pytest.mark.parametrize(("table", "column"), FLOATS)
def test_points_of_every_number_are_judged(table: str, column: str) -> None:
    found = found_in(table, column, [5.0, 700.0, *(1.111 + n for n in range(FEWEST))])
    assert found == {text_of(column): Counter({date(2024, 1, 1): FEWEST})}


def text_of(column: str) -> str:
    return TEXT.format(name=column, mark=".", marks="points")


def test_commas_between_thousands_are_warned_of_where_they_are_decimal_marks() -> None:
    points = DecimalPoints(reading(decimal=","))
    rows = pl.DataFrame({"minutes": SUSPECT})
    points.add(rows, pl.Series([date(2024, 1, 1)] * FEWEST))
    (text,) = points.found()
    assert text == (
        "minutes has fractions of three digits and no number from 1,000 on: commas between "
        "thousands, as in 1,234 for 1234, are read as decimal commas"
    )


SUSPECT = [1.234] * FEWEST


@pytest.mark.parametrize(
    "parts",
    [
        [SUSPECT[1:]],  # Too few.
        [[*SUSPECT, 1234.0]],
        [SUSPECT, [-1000.0]],
        [[0.5], SUSPECT],
        [[*SUSPECT, 1.2345]],
        [[22.48] * FEWEST, [1.234]],
        [[1.1] * ENOUGH, [1.234] * 3 * ENOUGH],  # Decided by the first.
        [[float(n) for n in range(999)]],
    ],
)
def test_other_numbers_are_not_warned_of(parts: list[list[float]]) -> None:
    assert found_in("sub_data", "price", *parts) == {}


def found_in(table: str, column: str, *parts: list[float]) -> dict[str, Counter[date]]:
    spec = raw_tables()[table]
    points = DecimalPoints(spec)
    others = {name: None for name in spec.columns if name != column}
    for numbers in parts:
        rows = pl.DataFrame({**others, column: pl.Series(numbers, dtype=pl.Float64)}).cast(
            {name: spec.types[name] for name in spec.columns}
        )
        points.add(rows, pl.Series([date(2024, 1, 1)] * len(numbers)))
    return points.found()
