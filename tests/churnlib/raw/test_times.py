"""Days, times and flags in their many forms."""

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset
from churnlib.raw.flags import FALSE, TRUE
from churnlib.raw.read_clean import UncleanError
from churnlib.raw.times import time_of
from churnlib.schemas.reading import Reading
from churnlib.schemas.spec import TIMES, TableSpec
from tests.churnlib.raw.declared import LOGIN, LOGINS, read_by, read_by_both, reading, write_logins
from tests.variants import examples, slow_but

BERLIN = ZoneInfo("Europe/Berlin")


def one(name: str, text: str, folder: Path) -> Dataset:
    """A CSV file with one row, in which a column has another text."""
    cells = {n: v.isoformat() if isinstance(v, date) else str(v) for n, v in LOGIN.items()}
    cells[name] = text
    return write_logins(folder, f"{','.join(cells)}\n{','.join(cells.values())}\n")


def one_value(name: str, value: pl.Series, folder: Path) -> Dataset:
    """The same in Parquet, of any type."""
    pl.DataFrame([LOGIN]).with_columns(value.alias(name)).write_parquet(folder / "logins.parquet")
    return Dataset("logins", "hawk", str(folder / "logins.parquet"))


def refused(source: Dataset, spec: TableSpec = LOGINS) -> str:
    with pytest.raises(UncleanError):
        read_by(source, spec, "clean")
    with pytest.raises(DataError) as caught:
        read_by(source, spec, "careful")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-06", datetime(2024, 5, 6)),
        ("2024-05-06T07:08", datetime(2024, 5, 6, 7, 8)),
        ("2024-05-06 07:08:09", datetime(2024, 5, 6, 7, 8, 9)),
        ("2024-05-06 23:59:59.5", datetime(2024, 5, 6, 23, 59, 59, 500000)),
        ("2024-05-06T07:08:09.123456789", datetime(2024, 5, 6, 7, 8, 9, 123456)),
        ("1969-12-31T23:59:59.9999999", datetime(1969, 12, 31, 23, 59, 59, 999999)),
        ("2024-05-06T07:08:09Z", datetime(2024, 5, 6, 7, 8, 9)),
        ("2024-05-06T07:08:09+02:00", datetime(2024, 5, 6, 7, 8, 9)),
        ("2024-05-06 07:08:09 -0330", datetime(2024, 5, 6, 7, 8, 9)),
        (" 2024-05-06 07:08:09+00 ", datetime(2024, 5, 6, 7, 8, 9)),
        ("2024-02-29", datetime(2024, 2, 29)),
        ("1900-01-01", TIMES[0]),
        ("2200-12-31T23:59:59.999999", TIMES[1]),
    ],
)
def test_a_time_with_a_zone_keeps_its_own_wall_time(
    text: str, expected: datetime, tmp_path: Path
) -> None:
    assert read_by_both(one("at", text, tmp_path), LOGINS)["at"].to_list() == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-07-06T22:08:09Z", datetime(2024, 7, 7, 0, 8, 9)),
        ("2024-01-06T23:08:09Z", datetime(2024, 1, 7, 0, 8, 9)),
        ("2024-07-06T22:08:09-05:30", datetime(2024, 7, 7, 5, 38, 9)),
        ("2024-07-06T22:08:09+09", datetime(2024, 7, 6, 15, 8, 9)),
        ("2024-07-06T22:08:09", datetime(2024, 7, 6, 22, 8, 9)),
        ("2024-10-27T01:30:00Z", datetime(2024, 10, 27, 2, 30)),
    ],
)
def test_a_time_with_a_zone_is_given_in_the_zone_of_the_settings(
    text: str, expected: datetime, tmp_path: Path
) -> None:
    spec = reading(time_zone="Europe/Berlin")
    assert read_by_both(one("at", text, tmp_path), spec)["at"].to_list() == [expected]


@examples(40)
@given(
    st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)),
    st.integers(-18 * 60, 18 * 60),
    st.sampled_from(["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", None]),
)
def test_times_equal_those_of_the_standard_library(
    wall: datetime, minutes: int, zone: str | None
) -> None:
    offset = timezone(timedelta(minutes=max(-1079, min(minutes, 1079))))
    given_time = wall.replace(tzinfo=offset)
    expected = wall if zone is None else given_time.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    text = pl.col("text")
    found = pl.DataFrame({"text": [given_time.isoformat()]}).select(
        time_of(text, pl.String(), Reading(time_zone=zone))
    )
    assert found.item() == expected


