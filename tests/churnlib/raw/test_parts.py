"""A raw table as a folder of parts or a pattern: the same as one file."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io import storage
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef, read, write_parquet
from churnlib.io.storage import fingerprint
from churnlib.raw.opening import undeclared_columns
from churnlib.raw.parts import parts_of
from churnlib.raw.read_clean import UncleanError
from tests.base import raw_tables
from tests.churnlib.raw.samples import (
    GOOD,
    READERS,
    Reader,
    as_frame,
    check,
    currency,
    miss,
    prepare,
    refusal,
    sub,
    write,
)
from tests.variants import slow_but


def folder_of(tmp_path: Path, table: str, parts: dict[str, pl.DataFrame]) -> Dataset:
    for name, rows in parts.items():
        path = tmp_path / table / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rows.write_parquet(path)
    return Dataset(table, "hawk", str(tmp_path / table))


def prepared(source: Dataset, reader: Reader) -> DatasetRef:
    spec = raw_tables()[source.name]
    parent = GOOD[spec.required_parent.table] if spec.required_parent else None
    return prepare(source, spec, reader, parent=parent)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("table", slow_but("sub_data", of=raw_tables()))
def test_parts_give_the_bytes_of_one_file_whatever_their_order(
    table: str, reader: Reader, tmp_path: Path
) -> None:
    rows = as_frame(list(GOOD[table]))
    expected = prepared(write(tmp_path, table, rows), reader).fingerprint
    for turn, names in enumerate((["a", "b", "c"], ["c", "a", "b"])):
        cuts = zip(names, (rows[:1], rows[1:2], rows[2:]), strict=True)
        parts = {f"{name}.snappy.parquet": part for name, part in cuts}
        source = folder_of(tmp_path / str(turn), table, parts | {"deep/d.parquet": rows[:0]})
        assert prepared(source, reader).fingerprint == expected


@pytest.mark.parametrize("reader", READERS)
def test_types_may_differ_between_parts(reader: Reader, tmp_path: Path) -> None:
    rows = as_frame(list(GOOD["character_currency"]))
    parts = {
        "a.parquet": rows[:2].cast({"char_id": pl.Int32, "sub_hard": pl.Int64}),
        "b.parquet": rows[2:].cast({"date": pl.Datetime("us"), "sub_hard": pl.Float32}),
    }
    found = read(prepared(folder_of(tmp_path, "character_currency", parts), reader))
    assert found.to_dicts() == GOOD["character_currency"]


@pytest.mark.parametrize("reader", READERS)
def test_values_may_be_in_the_names_of_folders(reader: Reader, tmp_path: Path) -> None:
    rows = as_frame(list(GOOD["character_currency"]))
    parts = {
        f"region=x%20y/date={day}/part-0.parquet": part.drop("date")
        for (day,), part in rows.partition_by("date", as_dict=True).items()
    }
    found = read(prepared(folder_of(tmp_path, "character_currency", parts), reader))
    assert found.to_dicts() == GOOD["character_currency"]


def test_null_and_unreadable_values_in_the_names_of_folders(tmp_path: Path) -> None:
    runs = as_frame([miss(101, 3)])
    parts = {"end_date=__HIVE_DEFAULT_PARTITION__/a.parquet": runs.drop("end_date")}
    source = folder_of(tmp_path, "sub_miss", parts)
    for reader in READERS:
        assert read(prepared(source, reader))["end_date"].to_list() == [None]
    source = folder_of(tmp_path, "sub_miss", {"end_date=soon/b.parquet": runs.drop("end_date")})
    with pytest.raises(UncleanError):
        prepared(source, "clean")
    place = "row 1 of sub_miss/end_date=soon/b.parquet: soon"
    assert f"end_date must be a date such as 2024-12-31: 1 row ({place})" in refusal(source)


def test_faults_are_named_by_part_and_row(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [currency(1, n) for n in range(1, 7)]
    rows[4] |= {"date": rows[4]["date"].replace(day=9)}
    frame = as_frame(rows)
    source = folder_of(tmp_path, "character_currency", {"a.parquet": frame[:3], "b.parquet":
                                                        frame[3:]})  # fmt: skip
    place = "(row 2 of character_currency/b.parquet: 2021-05-09)"
    assert f"date must be the first day of a month: 1 row {place}" in refusal(source)
    checked = check(source, on_bad_rows="quarantine", max_bad_share=0.5)
    (rejected,) = checked.rejected.to_dicts()
    assert rejected["source_part"] == "character_currency/b.parquet"
    assert rejected["source_row"] == 2
    assert rejected["date"] == rows[4]["date"]
    assert len(checked.rows) == 5


def test_columns_of_every_part_are_checked(tmp_path: Path) -> None:
    rows = as_frame([sub()])
    parts = {"a.parquet": rows, "b.parquet": rows.drop("price")}
    message = refusal(folder_of(tmp_path, "sub_data", parts))
    assert message.startswith("hawk: sub_data/b.parquet lacks the column price.")


def test_parts_that_differ_in_type_show_the_values_of_faults(tmp_path: Path) -> None:
    parts = {
        "a.parquet": as_frame([sub(1, price=1.0)]),
        "b.parquet": as_frame([sub(2, price="free")]),
    }
    message = refusal(folder_of(tmp_path, "sub_data", parts))
    assert "price must be a number: 1 row (row 1 of sub_data/b.parquet: free)" in message


def test_marks_of_other_programs_are_no_parts(tmp_path: Path) -> None:
    source = folder_of(tmp_path, "sub_miss", {"a.parquet": as_frame([miss(101, 3)])})
    for name in ("_SUCCESS", ".a.parquet.crc", "_temporary/0/b.parquet"):
        path = tmp_path / "sub_miss" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert [part.name for part in parts_of(source)] == ["sub_miss/a.parquet"]
    assert len(check(source).rows) == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [("b.xlsx", "but b.xlsx is not one"), (None, "has no parts")],
)
def test_a_folder_with_other_files_or_none_is_refused(
    name: str | None, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "sub_miss").mkdir()
    source = Dataset("sub_miss", "hawk", str(tmp_path / "sub_miss"))
    if name:
        (tmp_path / "sub_miss" / name).touch()
    assert expected in refusal(source)


def test_a_part_of_another_format_is_named(tmp_path: Path) -> None:
    source = folder_of(tmp_path, "sub_miss", {"a.parquet": as_frame([miss(101, 3)])})
    (tmp_path / "sub_miss" / "b.parquet").write_text("a,b\n")
    assert refusal(source).startswith("hawk: sub_miss/b.parquet is text, not Parquet.")


def test_a_part_that_is_cut_is_named(tmp_path: Path) -> None:
    rows = as_frame([miss(101, 3)])
    source = folder_of(tmp_path, "sub_miss", {"a.parquet": rows, "b.parquet": rows})
    cut = tmp_path / "sub_miss" / "b.parquet"
    cut.write_bytes(cut.read_bytes()[:-40])
    assert refusal(source).startswith(f"hawk: {cut} cannot be read: ")


def test_the_fingerprint_covers_all_parts(tmp_path: Path) -> None:
    rows = as_frame([miss(101, 3), miss(102, 3)])
    source = folder_of(tmp_path, "sub_miss", {"a.parquet": rows, "b.parquet": rows})
    before = fingerprint(source.uri)
    rows[:1].write_parquet(tmp_path / "sub_miss" / "b.parquet")
    assert fingerprint(source.uri) != before


def test_the_catalog_finds_a_folder_and_refuses_two_copies(tmp_path: Path) -> None:
    catalog, raw = Catalog(str(tmp_path), "hawk"), tmp_path / "01_raw" / "hawk"
    (raw / "sub_miss").mkdir(parents=True)
    (raw / "sub_miss" / "a.parquet").touch()
    assert catalog.raw("sub_miss") == Dataset("sub_miss", "hawk", str(raw / "sub_miss"))
    for name in ("sub_miss.csv", "sub_miss.csv.gz", "sub_miss.xlsx"):
        (raw / name).touch()
        with pytest.raises(DataError, match=r"exists twice, as .* and may differ"):
            catalog.raw("sub_miss")
        (raw / name).unlink()
    (raw / "sub_miss.csv.md5").touch()
    assert catalog.raw("sub_miss").uri == str(raw / "sub_miss")


@pytest.mark.parametrize("reader", READERS)
def test_parts_in_an_object_store_give_the_same_bytes(
    reader: Reader, bucket: str, tmp_path: Path
) -> None:
    rows = as_frame(list(GOOD["character_data"]))
    expected = prepared(write(tmp_path, "character_data", rows), reader).fingerprint
    for name, part in (("a", rows[:2]), ("deep/b", rows[2:])):
        target = Dataset(name, "hawk", f"{bucket}/01_raw/hawk/character_data/{name}.parquet")
        write_parquet(part.lazy(), target)
    storage.write_text("x", f"{bucket}/01_raw/hawk/character_data_notes.txt")
    source = Catalog(bucket, "hawk").raw("character_data")
    assert source.uri == f"{bucket}/01_raw/hawk/character_data"
    assert len(fingerprint(source.uri)) == 64
    spec = raw_tables()[source.name]
    assert prepare(source, spec, reader, output=tmp_path).fingerprint == expected
    storage.write_text("x", f"{bucket}/01_raw/hawk/character_data.csv")
    with pytest.raises(DataError, match="exists twice"):
        Catalog(bucket, "hawk").raw("character_data")


def test_a_missing_table_names_what_is_there_instead(tmp_path: Path) -> None:
    raw = tmp_path / "01_raw" / "hawk"
    raw.mkdir(parents=True)
    (raw / "sub_miss.csv.bz2").touch()
    with pytest.raises(DataError, match=r"There is sub_miss\.csv\.bz2, which is not read\."):
        Catalog(str(tmp_path), "hawk").raw("sub_miss")


def test_undeclared_columns_are_those_of_any_part(tmp_path: Path) -> None:
    rows = as_frame(list(GOOD["character_data"]))
    parts = {
        "a.parquet": rows.with_columns(platform=pl.lit("pc")),
        "region=eu/b.parquet": rows.with_columns(vip=1),
    }
    source = folder_of(tmp_path, "character_data", parts)
    names = undeclared_columns(source, raw_tables()["character_data"])
    assert names == ["platform", "vip", "region"]
