"""CSV files that are compressed or not UTF-8, as plain text in a temporary folder.

They are converted piece by piece, since readers of compressed files hold them whole. Lines keep
their numbers.
"""

import codecs
import hashlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from churnlib.errors import DataError, reason
from churnlib.io.storage import open_bytes
from churnlib.raw.csv_lines import header, header_of
from churnlib.raw.external_sort import no_space
from churnlib.raw.file_format import check_compression, check_text
from churnlib.raw.parts import Part
from churnlib.schemas.reading import Reading

AT_A_TIME = 2**20
"""Bytes to convert at once."""


def as_plain_text(part: Part, reading: Reading, folder: Path) -> Part:
    """Converts a CSV file to plain UTF-8 text, if it is not.

    Args:
        part: The file.
        reading: How the files of its table are read.
        folder: Where the text is kept; a file that is already there is not converted again.

    Returns:
        The part with the place of its text.

    Raises:
        DataError: The file is damaged or of another compression or encoding, or the folder is full.
    """
    if not part.is_csv or _is_plain(part, reading):
        return part
    target = folder / f"{hashlib.sha256(part.uri.encode()).hexdigest()}.csv"
    if not target.exists():
        unfinished = target.with_suffix(".part")
        with closing(_texts(part, reading)) as texts:
            _write(texts, unfinished)
        unfinished.replace(target)
    return replace(part, file=str(target))


def _is_plain(part: Part, reading: Reading) -> bool:
    return part.compression is None and reading.is_utf_8


def csv_names(part: Part, reading: Reading) -> list[str]:
    """The names in the header of a CSV file, of which no more is read than its beginning."""
    if _is_plain(part, reading):
        return header(part.uri, reading.separator)
    with closing(_texts(part, reading)) as texts:
        return header_of(BytesIO(next(texts)), reading.separator)


def _write(texts: Iterable[bytes], path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for text in texts:
            try:
                file.write(text)
            except OSError as error:
                raise no_space(path.parent, error) from None


def _texts(part: Part, reading: Reading) -> Generator[bytes]:
    """Yields the text of a file as UTF-8."""
    if part.compression:
        check_compression(part.uri, part.label, part.compression, part.table)
    decoder, lines = codecs.getincrementaldecoder(reading.encoding)(), 1
    pieces = _pieces(part)
    head = next(pieces, b"")
    check_text(head, part.label, part.table, is_utf_8=reading.is_utf_8)
    for piece in chain([head], pieces, [b""]):
        try:
            text = decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            raise _not_text(part, reading, lines, error) from None
        lines += text.count("\n")
        yield text.encode()


def _pieces(part: Part) -> Iterator[bytes]:
    """Yields the bytes of a file, decompressed."""
    with open_bytes(part.uri) as file, _decompressed(file, part) as content:
        while piece := _read(content, part):
            yield piece


def _decompressed(file: BinaryIO, part: Part) -> Any:
    return (
        pa.CompressedInputStream(file, part.compression) if part.compression else nullcontext(file)
    )


def _read(content: Any, part: Part) -> bytes:
    try:
        return bytes(content.read(AT_A_TIME))
    except OSError as error:
        if part.compression is None or isinstance(error, FileNotFoundError):
            raise
        raise DataError(
            f"{part.label} cannot be decompressed: {reason(error)}. Its end may be missing: put "
            "the whole file there."
        ) from None


def _not_text(part: Part, reading: Reading, lines: int, error: UnicodeDecodeError) -> DataError:
    line = lines + error.object[: error.start].decode(reading.encoding, "replace").count("\n")
    return DataError(
        f"{part.label} cannot be read: line {line} is not {reading.encoding} text. Save the file "
        f"as such, or set tables.{part.table}.encoding to what it is."
    )