@pytest.mark.parametrize(
    "text",
    [
        *("2024-02-30", "2024-05-06 24:00:00", "2024-05-06 07:08:60", "2024-05-06 7:08"),
        *("06.05.2024", "2024-05-06 07:08:09 CET", "soon", "2024-05-06T", "20240506"),
        *("1899-12-31 23:59:59", "2201-01-01", "0000-01-01"),
    ],
)
def test_what_is_no_time_is_refused_by_line(text: str, tmp_path: Path) -> None:
    assert f"(line 2: {text}" in refused(one("at", text, tmp_path)) or text[:4] in (
        "1899",
        "0000",
        "2201",
    )


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("1714979289", "seconds"),
        ("1714979289000", "milliseconds"),
        ("1714979289000000", "microseconds"),
        ("1714979289000000000", "nanoseconds"),
    ],
)
def test_times_since_1970_are_refused_with_a_hint(text: str, unit: str, tmp_path: Path) -> None:
    hint = f"'{text}' in at seems to be {unit} since 1970: convert it to a time such as"
    assert hint in refused(one("at", text, tmp_path))
    assert hint in refused(one_value("at", pl.Series([int(text)]), tmp_path))


@pytest.mark.parametrize("unit", slow_but("ns", of=["ms", "us", "ns"]))
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
@pytest.mark.parametrize("target", [None, "Europe/Berlin"])
def test_times_of_parquet_files_of_any_unit_and_zone(
    unit: Any, zone: str | None, target: str | None, tmp_path: Path
) -> None:
    wall = datetime(2024, 5, 6, 7, 8, 9, 123000)
    value = pl.Series([wall]).cast(pl.Datetime(unit)).dt.replace_time_zone(zone)
    expected = wall
    if zone and target:
        at = wall.replace(tzinfo=ZoneInfo(zone))
        expected = at.astimezone(ZoneInfo(target)).replace(tzinfo=None)
    rows = read_by_both(one_value("at", value, tmp_path), reading(time_zone=target))
    assert rows["at"].to_list() == [expected]


def test_days_of_parquet_files_are_midnights_and_text_is_parsed(tmp_path: Path) -> None:
    day = one_value("at", pl.Series([date(2024, 5, 6)]), tmp_path)
    assert read_by_both(day, LOGINS)["at"].to_list() == [datetime(2024, 5, 6)]
    text = one_value("at", pl.Series(["2024-05-06T07:08:09Z"]), tmp_path)
    rows = read_by(text, LOGINS, "careful")
    assert rows["at"].to_list() == [datetime(2024, 5, 6, 7, 8, 9)]


@pytest.mark.parametrize(
    ("written", "text", "expected"),
    [
        ("%d.%m.%Y", "06.05.2024", datetime(2024, 5, 6)),
        ("%m/%d/%Y", "05/06/2024", datetime(2024, 5, 6)),
        ("%Y%m%d", "20240506", datetime(2024, 5, 6)),
        ("%d %b %y", "06 May 24", datetime(2024, 5, 6)),
        ("%d.%m.%Y %H:%M", "06.05.2024 07:08", datetime(2024, 5, 6, 7, 8)),
        ("%d.%m.%Y %H:%M:%S.%f", "06.05.2024 07:08:09.25", datetime(2024, 5, 6, 7, 8, 9, 250000)),
        ("%d.%m.%Y %H:%M", "06.05.2024", datetime(2024, 5, 6)),
        ("%m/%d/%Y %I:%M %p", "05/06/2024 07:08 PM", datetime(2024, 5, 6, 19, 8)),
        ("%d.%m.%Y %H:%M %z", "06.05.2024 07:08 +0300", datetime(2024, 5, 6, 7, 8)),
    ],
)
def test_days_and_times_in_the_format_of_the_settings(
    written: str, text: str, expected: datetime, tmp_path: Path
) -> None:
    spec = reading(date_format=written)
    cells = {name: str(value) for name, value in LOGIN.items()} | {"at": text, "day": ""}
    source = write_logins(tmp_path, f"{','.join(cells)}\n{','.join(cells.values())}\n")
    assert read_by_both(source, spec)["at"].to_list() == [expected]
    day = cells | {"at": text, "day": text}
    source = write_logins(tmp_path, f"{','.join(day)}\n{','.join(day.values())}\n")
    if expected == datetime(2024, 5, 6):
        assert read_by_both(source, spec)["day"].to_list() == [date(2024, 5, 6)]
    else:  # No midnight.
        assert f'day must be a date as tables.logins.date_format = "{written}" says' in refused(
            source, spec
        )


def test_iso_days_are_refused_where_the_settings_have_another_format(tmp_path: Path) -> None:
    message = refused(one("at", "2024-05-06", tmp_path), reading(date_format="%d.%m.%Y"))
    assert (
        'at must be a time as tables.logins.date_format = "%d.%m.%Y" says: 1 row (line 2' in message
    )


