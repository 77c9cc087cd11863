"""The same data in any format, type and order give the same checked table."""

import random
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.io.datasets import Dataset, write_parquet
from tests.base import raw_tables
from tests.churnlib.raw.samples import (
    FORMATS,
    GOOD,
    character,
    check,
    currency,
    miss,
    refusal,
    sub,
    write,
)
from tests.variants import slow_but

HUGE = [2**53 + 1, 2**63 - 1, -(2**53) - 1]


def varied(table: str) -> list[dict[str, Any]]:
    rows = {
        "character_data": [
            character(char_id, class_mastery_date=day, gender=gender)
            for char_id, day, gender in [
                (*pair, g)
                for pair, g in zip(
                    [(7, None), (HUGE[0], date(2023, 5, 6)), (HUGE[1], None)],
                    ['ä, "x"', "female", "other"],
                    strict=True,
                )
            ]
        ],
        "character_currency": [
            currency(c, m, hard_balance=v, sub_hard=None)
            for c, m, v in [(3, 1, 0.1), (HUGE[0], 2, None), (3, 3, -1e-7), (1, 1, 1e300)]
        ],
        "sub_data": [sub(n, price=p) for n, p in [(5, 0.1 + 0.2), (3, 9.0), (HUGE[1], -1.0)]],
        "sub_miss": [miss(9, 5), miss(9, 2), miss(HUGE[2], 1)],
    }
    return rows.get(table, list(GOOD[table]))  # fmt: skip


@pytest.mark.parametrize("table", slow_but("sub_data", of=raw_tables()))
def test_csv_and_parquet_give_the_same_table_whatever_the_order(table: str, tmp_path: Path) -> None:
    rows = varied(table)
    contents = set()
    for turn in range(4):
        random.Random(turn).shuffle(rows)
        for form in FORMATS:
            checked = check(write(tmp_path, table, rows, form)).rows
            target = Dataset(table, "hawk", str(tmp_path / "checked.parquet"))
            contents.add(write_parquet(checked.lazy(), target).fingerprint)
    assert len(contents) == 1
    key = list(rows[0])[:1]
    assert checked.sort(key)[key[0]].to_list() == sorted(row[key[0]] for row in rows)


def cast_of_good(tmp_path: Path, table: str, **types: Any) -> pl.DataFrame:
    casts = (pl.col(name).cast(dtype) for name, dtype in types.items())
    frame = pl.DataFrame(GOOD[table]).with_columns(casts)
    return check(write(tmp_path, table, frame, "parquet")).rows


@pytest.mark.parametrize(
    "dtype",
    [
        pl.Datetime("us"),
        pl.Datetime("ns"),
        pl.Datetime("ms", "Asia/Tokyo"),
        pl.Datetime("us", "America/New_York"),
        pl.String,
    ],
)
def test_days_come_in_many_types(dtype: Any, tmp_path: Path) -> None:
    frame = pl.DataFrame(GOOD["sub_miss"])
    days = pl.col("start_date", "end_date")
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        given = days.cast(pl.Datetime(dtype.time_unit)).dt.replace_time_zone(dtype.time_zone)
    else:
        given = days.cast(dtype)
    source = write(tmp_path, "sub_miss", frame.with_columns(given), "parquet")
    assert check(source).rows.to_dicts() == GOOD["sub_miss"]


def test_a_time_of_day_is_not_a_date(tmp_path: Path) -> None:
    days = [datetime(2024, 3, 1), datetime(2024, 8, 1, 0, 0, 1)]
    frame = pl.DataFrame([miss(101, 3), miss(101, 8)]).with_columns(pl.Series("start_date", days))
    message = refusal(write(tmp_path, "sub_miss", frame, "parquet"))
    assert (
        "  start_date must be a date such as 2024-12-31: 1 row (row 2: 2024-08-01 00:00:01)"
        in message
    )


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt64, pl.Float32, pl.Decimal(20, 2), pl.String])
def test_whole_numbers_come_in_many_types(dtype: Any, tmp_path: Path) -> None:
    checked = cast_of_good(tmp_path, "character_data", char_id=dtype, total_kills=dtype)
    assert checked.to_dicts() == GOOD["character_data"]


