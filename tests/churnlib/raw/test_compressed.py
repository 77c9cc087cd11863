"""Compressed CSV files, and tables of CSV parts."""

import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import run

import polars as pl
import pyarrow as pa
import pytest

from churnlib.errors import DataError
from churnlib.io import storage
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, ref
from churnlib.raw.opening import undeclared_columns
from churnlib.raw.parts import parts_of
from tests.base import raw_tables
from tests.churnlib.raw.declared import LOGIN, LOGINS, read_by, read_by_both
from tests.churnlib.raw.samples import (
    GOOD,
    READERS,
    Reader,
    as_frame,
    check,
    currency,
    prepare,
    write,
)

HEADER = ",".join(LOGINS.columns)
ROW = "1,2024-05-06 07:08:09,2024-05-01,12.5,pc,true"
MAX_MIB = 24
"""The growth of memory while a file of 256 MiB is decompressed."""


def zstd(content: bytes) -> bytes:
    buffer = pa.BufferOutputStream()
    with pa.CompressedOutputStream(buffer, "zstd") as file:
        file.write(content)
    return bytes(buffer.getvalue())


COMPRESS: dict[str, Callable[[bytes], bytes]] = {".csv.gz": gzip.compress, ".csv.zst": zstd}


def logins(folder: Path, content: bytes, name: str) -> Dataset:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return Dataset("logins", "hawk", str(path))


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_compressed_file_is_read_like_the_plain_one(suffix: str, tmp_path: Path) -> None:
    text = f"{HEADER},extra\n{ROW},x\n".encode()
    source = logins(tmp_path, COMPRESS[suffix](text), f"logins{suffix}")
    assert read_by_both(source, LOGINS).to_dicts() == [LOGIN]
    assert undeclared_columns(source, LOGINS) == ["extra"]
    joined = COMPRESS[suffix](text) + COMPRESS[suffix](ROW.replace("1", "2", 1).encode() + b",x\n")
    rows = read_by_both(logins(tmp_path, joined, f"logins{suffix}"), LOGINS)
    assert rows["char_id"].to_list() == [1, 2]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_faults_of_compressed_files_are_named_by_line(suffix: str, tmp_path: Path) -> None:
    text = f'{HEADER}\n{ROW}\n\n"1",2024-05-07,,"1\n2",pc,\n2,soon,,,,\n3,x\n'.encode()
    with pytest.raises(DataError) as caught:
        read_by(logins(tmp_path, COMPRESS[suffix](text), f"logins{suffix}"), LOGINS, "careful")
    message = str(caught.value)
    assert message.startswith(f"hawk: logins{suffix}: 3 of 4 rows break a rule")
    assert "every line must have as many fields as the header: 1 row (line 7: 2)" in message
    assert "at must be a time such as 2024-12-31 18:30:00: 1 row (line 6: soon)" in message
    assert "minutes must be a number: 1 row (line 4: 1\\n2)" in message


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("reader", READERS)
def test_a_compressed_file_that_is_cut_is_named(
    suffix: str, reader: Reader, tmp_path: Path
) -> None:
    content = COMPRESS[suffix](f"{HEADER}\n{ROW}\n".encode())[:-9]
    with pytest.raises(DataError, match=r"hawk: logins\.csv\.\w+ cannot be decompressed: .*whole"):
        read_by(logins(tmp_path, content, f"logins{suffix}"), LOGINS, reader)


@pytest.mark.parametrize("reader", READERS)
def test_names_must_say_how_a_file_is_compressed(reader: Reader, tmp_path: Path) -> None:
    text = f"{HEADER}\n{ROW}\n".encode()
    for name, content, expected in [
        ("logins.csv", gzip.compress(text), "is compressed with gzip. If it is a CSV file, name"),
        (
            "logins.csv",
            zstd(text),
            "is compressed with zstd. If it is a CSV file, name it .csv.zst",
        ),
        ("logins.csv.gz", text, "is not compressed with gzip. If it is a CSV file, name it .csv."),
        ("logins.csv.gz", zstd(text), "is compressed with zstd. If it is a CSV file, name it"),
        ("logins.csv.zst", b"PAR1" + text, "is a Parquet file. Name it .parquet."),
        ("logins.csv.gz", b"", "is empty"),
        ("logins.csv.gz", gzip.compress(b""), "is empty"),
        ("logins.csv.gz", gzip.compress(gzip.compress(text)), "is compressed with gzip."),
    ]:
        with pytest.raises(DataError) as caught:
            read_by(logins(tmp_path, content, name), LOGINS, reader)
        assert f"hawk: {name} {expected}" in str(caught.value)