def test_days_in_another_format_name_the_setting(tmp_path: Path) -> None:
    for name in ("at", "day"):
        message = refused(one(name, "06.05.2024", tmp_path))
        assert "To read '06.05.2024', set tables.logins.date_format = \"%d.%m.%Y\"." in message


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-05-05T22:00:00Z", date(2024, 5, 6)),
        ("2024-05-06T00:00:00+02:00", date(2024, 5, 6)),
        ("2024-05-06", date(2024, 5, 6)),
    ],
)
def test_days_are_midnights_of_the_zone_of_the_settings(
    text: str, day: date, tmp_path: Path
) -> None:
    spec = reading(time_zone="Europe/Berlin")
    assert read_by_both(one("day", text, tmp_path), spec)["day"].to_list() == [day]
    value = datetime.fromisoformat(text)
    if value.tzinfo:
        instant = pl.Series([value.astimezone(UTC)])
        found = read_by(one_value("day", instant, tmp_path), spec, "careful")
        assert found["day"].to_list() == [day]
    message = refused(one("day", "2024-05-06T00:00:00Z", tmp_path), spec)
    assert "day must be a date such as 2024-12-31: 1 row" in message


@pytest.mark.parametrize("word", ["never", "1900-01-01", "1900-01-01 00:00:00"])
def test_sentinels_and_null_words_of_times_are_null(word: str, tmp_path: Path) -> None:
    from dataclasses import replace

    columns = (
        {**LOGINS.columns, "at": LOGINS.columns["at"].with_nullable(True)}
        if hasattr(LOGINS.columns["at"], "with_nullable")
        else LOGINS.columns
    )
    spec = replace(
        LOGINS,
        columns=columns,
        null_values=("never",),
        no_date=("1900-01-01",),
        reading=Reading(fill={"at": "2020-01-01"}),
    )
    assert read_by_both(one("at", word, tmp_path), spec)["at"].to_list() == [datetime(2020, 1, 1)]


@pytest.mark.parametrize("word", [*TRUE, *FALSE, "TRUE", "False", " yes ", "N"])
def test_words_for_flags(word: str, tmp_path: Path) -> None:
    rows = read_by_both(one("paid", word, tmp_path), LOGINS)
    assert rows["paid"].to_list() == [word.strip().lower() in TRUE]


@pytest.mark.parametrize("word", ["2", "on", "x", "1.0", "-1"])
def test_other_words_are_no_flags(word: str, tmp_path: Path) -> None:
    assert f"paid must be true or false: 1 row (line 2: {word})" in refused(
        one("paid", word, tmp_path)
    )


@pytest.mark.parametrize("dtype", [pl.Boolean, pl.Int8, pl.UInt64])
@pytest.mark.parametrize("value", [0, 1, None])
def test_flags_of_parquet_files(dtype: Any, value: int | None, tmp_path: Path) -> None:
    source = one_value("paid", pl.Series([value], dtype=pl.Int64).cast(dtype), tmp_path)
    expected = None if value is None else bool(value)
    assert read_by_both(source, LOGINS)["paid"].to_list() == [expected]


def test_other_numbers_are_no_flags(tmp_path: Path) -> None:
    message = refused(one_value("paid", pl.Series([2]), tmp_path))
    assert "paid must be true or false: 1 row (row 1: 2)" in message


CELLS = st.sampled_from(
    [
        *(
            "",
            " ",
            "x",
            "NULL",
            "1",
            "0",
            "-1",
            "1.0",
            "t",
            "T ",
            "yes",
            "+1",
            "12,5",
            "1e3",
            "-0.0",
        ),
        *("2024-02-29", "2023-02-29", "2024-2-9", "2024-02-29T", "2024-02-29 07:08", "+024-01-01"),
        *("2024-02-29T07:08:09Z", "2024-02-29T00:00:00+02:00", "2024-02-29 07:08:09.1234567"),
        *("29.02.2024", "29.2.2024 07:08", "1900-01-01", "2200-12-31T23:59:59.9", "1714979289"),
        *('"1"', '"2024-02-29 00:00:00"', "\u00a02024-02-29", "-024-01-01", "2024-02-29 00:00"),
    ]
)


@examples(80)
@given(
    st.sampled_from(list(LOGIN)),
    CELLS,
    st.fixed_dictionaries(
        {},
        optional={
            "date_format": st.sampled_from(["%d.%m.%Y", "%d.%m.%Y %H:%M"]),
            "time_zone": st.just("Europe/Berlin"),
            "decimal": st.just(","),
            "separator": st.just(";"),
            "fill": st.just({"minutes": -1.0, "paid": False, "day": "2020-01-01"}),
        },
    ),
)
def test_clean_reading_of_any_cell_equals_the_careful_one(
    name: str, cell: str, how: dict[str, Any]
) -> None:
    spec, mark = reading(**how), how.get("separator", ",")
    cells = dict.fromkeys(LOGIN, "") | {"char_id": "1", "at": "2024-05-06"}
    if "date_format" in how:
        cells["at"] = "06.05.2024"
    cells[name] = cell
    with TemporaryDirectory() as folder:
        text = f"{mark.join(cells)}\n{mark.join(cells.values())}\n"
        source = write_logins(Path(folder), text)
        try:
            clean = read_by(source, spec, "clean")
        except UncleanError:
            return
        assert clean.equals(read_by(source, spec, "careful"))
