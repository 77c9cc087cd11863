"""The fast reader of clean tables: the same rows as the careful one, or none."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset, read
from churnlib.raw.read_clean import UncleanError
from churnlib.settings import RawSettings
from tests.base import raw_tables
from tests.churnlib.raw.samples import (
    AMPLE,
    FORMATS,
    GOOD,
    ROW,
    Reader,
    Rows,
    lines,
    prepare,
    write,
    write_text,
)
from tests.variants import examples, slow_but

CELLS = st.sampled_from(
    [
        *(
            "",
            " ",
            "\t",
            "\t1",
            "x",
            "1",
            "01",
            "-1",
            "+1",
            " 1",
            "1 ",
            "1.0",
            "12.5",
            "1e3",
            "1e+3",
            "1E400",
        ),
        *("NaN", "nan", "inf", "-Infinity", "9223372036854775808", "0x1", "1_000", "1,5", '"1"'),
        *("2024-02-29", "2023-02-29", "2024-1-05", "2024-1-5", "2024-01- 5", " 2024-01-5"),
        *(
            "+024-01-01",
            "-024-01-01",
            "-2024-1-05",
            "2024/01/01",
            "01/02/2024",
            "2024-01-01T00:00:00",
            "20240101",
            "-1",
        ),
        *(
            "2024-02-29 00:00:00",
            "2024-02-29T00:00",
            "2024-02-29 00:00:01",
            "0000-01-01",
            "1899-12-31",
        ),
        *("NULL", " NULL", "nan ", "\u00a0x", "x\u00a0", "\u200b1", "1\u3000", "-999", "-999.0"),
        *('x"', '"x', '"', '""', '"a""b"', "a\rb", "\r"),
        *("ä", "null", "None", "true", "\\N", "a b", "2024-05-01", "a\tb", "'", "\ufeff"),
    ]
)
CELL_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "id_type": st.just("text"),
        "null_values": st.sampled_from(
            [(), ("-999", "x", "1", "2024-05-01"), (" -999.0", " a b ")]
        ),
        "no_date": st.sampled_from([("2024-02-29", "0000-01-01"), ("1899-12-31",)]),
    },
)
PARENT_ROWS: Mapping[str, Rows | None] = {
    name: GOOD[spec.required_parent.table] if spec.required_parent else None
    for name, spec in raw_tables().items()
}


def rows_of(
    source: Dataset, reader: Reader, memory: int = AMPLE, **raw: Any
) -> pl.DataFrame | None:
    """The checked rows, by one of the readers; None if it refuses the table."""
    settings, parent = RawSettings(**raw), PARENT_ROWS[source.name]
    spec = raw_tables(settings)[source.name]
    try:
        return read(prepare(source, spec, reader, parent=parent, settings=settings, memory=memory))
    except (UncleanError, DataError):
        return None


def assert_clean_equals_careful(source: Dataset, **raw: Any) -> None:
    clean = rows_of(source, "clean", **raw)
    if clean is not None:
        careful = rows_of(source, "careful", **raw)
        assert careful is not None
        assert clean.equals(careful)
        assert clean.schema == careful.schema


@examples(100)
@given(st.sampled_from(list(raw_tables())), st.integers(0, 8), CELLS, CELL_SETTINGS)
@example("character_currency", 1, "2024-1-05", {})
@example("character_data", 6, "2024-01- 5", {})
@example("character_data", 6, "-024-01-01", {})
def test_clean_reading_of_any_cell_equals_the_careful_one(
    table: str, place: int, cell: str, raw: dict[str, Any]
) -> None:
    rows = [[str(v) for v in row.values()] for row in GOOD[table]]
    rows[0][place % len(rows[0])] = cell
    with TemporaryDirectory() as folder:
        text = lines(table, *(",".join(row) for row in rows))
        source = write_text(Path(folder), table, text)
        assert_clean_equals_careful(source, **raw)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text + "\n\n",
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n").rpartition(",")[0] + "\n",
        lambda text: text.rstrip("\n") + ",1\n",
        lambda text: text.rstrip("\n") + ",1\n" + text.splitlines()[-1].rpartition(",")[0] + "\n",
        lambda text: "\ufeff" + text,
        lambda text: text.splitlines()[0] + "\n",
        lambda text: text.splitlines()[0] + ",other\n",
        lambda text: "".join(line + ",x\n" for line in text.splitlines()),
        lambda text: text + text.splitlines()[-1] + "\n",
    ],
)
@pytest.mark.parametrize("table", slow_but("character_data", of=raw_tables()))
def test_clean_reading_of_unusual_lines_equals_the_careful_one(
    table: str, spoil: Any, tmp_path: Path
) -> None:
    text = lines(table, *(",".join(map(str, row.values())) for row in GOOD[table]))
    assert_clean_equals_careful(write_text(tmp_path, table, spoil(text)))


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("character_currency", "hard_balance", float("inf")),
        ("character_currency", "date", None),
        ("character_data", "gender", ""),
        ("character_data", "gender", None),
        ("sub_data", "char_id", 99),
        ("sub_data", "sub_id", 102),
        ("sub_miss", "sub_id", 99),
        ("sub_miss", "end_date", ROW["sub_miss"]()["start_date"].replace(year=2000)),
    ],
)
@pytest.mark.parametrize("form", FORMATS)
def test_rows_that_break_a_rule_are_not_clean(
    table: str, column: str, value: Any, form: str, tmp_path: Path
) -> None:
    rows = [dict(row) for row in GOOD[table]]
    rows[0][column] = value
    assert rows_of(write(tmp_path, table, rows, form), "clean") is None


@pytest.mark.parametrize(("hour", "is_clean"), [(0, True), (12, False)])
def test_only_midnights_of_parquet_are_days_to_the_fast_reader(
    hour: int, is_clean: bool, tmp_path: Path
) -> None:
    start = pl.col("start_date").cast(pl.Datetime).dt.offset_by(f"{hour}h")
    rows = pl.DataFrame(GOOD["sub_miss"]).with_columns(start)
    source = write(tmp_path, "sub_miss", rows, "parquet")
    assert (rows_of(source, "clean") is not None) == is_clean
    assert_clean_equals_careful(source)


@pytest.mark.parametrize("midnight", [" 00:00:00", "T00:00:00", "T00:00:00Z"])
@pytest.mark.parametrize("table", slow_but("sub_miss", of=raw_tables()))
def test_midnights_of_csv_files_are_days_to_the_fast_reader(
    table: str, midnight: str, tmp_path: Path
) -> None:
    dates = pl.col([n for n, dtype in raw_tables()[table].types.items() if dtype == pl.Date])
    days = pl.DataFrame(GOOD[table])
    source = write(tmp_path, table, days.with_columns(dates.cast(pl.String) + midnight))
    read_fast = rows_of(source, "clean")
    plain = rows_of(write(tmp_path, table, days), "clean")
    assert read_fast is not None
    assert plain is not None
    assert read_fast.equals(plain)
    noon = days.with_columns(dates.cast(pl.String) + midnight.replace("T00", "T12"))
    if "T" in midnight:
        assert rows_of(write(tmp_path, table, noon), "clean") is None


def test_values_off_a_closed_list_are_not_clean(tmp_path: Path) -> None:
    source = write(tmp_path, "character_data", GOOD["character_data"])
    assert rows_of(source, "clean", categories={"race": ("elf",)}) is not None
    assert rows_of(source, "clean", categories={"race": ("orc",)}) is None


def test_messages_do_not_depend_on_memory(tmp_path: Path) -> None:
    rows = [ROW["sub_data"](100 + n % 7, n % 5, price=None if n % 3 else 1.0) for n in range(40)]
    source, spec = write(tmp_path, "sub_data", rows), raw_tables()["sub_data"]
    messages = set()
    for memory in (0, 2_000, AMPLE):
        with pytest.raises(DataError) as caught:
            prepare(source, spec, "careful", parent=GOOD["character_data"], memory=memory)
        messages.add(str(caught.value))
    assert len(messages) == 1
    assert "40 of 40 rows" in messages.pop()