@pytest.mark.parametrize("dtype", [pl.Float32, pl.Decimal(20, 2), pl.String])
def test_numbers_come_in_many_types(dtype: Any, tmp_path: Path) -> None:
    checked = cast_of_good(tmp_path, "character_currency", hard_balance=dtype, sub_soft=dtype)
    assert checked.to_dicts() == GOOD["character_currency"]


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["elf", "mage"])])
def test_categories_come_in_many_types(dtype: Any, tmp_path: Path) -> None:
    checked = cast_of_good(tmp_path, "character_data", **{"race": dtype, "class": dtype})
    assert checked.to_dicts() == GOOD["character_data"]


def test_a_column_of_only_nulls_has_any_type(tmp_path: Path) -> None:
    rows = [character(n, class_mastery_date=None) for n in (1, 2)]
    frame = pl.DataFrame(rows)
    assert frame.schema["class_mastery_date"] == pl.Null
    checked = check(write(tmp_path, "character_data", frame, "parquet")).rows
    assert checked["class_mastery_date"].to_list() == [None, None]


@pytest.mark.parametrize(
    ("column", "values", "fault"),
    [
        ("char_id", [1.5, 2.0], "must be a whole number: 1 row (row 1: 1.5)"),
        ("char_id", [float("nan"), 2.0], "must not be empty: 1 row (row 1)"),
        ("char_id", [float("inf"), 2.0], "must be a whole number: 1 row (row 1: inf)"),
        (
            "char_id",
            [float(2**53), 2.0],
            "must be a whole number: 1 row (row 1: 9007199254740992.0)",
        ),
        (
            "char_id",
            [Decimal("1.50"), Decimal("2.00")],
            "must be a whole number: 1 row (row 1: 1.50)",
        ),
        ("char_id", [True, None], "must be a whole number: 1 row (row 1: True)"),
        ("hard_balance", [float("-inf"), 2.0], "must be a number: 1 row (row 1: -inf)"),
        ("hard_balance", [date(2024, 1, 1), None], "must be a number: 1 row (row 1: 2024-01-01)"),
        (
            "date",
            [20210101, 20210201],
            "must be a date such as 2024-12-31: 2 rows (row 1: 20210101; ",
        ),
    ],
)
def test_a_parquet_column_of_another_meaning_is_refused(
    column: str, values: list[Any], fault: str, tmp_path: Path
) -> None:
    frame = pl.DataFrame([currency(1, 1), currency(2, 1)])
    frame = frame.with_columns(pl.Series(column, values))
    message = refusal(write(tmp_path, "character_currency", frame, "parquet"))
    assert f"\n  {column} {fault}" in message


def test_a_list_is_not_text(tmp_path: Path) -> None:
    frame = pl.DataFrame(GOOD["character_data"]).with_columns(race=pl.lit(["elf"]))
    message = refusal(write(tmp_path, "character_data", frame, "parquet"))
    assert "  race must be text: 3 rows (row 1: ['elf']; " in message


def test_ids_beyond_the_exact_floats_stay_distinct(tmp_path: Path) -> None:
    near = [2**53, 2**53 + 1, 2**53 + 2]
    frame = pl.DataFrame([character(n) for n in near])
    for dtype in (pl.Int64, pl.Decimal(38, 0), pl.String):
        source = write(tmp_path, "character_data", frame.cast({"char_id": dtype}), "parquet")
        assert check(source).rows["char_id"].to_list() == near
    assert check(write(tmp_path, "character_data", frame)).rows["char_id"].to_list() == near


def test_months_beyond_their_type_are_refused(tmp_path: Path) -> None:
    rows = [sub(1, sub_months=2**31), sub(2)]
    for form, where in (("csv", "line 2"), ("parquet", "row 1")):
        message = refusal(write(tmp_path, "sub_data", rows, form))
        assert f"sub_months must be a whole number: 1 row ({where}: 2147483648)" in message


@pytest.mark.parametrize("form", FORMATS)
def test_whole_numbers_may_come_with_a_point(form: str, tmp_path: Path) -> None:
    rows = [character(n, total_kills=12.0) for n in (1, 2)]
    checked = check(write(tmp_path, "character_data", rows, form)).rows
    assert checked["total_kills"].to_list() == [12, 12]
    assert checked.schema["total_kills"] == pl.Int64


