"""How a CSV file is written: its encoding, and the character between its values."""

import codecs
import csv
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from churnlib.io.raw_files import compression_of

HEAD = 2**16
"""Bytes by which the separator is judged."""
AT_A_TIME = 2**20
SEPARATORS = (",", ";", "\t", "|")
_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class TextFormat(NamedTuple):
    """How text is written.

    Attributes:
        encoding: Its encoding.
        separator: The character between values.
    """

    encoding: str
    separator: str


def text_format(files: Sequence[Path]) -> TextFormat:
    """Finds out how CSV files are written.

    Raises:
        OSError: A file cannot be read.
        ValueError: It is no text.
    """
    encoding = next((e for e in map(_encoding, files) if e != "utf-8"), "utf-8")
    head = next(_pieces(files[0], HEAD), b"")
    if "\0" in (text := head.decode(encoding, "replace")):
        raise ValueError("it is no text")
    return TextFormat(encoding, _separator(text))


def open_text(files: Sequence[Path], text: TextFormat) -> pl.LazyFrame:
    """Opens CSV files, with every value as text.

    Raises:
        PolarsError: They cannot be read.
        OSError: They cannot be read.
    """
    places: list[Path] | list[BytesIO] = list(files)
    if text.encoding != "utf-8" or any(compression_of(file.name) for file in files):
        places = [BytesIO(_utf_8(file, text.encoding)) for file in files]
    frames = [
        pl.scan_csv(
            place,
            separator=text.separator,
            infer_schema=False,
            truncate_ragged_lines=True,
            glob=False,
        )
        for place in places
    ]
    return pl.concat(frames)


def _utf_8(file: Path, encoding: str) -> bytes:
    content = b"".join(_pieces(file, AT_A_TIME))
    return content if encoding == "utf-8" else content.decode(encoding).encode()


def _pieces(file: Path, size: int) -> Iterator[bytes]:
    with pa.input_stream(str(file), compression=compression_of(file.name)) as content:
        while piece := content.read(size):
            yield bytes(piece)


def _encoding(file: Path) -> str:
    """UTF-8 if its bytes are, one with a mark at the beginning, or that of Western Windows."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for place, piece in enumerate(_pieces(file, AT_A_TIME)):
        bom = next((b for b in _BOMS if place == 0 and piece.startswith(b)), codecs.BOM_UTF8)
        if _BOMS[bom] != "utf-8":
            return _BOMS[bom]
        try:
            decoder.decode(piece)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _separator(text: str) -> str:
    """The character that divides most lines into as many values as the header has."""
    lines = text.splitlines()
    lines = lines[:-1] if len(lines) > 1 and len(text) >= HEAD else lines

    def fit(separator: str) -> tuple[float, int]:
        counts = [len(values) for values in csv.reader(lines, delimiter=separator) if values]
        width = counts[0] if counts else 1
        return (sum(c == width for c in counts) / len(counts), width) if width > 1 else (0, 1)

    return max(SEPARATORS, key=fit)