@pytest.mark.parametrize("suffix", [".csv", *COMPRESS])
@pytest.mark.parametrize("reader", READERS)
def test_parts_of_csv_give_the_bytes_of_one_file(
    suffix: str, reader: Reader, tmp_path: Path
) -> None:
    rows = as_frame(list(GOOD["character_currency"]))
    whole = write(tmp_path, "character_currency", rows)
    expected = prepare(whole, raw_tables()["character_currency"], reader).fingerprint
    folder = tmp_path / "character_currency"
    folder.mkdir()
    parts = {"c": rows[:2], "a": rows[2:4].select(reversed(rows.columns)), "b": rows[4:]}
    parts["b"] = parts["b"].with_columns(extra=pl.lit("x"))
    for name, part in parts.items():
        content = part.write_csv().encode()
        content = COMPRESS[suffix](content) if suffix in COMPRESS else content
        (folder / f"{name}{suffix}").write_bytes(content)
    for uri in (folder, folder / f"*{suffix}"):
        source = Dataset("character_currency", "hawk", str(uri))
        spec = raw_tables()[source.name]
        assert prepare(source, spec, reader, output=tmp_path).fingerprint == expected


def test_faults_of_csv_parts_are_named_by_part_and_line(tmp_path: Path) -> None:
    rows = [currency(1, n) for n in range(1, 7)]
    folder = tmp_path / "character_currency"
    folder.mkdir()
    frame = as_frame(rows)
    (folder / "a.csv").write_text(frame[:3].write_csv().replace("\n", "\n\n", 1))
    lines = frame[3:].write_csv().splitlines()
    lines[2] = lines[2].replace("257.0", "many")
    (folder / "b.csv").write_text("\n".join([*lines[:3], "1,x", *lines[3:]]))
    source = Dataset("character_currency", "hawk", str(folder / "*.csv"))
    with pytest.raises(DataError) as caught:
        check(source)
    message = str(caught.value)
    assert message.startswith("hawk: character_currency/*.csv: 2 of 7 rows break a rule")
    place = "line 3 of character_currency/b.csv: many"
    assert f"hard_balance must be a number: 1 row ({place})" in message
    assert "(line 4 of character_currency/b.csv: 2)" in message
    rejected = check(source, on_bad_rows="quarantine", max_bad_share=0.5).rejected
    assert rejected["source_part"].to_list() == ["character_currency/b.csv"] * 2
    assert rejected["source_row"].to_list() == [3, 4]


def test_stray_quotes_and_encodings_of_parts_name_the_part(tmp_path: Path) -> None:
    for content, expected in [
        (
            f'{HEADER}\n{ROW}"\n'.encode(),
            "hawk: logins/b.csv cannot be read, because of stray quotes",
        ),
        (
            f"{HEADER}\n{ROW.replace('pc', 'ü')}\n".encode("latin-1"),
            "logins/b.csv cannot be read: line 2 is",
        ),
    ]:
        logins(tmp_path, f"{HEADER}\n{ROW}\n".encode(), "logins/a.csv")
        logins(tmp_path, content, "logins/b.csv")
        with pytest.raises(DataError) as caught:
            read_by(Dataset("logins", "hawk", str(tmp_path / "logins")), LOGINS, "careful")
        assert expected in str(caught.value)


def test_parts_of_two_formats_and_missing_columns_are_refused(tmp_path: Path) -> None:
    text = f"{HEADER}\n{ROW}\n".encode()
    logins(tmp_path, text, "logins/a.csv")
    logins(tmp_path, gzip.compress(text), "logins/b.csv.gz")
    source = Dataset("logins", "hawk", str(tmp_path / "logins"))
    with pytest.raises(DataError, match=r"has parts of two formats, a\.csv and b\.csv\.gz\."):
        parts_of(source)
    logins(tmp_path, text.replace(b"paid", b"payed"), "logins/deep/c.csv")
    (tmp_path / "logins" / "b.csv.gz").unlink()
    for reader in READERS:
        with pytest.raises(DataError, match=r"hawk: logins/deep/c\.csv lacks the column paid\."):
            read_by(source, LOGINS, reader)


