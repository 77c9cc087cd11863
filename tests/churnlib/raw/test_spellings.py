"""Categories that are written in several ways."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.io.footer import optional_fact
from churnlib.raw import spellings
from churnlib.raw.quality_warnings import SPELLINGS
from churnlib.raw.spellings import SpellingCounts, Spellings, spelling_warnings
from tests.base import raw_tables
from tests.churnlib.raw.samples import FORMATS, READERS, ROW, prepare, write
from tests.variants import slow_but

DAY = date(2024, 1, 18)
CATEGORIES = [
    (spec.name, column) for spec in raw_tables().values() for column in spec.of_kind("category")
]


def found_in(*values: tuple[str | None, date], column: str = "race") -> Spellings:
    spec = next(spec for spec in raw_tables().values() if column in spec.of_kind("category"))
    counts = SpellingCounts(spec)
    for value, day in values:
        others: dict[str, Any] = dict.fromkeys(spec.of_kind("category"), "same")
        rows = pl.DataFrame({**others, column: [value]}, schema_overrides={column: pl.String})
        counts.add(rows, pl.Series([day]))
    return counts.found()


def warning(*values: tuple[str | None, date], as_of: date = DAY) -> dict[str, int]:
    return spelling_warnings(found_in(*values), as_of)


def texts(*values: str | None) -> list[tuple[str | None, date]]:
    return [(value, DAY) for value in values]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("form", slow_but("csv", of=FORMATS))
@pytest.mark.parametrize(("table", "column"), CATEGORIES)
def test_ways_of_writing_a_category_are_counted_in_every_table(
    table: str, column: str, form: str, reader: Any, tmp_path: Path
) -> None:
    ways = ["Orc", "orc", "Orc", "ORC", "elf", "Orc"]
    rows = pl.DataFrame([ROW[table](n) for n in range(len(ways))])
    spec = raw_tables()[table]
    source = write(tmp_path, table, rows.with_columns(pl.Series(column, ways)), form)
    day = ROW[table]()[spec.dated].isoformat()
    assert optional_fact(prepare(source, spec, reader), SPELLINGS) == {
        column: [{"Orc": [[day, 3]], "ORC": [[day, 1]], "orc": [[day, 1]]}]
    }
    source = write(tmp_path, table, rows, form)
    assert optional_fact(prepare(source, spec, reader), SPELLINGS) is None


def test_both_spellings_are_named_with_their_rows_and_what_to_do() -> None:
    found = warning(*texts("Orc", "orc", "Orc", None, "elf", "ELF", "elf", "ELF", "elf"))
    assert found == {
        "race is written in several ways, which count as different values (write them alike; "
        'raw.categories can refuse others): "elf" (3 rows), "ELF" (2 rows); "Orc" (2 rows), '
        '"orc" (1 row)': 3
    }


@pytest.mark.parametrize(
    ("one", "other", "is_alike"),
    [
        ("dark elf", "dark  elf", True),
        ("dark elf", "Dark\u00a0Elf", True),
        ("\u00e9lite", "e\u0301lite", True),
        ("STRASSE", "stra\u00dfe", True),
        ("elf", "elfe", False),
        ("dark elf", "darkelf", False),
        ("\u00e9lite", "elite", False),
        ("1", "01", False),
    ],
)
def test_values_that_read_alike_are_found(one: str, other: str, is_alike: bool) -> None:
    assert bool(warning(*texts(one, other))) == is_alike


def test_rows_of_later_days_do_not_count() -> None:
    values = [("Orc", DAY), ("orc", date(2024, 2, 1)), ("orc", date(2024, 3, 1))]
    assert warning(*values) == {}
    assert [*warning(*values, as_of=date(2024, 2, 1)).values()] == [1]
    (text,) = warning(*values, as_of=date(2024, 3, 1))
    assert text.endswith('"orc" (2 rows), "Orc" (1 row)')


def test_free_text_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spellings, "MOST_VALUES", 3)
    monkeypatch.setattr(spellings, "PENDING", 2)
    assert warning(*texts("a", "A", "b"))
    assert warning(*texts("a", "A", "b", "c")) == {}


def test_only_the_values_with_the_most_other_spellings_are_kept() -> None:
    many = [text for n in range(9) for text in (*[f"x{n}"] * 10, *[f"X{n}"] * (n + 1))]
    (groups,) = found_in(*texts(*many)).values()
    assert [[*group] for group in groups] == [[f"x{n}", f"X{n}"] for n in (8, 7, 6, 5, 4)]
