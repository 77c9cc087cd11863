"""The format of a raw file by its first bytes: what is neither CSV nor Parquet is refused."""

import codecs
import re
from typing import NamedTuple, NoReturn

from churnlib.errors import DataError
from churnlib.io.storage import open_bytes

HEAD = 2**16
"""Bytes to read; more than the first line of a table has."""
PARQUET = b"PAR1"
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
COMPRESSED = {"gzip": GZIP, "zstd": ZSTD}
"""The first bytes of compressed files."""


class Format(NamedTuple):
    """A format that is neither CSV nor Parquet.

    Attributes:
        start: The first bytes of its files.
        name: What such a file is.
        advice: What to do with it; `{table}` stands for the name of the table.
    """

    start: bytes
    name: str
    advice: str


_ENCODING = 'Save it as UTF-8, or set tables.{table}.encoding = "utf-%s".'
_UTF_16 = ("is UTF-16 text", _ENCODING % "16")
_UTF_32 = ("is UTF-32 text", _ENCODING % "32")
_NAME_CSV = "If it is a CSV file, name it .csv."
_DECOMPRESS = "Decompress it first."
_EXPORT = "Export the sheet as CSV (UTF-8)."
_CONVERT = "Convert it to CSV or Parquet."
FORMATS = (
    Format(codecs.BOM_UTF32_LE, *_UTF_32),
    Format(codecs.BOM_UTF32_BE, *_UTF_32),
    Format(codecs.BOM_UTF16_LE, *_UTF_16),
    Format(codecs.BOM_UTF16_BE, *_UTF_16),
    Format(GZIP, "is compressed with gzip", "If it is a CSV file, name it .csv.gz."),
    Format(ZSTD, "is compressed with zstd", "If it is a CSV file, name it .csv.zst."),
    Format(b"BZh", "is compressed with bzip2", _DECOMPRESS),
    Format(b"\xfd7zXZ\x00", "is compressed with xz", _DECOMPRESS),
    Format(b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive", "Unpack it first."),
    Format(b"PK\x03\x04", "is a ZIP archive", "Unpack it first."),
    Format(b"PK\x05\x06", "is an empty ZIP archive", "Put the table in its place."),
    Format(b"\xd0\xcf\x11\xe0", "is an Excel workbook", _EXPORT),
    Format(b"PARE", "is an encrypted Parquet file", "Write it without encryption."),
    Format(b"ARROW1", "is an Arrow file", _CONVERT),
    Format(b"Obj\x01", "is an Avro file", _CONVERT),
    Format(b"SQLite format 3\x00", "is an SQLite database", "Export the table as CSV."),
    Format(b"%PDF-", "is a PDF document", "Put the table in its place."),
)
"""The formats that are recognized."""

_EXCEL = (b"[Content_Types].xml", b"xl/")
_MARKUP = re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE)
_SEPARATOR_LINE = re.compile(rb'"?sep=(.)"?,*\r?\n', re.IGNORECASE)


def check_compression(uri: str, what: str, compression: str, table: str) -> None:
    """Checks by its first bytes that a file is compressed as its suffix says.

    Args:
        uri: The file.
        what: The game and the file, for messages.
        compression: What it should be compressed with.
        table: The table.

    Raises:
        DataError: It is empty, or not so compressed; says what it is.
        OSError: The file cannot be read.
    """
    with open_bytes(uri) as file:
        head = file.read(HEAD)
    _refuse_empty(head, what)
    if not head.startswith(COMPRESSED[compression]):
        other = (f"is not compressed with {compression}", _NAME_CSV)
        _refuse(what, _not_csv(head) or other, table)


def check_text(head: bytes, what: str, table: str, *, is_utf_8: bool) -> None:
    """Checks by its first bytes that content is text.

    Args:
        head: Those bytes.
        what: The game and the file, for messages.
        table: The table.
        is_utf_8: Whether it should be UTF-8; else, text of any encoding.

    Raises:
        DataError: It is empty, or something else; says what it is.
    """
    _refuse_empty(head, what)
    problem = _not_csv(head)
    if problem and (is_utf_8 or problem not in (_UTF_16, _UTF_32)):
        _refuse(what, problem, table)


def _refuse_empty(head: bytes, what: str) -> None:
    if not head.strip():
        raise DataError(f"{what} is empty: it has not even a header. Put the whole file there.")


def _not_csv(head: bytes) -> tuple[str, str] | None:
    """What a file is instead of CSV, and what to do."""
    is_parquet = head.startswith(PARQUET)
    return ("is a Parquet file", "Name it .parquet.") if is_parquet else _foreign(head)


def check_format(uri: str, what: str, *, is_csv: bool, table: str) -> None:
    """Checks by its first bytes that a file is of the format that its suffix says.

    Args:
        uri: The file.
        what: The game and the file, for messages.
        is_csv: Whether it should be CSV; else, Parquet.
        table: The table.

    Raises:
        DataError: It is empty, or of another format; says which, and what to do.
        OSError: The file cannot be read.
    """
    with open_bytes(uri) as file:
        head = file.read(HEAD)
    _refuse_empty(head, what)
    if head.startswith(PARQUET) and not is_csv:
        return
    problem = _not_csv(head)
    if problem is None and is_csv:
        problem = _unreadable_text(head)
    elif problem is None and b"\x00" not in head:
        problem = ("is text, not Parquet", _NAME_CSV)
    if problem is not None:
        _refuse(what, problem, table)


def _refuse(what: str, problem: tuple[str, str], table: str) -> NoReturn:
    found, advice = problem
    raise DataError(f"{what} {found}. {advice.replace('{table}', table)}")


def _foreign(head: bytes) -> tuple[str, str] | None:
    """What a file is instead, and what to do."""
    if head.startswith(b"PK\x03\x04") and any(name in head for name in _EXCEL):
        return "is an Excel workbook", _EXPORT
    for known in FORMATS:
        if head.startswith(known.start):
            return known.name, known.advice
    if _MARKUP.match(head):
        return "is an HTML or XML page", "Put the table in its place."
    return None


def _unreadable_text(head: bytes) -> tuple[str, str] | None:
    """Why text cannot be read as CSV, and what to do."""
    if b"\x00" in head:
        # Text of two bytes a character, most of them below 256.
        odd, even = head[1::2].count(0), head[::2].count(0)
        if max(odd, even) > len(head) // 4:
            return _UTF_16
        return "is not text", "Put the table in its place, as UTF-8 text."
    if b"\r" in head and b"\n" not in head:
        return (
            "has lines that end in CR only, as on old Macintosh computers",
            "Save it with the line ends LF or CRLF.",
        )
    if line := _SEPARATOR_LINE.match(head.removeprefix(codecs.BOM_UTF8)):
        return (
            f"begins with the line sep={line[1].decode(errors='replace')}, which only Excel "
            "understands",
            "Remove that line, and set tables.{table}.separator if it is not a comma.",
        )
    return None