def test_a_declared_path_is_a_file_a_folder_or_a_pattern(tmp_path: Path) -> None:
    catalog, folder = Catalog(str(tmp_path), "hawk"), tmp_path / "01_raw" / "hawk"
    text = f"{HEADER}\n{ROW}\n".encode()
    for name in ("log/a-1.csv", "log/a-2.csv", "log/b.csv", "logins.csv", "day=1/x.csv"):
        logins(folder, text.replace(b"1", name[-5].encode(), 1) if "a-" in name else text, name)
    names = {
        "log/b.csv": ["b.csv"],
        "log": ["log/a-1.csv", "log/a-2.csv", "log/b.csv"],
        "log/a-*.csv": ["log/a-1.csv", "log/a-2.csv"],
        "day=*/*.csv": ["hawk/day=1/x.csv"],
        str(folder / "log" / "a*1.csv"): ["log/a-1.csv"],
    }
    for path, expected in names.items():
        assert [part.name for part in parts_of(catalog.raw("logins", path))] == expected
    assert parts_of(catalog.raw("logins", "day=*/*.csv"))[0].values == {"day": "1"}
    assert catalog.raw("logins").uri == str(folder / "logins.csv")
    with pytest.raises(
        DataError, match=r"raw table logins is missing: no file matches .*/x\*\.csv"
    ):
        catalog.raw("logins", "x*.csv")
    with pytest.raises(
        DataError, match=r"there is no file or folder .*change tables\.logins\.path"
    ):
        catalog.raw("logins", "none.csv")


def test_the_fingerprint_of_a_pattern_covers_what_matches(tmp_path: Path) -> None:
    source = Dataset("logins", "hawk", str(tmp_path / "logins" / "*.csv"))
    logins(tmp_path, b"a\n1\n", "logins/a.csv")
    first = ref(source).fingerprint
    logins(tmp_path, b"a\n1\n", "logins/other.txt")
    assert ref(source).fingerprint == first
    logins(tmp_path, b"a\n2\n", "logins/b.csv")
    second = ref(source).fingerprint
    logins(tmp_path, b"a\n3\n", "logins/b.csv")
    assert len({first, second, ref(source).fingerprint}) == 3
    (tmp_path / "logins" / "b.csv").rename(tmp_path / "logins" / "c.csv")
    assert ref(source).fingerprint not in (first, second)
    with pytest.raises(DataError, match="no file there matches"):
        ref(Dataset("logins", "hawk", str(tmp_path / "logins" / "*.gz")))


def test_patterns_in_an_object_store(bucket: str, tmp_path: Path) -> None:
    text = f"{HEADER}\n{ROW}\n"
    folder = f"{bucket}/01_raw/hawk"
    for name, number in (("a", "1"), ("b", "2")):
        with storage.replacing(f"{folder}/log/{name}.csv.gz") as path:
            path.write_bytes(gzip.compress(text.replace("\n1", f"\n{number}").encode()))
    storage.write_text("x", f"{folder}/log/notes.md")
    source = Catalog(bucket, "hawk").raw("logins", "log/*.csv.gz")
    assert [part.name for part in parts_of(source)] == ["log/a.csv.gz", "log/b.csv.gz"]
    before = ref(source).fingerprint
    for reader in READERS:
        prepared = prepare(source, LOGINS, reader, output=tmp_path)
        assert prepared.rows == 2
    with storage.replacing(f"{folder}/log/b.csv.gz") as path:
        path.write_bytes(gzip.compress(text.encode()))
    assert ref(source).fingerprint != before
    assert Catalog(bucket, "hawk").raw("logins", f"{folder}/log/a.csv.gz").uri.endswith("a.csv.gz")


MEASURE = """
import resource, sys
from pathlib import Path
from churnlib.raw.parts import Part
from churnlib.raw.plain_text import as_plain_text
from churnlib.schemas.reading import Reading
folder = Path(sys.argv[1])
part = lambda name: Part("hawk", "logins", str(folder / name), name)
as_plain_text(part("small.csv.gz"), Reading(), folder)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
as_plain_text(part("large.csv.gz"), Reading(encoding=sys.argv[2]), folder)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.slow
def test_memory_does_not_grow_with_a_compressed_file(encoding: str, tmp_path: Path) -> None:
    block = f"{ROW}\n".encode() * 2**12
    for name, blocks in (("small", 1), ("large", 2**28 // len(block))):
        with gzip.open(tmp_path / f"{name}.csv.gz", "wb", compresslevel=1) as file:
            file.write(f"{HEADER}\n".encode())
            for _ in range(blocks):
                file.write(block)
    command = [sys.executable, "-c", MEASURE, str(tmp_path), encoding]
    done = run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < MAX_MIB