@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_text_is_empty(form: str, tmp_path: Path) -> None:
    rows = [character(1), character(2, race="")]
    where = "line 3" if form == "csv" else "row 2"
    message = refusal(write(tmp_path, "character_data", rows, form))
    assert f"  race must not be empty: 1 row ({where})\n" in message


@pytest.mark.parametrize("form", FORMATS)
def test_text_ids_are_kept_as_they_are(form: str, tmp_path: Path) -> None:
    rows = [sub(1, 1), sub(2, 1)]
    texts = [{**row, "sub_id": f"0{row['sub_id']}", "char_id": "a-b"} for row in rows]
    source = write(tmp_path, "sub_data", texts, form)
    checked = check(source, parent=[{"char_id": "a-b"}], id_type="text")
    assert checked.rows.select("sub_id", "char_id").rows() == [("01", "a-b"), ("02", "a-b")]
    assert checked.rows.columns == list(sub())
    message = refusal(source)
    assert "char_id must be a whole number: 2 rows" in message
    assert message.endswith('If ids are text, set raw.id_type = "text".')
    price = write(tmp_path, "sub_data", [sub(price="x")])
    assert "id_type" not in refusal(price)


def test_text_ids_must_be_unique_and_known(tmp_path: Path) -> None:
    keys = (("a", "x"), ("a", "x"), ("b", "y"), (None, "x"))
    rows = [
        {**sub(), "sub_id": key, "char_id": of, "price": price}
        for price, (key, of) in enumerate(keys)
    ]
    source = write(tmp_path, "sub_data", rows)
    message = refusal(source, parent=[{"char_id": "x"}], id_type="text")
    assert "sub_id must be unique: 2 rows (line 2: a; line 3: a)" in message
    assert "char_id must be in character_data: 1 row (line 4: y)" in message
    assert "sub_id must not be empty: 1 row (line 5)" in message


FAR = [
    (pl.Date(), 2**31 - 1),
    (pl.Date(), -(2**31)),
    *((pl.Datetime(unit, zone), v) for unit in ("us", "ms") for zone in (None, "Europe/Berlin")
      for v in (2**63 - 1, 2 - 2**63)),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "value"), FAR)
@pytest.mark.parametrize(
    "column", slow_but("creation_date", of=["creation_date", "class_mastery_date"])
)
def test_days_beyond_all_years_are_refused(
    tmp_path: Path, column: str, dtype: pl.DataType, value: int
) -> None:
    whole = pl.Int32() if dtype == pl.Date() else pl.Int64()
    rows = pl.DataFrame([character(1), character(2)], infer_schema_length=None)
    far = pl.Series(column, [value, None], dtype=whole).cast(dtype)
    good = rows[column][1:].cast(pl.Date).cast(pl.Datetime("us"))
    if isinstance(dtype, pl.Datetime):
        good = good.dt.replace_time_zone(dtype.time_zone)
    rows.with_columns(pl.concat([far[:1], good.cast(dtype)])).write_parquet(
        tmp_path / "character_data.parquet"
    )
    source = Dataset("character_data", "hawk", str(tmp_path / "character_data.parquet"))
    message = refusal(source)
    assert "character_data.parquet: 1 of 2 rows break a rule" in message
    assert f"{column} must be" in message
    assert "days after 1970-01-01)" in message


@pytest.mark.parametrize(("zone", "shown"), [
    (None, "2024-01-31 23:00:00)"),
    ("UTC", "2024-01-31 23:00:00 UTC)"),
    ("Europe/Berlin", "2024-01-31 23:00:00 Europe/Berlin)"),
])  # fmt: skip
def test_time_of_a_refused_day_is_shown_with_its_zone(
    tmp_path: Path, zone: str | None, shown: str
) -> None:
    time = pl.Series("creation_date", [datetime(2024, 1, 31, 23)], dtype=pl.Datetime("us"))
    rows = pl.DataFrame([character(1)]).with_columns(time.dt.replace_time_zone(zone))
    message = refusal(write(tmp_path, "character_data", rows, "parquet"))
    assert f"creation_date must be a date such as 2024-12-31: 1 row (row 1: {shown}" in message
