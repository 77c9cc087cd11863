"""Files of another format than their suffix says, by their first bytes."""

import bz2
import gzip
import lzma
import os
import socket
import tempfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset
from churnlib.io.storage import find_file, fingerprint
from churnlib.raw.file_format import FORMATS, Format, check_format
from churnlib.raw.read_clean import UncleanError
from tests.base import raw_tables
from tests.churnlib.raw.samples import (
    GOOD,
    READERS,
    as_frame,
    lines,
    prepare,
    refusal,
    write_text,
)

TABLE = "sub_miss"
TEXT = lines(TABLE, "1,2024-01-01,2024-02-01", "2,2024-01-01,2024-02-01").encode()


def archive(name: str) -> bytes:
    with BytesIO() as file:
        with zipfile.ZipFile(file, "w") as packed:
            packed.writestr(zipfile.ZipInfo(name), TEXT)  # Whose time is not the present one.
        return file.getvalue()


def parquet() -> bytes:
    with BytesIO() as file:
        as_frame(list(GOOD[TABLE])).write_parquet(file)
        return file.getvalue()


UNDER_CSV = [
    (
        TEXT.decode().encode("utf-16"),
        "is UTF-16 text. Save it as UTF-8, or set tables.sub_miss.encoding",
    ),
    (
        TEXT.decode().encode("utf-16-le"),
        "is UTF-16 text. Save it as UTF-8, or set tables.sub_miss.encoding",
    ),
    (
        TEXT.decode().encode("utf-16-be"),
        "is UTF-16 text. Save it as UTF-8, or set tables.sub_miss.encoding",
    ),
    (
        TEXT.decode().encode("utf-32"),
        "is UTF-32 text. Save it as UTF-8, or set tables.sub_miss.encoding",
    ),
    (
        gzip.compress(TEXT, mtime=0),
        "is compressed with gzip. If it is a CSV file, name it .csv.gz.",
    ),
    (bz2.compress(TEXT), "is compressed with bzip2. Decompress it"),
    (lzma.compress(TEXT), "is compressed with xz. Decompress it"),
    (b"\x28\xb5\x2f\xfd" + TEXT, "is compressed with zstd. If it is a CSV file, name it .csv.zst."),
    (archive("sub_miss.csv"), "is a ZIP archive. Unpack it"),
    (archive("xl/workbook.xml"), "is an Excel workbook. Export the sheet as CSV"),
    (parquet(), "is a Parquet file. Name it .parquet"),
    (b"<!DOCTYPE html><html>", "is an HTML or XML page"),
    (b"\x89PNG\r\n\x1a\n\x00\x00", "is not text"),
    (TEXT.replace(b"\n", b"\r"), "has lines that end in CR only"),
    (b"sep=;\n" + TEXT.replace(b",", b";"), "begins with the line sep=;"),
    (b"\xef\xbb\xbfsep=,\r\n" + TEXT, "begins with the line sep=,"),
    (b"", "is empty"),
    (b"\n \r\n", "is empty"),
]


def refuse_by_both(source: Dataset) -> str:
    """The message, the same by both readers."""
    messages = set()
    for reader in READERS:
        with pytest.raises(DataError) as caught:
            prepare(source, raw_tables()[source.name], reader)
        messages.add(str(caught.value))
    assert len(messages) == 1
    return messages.pop()


@pytest.mark.parametrize(("content", "expected"), UNDER_CSV, ids=lambda case: str(case)[:24])
def test_what_is_not_csv_text_is_named_with_what_to_do(
    content: bytes, expected: str, tmp_path: Path
) -> None:
    message = refuse_by_both(write_text(tmp_path, TABLE, content))
    assert message.startswith(f"hawk: {TABLE}.csv {expected}")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (TEXT, "is text, not Parquet. If it is a CSV file, name it .csv."),
        (gzip.compress(TEXT, mtime=0), "is compressed with gzip. If it is a CSV file, name"),
        (archive("xl/workbook.xml"), "is an Excel workbook."),
        (b"PARE" + bytes(20), "is an encrypted Parquet file."),
        (b"", "is empty"),
    ],
    ids=lambda case: str(case)[:24],
)
def test_what_is_not_parquet_is_named_with_what_to_do(
    content: bytes, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / f"{TABLE}.parquet"
    path.write_bytes(content)
    message = refuse_by_both(Dataset(TABLE, "hawk", str(path)))
    assert message.startswith(f"hawk: {TABLE}.parquet {expected}")


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_every_known_format_is_named(known: Format, tmp_path: Path) -> None:
    start, name, advice = known
    path = tmp_path / "x.csv"
    path.write_bytes(start + b"abcdefgh")
    with pytest.raises(DataError) as caught:
        check_format(str(path), "hawk: x.csv", is_csv=True, table="logins")
    assert str(caught.value) == f"hawk: x.csv {name}. {advice}".replace("{table}", "logins")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(("make", "name"), [(pipe, "a named pipe"), (device, "a device")])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_what_is_no_file_is_refused_at_once(
    make: Callable[[Path], None], name: str, form: str, tmp_path: Path
) -> None:
    path = tmp_path / f"{TABLE}.{form}"
    make(path)
    assert refusal(Dataset(TABLE, "hawk", str(path))) == (
        f"{path} is {name}, not a file. Put a file in its place."
    )
    for read in (fingerprint, find_file):
        with pytest.raises(DataError, match=name):
            read(str(path))


def test_a_socket_is_refused_at_once() -> None:
    # The path of a socket must be short.
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        path = f"{folder}/{TABLE}.csv"
        server.bind(path)
        assert "is a socket, not a file" in refusal(Dataset(TABLE, "hawk", path))


def test_a_lone_carriage_return_is_no_line_end(tmp_path: Path) -> None:
    text = "note," + lines(TABLE, "a\rb,1,2024-01-01,", "c,2,2024-01-01,")
    source = write_text(tmp_path, TABLE, text)
    rows = pl.DataFrame({"sub_id": [1, 2]})
    for reader in READERS:
        try:
            found = prepare(source, raw_tables()[TABLE], reader, parent=None)
        except UncleanError:
            continue
        assert pl.read_parquet(found.uri).select("sub_id").equals(rows)
