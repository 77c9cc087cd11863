"""The lines of a CSV file: their numbers of fields, and whether the fast reader can be used.

CSV readers pad a short line with nulls and truncate a long one; in both cases, every value of the
line may be in the wrong column.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO, TextIOWrapper
from typing import BinaryIO

import numpy as np
import polars as pl

from churnlib.io.storage import open_bytes, reader_options

PADDED = re.compile(rb"[,\n][ \t]")
BLANKS = (b"+", b" ", b"\t", b"\v", b"\f")
"""What some parsers of numbers and days skip."""
AT_A_TIME = 2**20
"""Bytes to read at once."""


def header(uri: str) -> list[str]:
    """The names in the first line of a CSV file that is not blank."""
    with open_bytes(uri) as file:
        return _header(file)


def _header(file: BinaryIO) -> list[str]:
    return next((record for _, record in _records(file)), [])


@dataclass(frozen=True)
class Profile:
    """The format of a CSV file, before it is parsed.

    Attributes:
        names: The names in the header.
        lines: The number of lines, including a last one without a line end.
        commas: The number of commas.
        has_quotes: Whether there is a quote.
        has_signs: Whether there is a plus, a blank, a control character or other text than ASCII.
        is_padded: Whether a value begins with a blank.
    """

    names: list[str]
    lines: int
    commas: int
    has_quotes: bool
    has_signs: bool
    is_padded: bool

    @property
    def is_plain(self) -> bool:
        """Whether each line seems to be a row of unquoted values between commas."""
        is_even = self.commas == (len(self.names) - 1) * self.lines
        is_clear = len(set(self.names)) == len(self.names)
        return is_even and is_clear and not (self.has_quotes or self.is_padded)


def profile(uri: str) -> Profile:
    """Counts the characters of a CSV file that decide how to read it; the file is opened once."""
    counts, rare = dict.fromkeys(b"\n,", 0), dict.fromkeys((b'"', *BLANKS), False)
    names: list[str] | None = None
    last, is_padded, is_odd = ord("\n"), False, False
    with open_bytes(uri) as file:
        while part := file.read(AT_A_TIME):
            names = _header(BytesIO(part)) if names is None else names
            values = np.frombuffer(part, dtype=np.uint8)
            for byte in counts:
                counts[byte] += int(np.count_nonzero(values == byte))
            for sign in rare:
                rare[sign] = rare[sign] or sign in part
            is_odd = is_odd or not part.isascii() or part.count(b"\r") != part.count(b"\r\n")
            if rare[b" "] or rare[b"\t"]:
                is_padded = is_padded or PADDED.search(bytes([last]) + part) is not None
            last = part[-1]
    return Profile(
        names=names or [],
        lines=counts[ord("\n")] + (last != ord("\n")),
        commas=counts[ord(",")],
        has_quotes=rare[b'"'],
        has_signs=is_odd or any(rare[sign] for sign in BLANKS),
        is_padded=is_padded,
    )


@dataclass(frozen=True)
class Lines:
    """The lines of a CSV file that are not rows with as many fields as the header.

    Attributes:
        ragged: The number of fields by line, if it differs from the header's.
        blank: The records that are blank lines; the header is record 1, and lines before it are not
            counted.
        starts: The line on which each record starts, the header first. None if each starts on the
            line of its own number.
    """

    ragged: dict[int, int] = field(default_factory=dict)
    blank: tuple[int, ...] = ()
    starts: pl.Series | None = None


def find_ragged_lines(uri: str) -> Lines:
    """Finds the lines of a CSV file that have more or fewer fields than the header.

    Lines are counted as in an editor, from 1. A quoted value may spread a record over several
    lines.

    Args:
        uri: The CSV file.
    """
    width = len(header(uri))
    separators = pl.col("line").str.replace_all('"[^"]*"', "").str.count_matches(",", literal=True)
    # Each line of a value that spans several lines has an odd number of quotes, or none.
    open_ended = pl.col("line").str.count_matches('"', literal=True) % 2 == 1
    lines = pl.scan_lines(uri, name="line", glob=False, **reader_options(uri))
    suspect = lines.filter((separators != width - 1) | open_ended).head(1).collect()
    # Most files have none. Otherwise, all lines are counted by the rules of quoting.
    if suspect.is_empty():
        return Lines()
    ragged: dict[int, int] = {}
    blank: list[int] = []
    starts: list[int] = []
    with open_bytes(uri) as file:
        for number, (line, record) in enumerate(_records(file), start=1):
            starts.append(line)
            if len(record) != width and _is_blank(record):
                blank.append(number)
            elif len(record) != width:
                ragged[line] = len(record)
    return Lines(ragged, tuple(blank), pl.Series(starts, dtype=pl.UInt32))


def _is_blank(record: list[str]) -> bool:
    return len(record) < 2 and not "".join(record).strip()


def line_not_utf8(uri: str) -> int | None:
    """Finds the first line that is not UTF-8 text; None if all are."""
    with open_bytes(uri) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return None


def _records(file: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    """Yields each record from the header on, and the line on which it starts."""
    text = TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    records = csv.reader(text)
    start, has_begun = 1, False
    for record in records:
        has_begun = has_begun or bool(record)
        if has_begun:
            yield start, record
        start = records.line_num + 1
