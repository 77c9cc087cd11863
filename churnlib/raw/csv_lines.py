"""The lines of a CSV file: their numbers of fields, and whether the fast reader can be used.

CSV readers pad a short line with nulls and truncate a long one; in both cases, every value of the
line may be in the wrong column.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO, TextIOWrapper
from typing import BinaryIO, NamedTuple

import numpy as np
import polars as pl

from churnlib.io.storage import open_bytes, reader_options

SIGNS = (b"+", b" ", b"\t", b"\v", b"\f", b"T00:")
"""What some parsers of numbers and days skip, and a midnight without a blank."""
AT_A_TIME = 2**20
"""Bytes to read at once."""
_VALUE = r'(?:[^",]*|"(?:[^"]|"")*")'
QUOTED_LINE = rf"^{_VALUE}(?:,{_VALUE})*\r?$"
"""A line whose quotes enclose whole values."""
_FIELD = re.compile(rf"{_VALUE}(?=,|\r?\n?$)")
_LONE_CR = re.compile(r"\r(?!\n)")


def header(uri: str) -> list[str]:
    """The names in the first line of a CSV file that is not blank."""
    with open_bytes(uri) as file:
        return _header(file)


def _header(file: BinaryIO) -> list[str]:
    return next((record.values for record in _records(file)), [])


@dataclass(frozen=True)
class Profile:
    """The format of a CSV file, before it is parsed.

    Attributes:
        names: The names in the header.
        lines: The number of lines, including a last one without a line end.
        commas: The number of commas.
        has_quotes: Whether there is a quote.
        has_signs: Whether there is one of `SIGNS`, or other text than ASCII.
        has_lone_cr: Whether there is a carriage return that ends no line.
    """

    names: list[str]
    lines: int
    commas: int
    has_quotes: bool
    has_signs: bool
    has_lone_cr: bool

    @property
    def is_plain(self) -> bool:
        """Whether each line seems to be a row of unquoted values between commas."""
        is_even = self.commas == (len(self.names) - 1) * self.lines
        is_clear = len(set(self.names)) == len(self.names)
        return is_even and is_clear and not (self.has_quotes or self.has_lone_cr)


def profile(uri: str) -> Profile:
    """Counts the characters of a CSV file that decide how to read it; the file is opened once."""
    counts, rare = dict.fromkeys(b"\n,", 0), dict.fromkeys((b'"', *SIGNS), False)
    names: list[str] | None = None
    last, is_odd, has_lone_cr = ord("\n"), False, False
    with open_bytes(uri) as file:
        while part := file.read(AT_A_TIME):
            names = _header(BytesIO(part)) if names is None else names
            values = np.frombuffer(part, dtype=np.uint8)
            for byte in counts:
                counts[byte] += int(np.count_nonzero(values == byte))
            for sign in rare:
                rare[sign] = rare[sign] or sign in part
            is_odd = is_odd or not part.isascii()
            has_lone_cr = has_lone_cr or _has_lone_cr(last, part)
            last = part[-1]
    return Profile(
        names=names or [],
        lines=counts[ord("\n")] + (last != ord("\n")),
        commas=counts[ord(",")],
        has_quotes=rare[b'"'],
        has_signs=is_odd or any(rare[sign] for sign in SIGNS),
        has_lone_cr=has_lone_cr or last == ord("\r"),
    )


def _has_lone_cr(before: int, part: bytes) -> bool:
    """Whether a carriage return is not followed by a line feed, given the byte before the part."""
    text = b"\r" + part if before == ord("\r") else part
    return text.removesuffix(b"\r").count(b"\r") != text.count(b"\r\n")


class Stray(NamedTuple):
    """Quotes that are not closed, or join lines.

    Attributes:
        first: The line of the quote that opens, or that does not belong there.
        last: The last line that it joins; None if it does not close.
        column: The column.
    """

    first: int
    last: int | None
    column: str


@dataclass(frozen=True)
class Lines:
    """The lines of a CSV file that are not rows with as many fields as the header.

    Attributes:
        ragged: The number of fields by line, if it differs from the header's.
        blank: The records that are blank lines; the header is record 1, and lines before it are not
            counted.
        starts: The line on which each record starts, the header first. None if each starts on the
            line of its own number.
        strays: The stray quotes. With any, rows cannot be told apart.
    """

    ragged: dict[int, int] = field(default_factory=dict)
    blank: tuple[int, ...] = ()
    starts: pl.Series | None = None
    strays: tuple[Stray, ...] = ()


def find_unusual_lines(uri: str) -> Lines:
    """Finds the lines of a CSV file that are not rows with as many fields as the header.

    Lines are counted as in an editor, from 1. A quoted value may spread a record over several
    lines.

    Args:
        uri: The CSV file.
    """
    names = header(uri)
    width, line = len(names), pl.col("line")
    separators = line.str.replace_all('"[^"]*"', "").str.count_matches(",", literal=True)
    # Each line of a value that spans several lines has an odd number of quotes, or none.
    is_unusual = line.str.contains('"', literal=True) & ~line.str.contains(QUOTED_LINE)
    lines = pl.scan_lines(uri, name="line", glob=False, **reader_options(uri))
    suspect = lines.filter((separators != width - 1) | is_unusual).head(1).collect()
    # Most files have none. Otherwise, all lines are counted by the rules of quoting.
    if suspect.is_empty():
        return Lines()
    ragged: dict[int, int] = {}
    blank: list[int] = []
    starts: list[int] = []
    strays: list[Stray] = []
    with open_bytes(uri) as file:
        for number, record in enumerate(_records(file), start=1):
            starts.append(record.start)
            if record.is_stray or _has_rows_inside(record.values, width):
                strays.append(record.stray(names))
            if len(record.values) != width and _is_blank(record.values):
                blank.append(number)
            elif len(record.values) != width:
                ragged[record.start] = len(record.values)
    return Lines(ragged, tuple(blank), pl.Series(starts, dtype=pl.UInt32), tuple(strays))


def _has_rows_inside(values: list[str], width: int) -> bool:
    """Whether a value that spans lines seems to be the rest of a row, and the start of another."""
    for place, value in enumerate(values):
        if "\n" not in value:
            continue
        first, *between, last = (part.count(",") for part in value.split("\n"))
        if len(values) != width:
            return first + sum(between) + last >= width - 1
        is_row = first == width - 1 - place and last == place
        return is_row and all(commas == width - 1 for commas in between)
    return False


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


class _Record(NamedTuple):
    """A record of a CSV file.

    Attributes:
        start: The line on which it starts.
        end: The line on which it ends; None if a quote does not close.
        values: Its values.
        text: Its first line.
        is_stray: Whether it has a quote that does not belong there.
    """

    start: int
    end: int | None
    values: list[str]
    text: str
    is_stray: bool = False

    def stray(self, names: list[str]) -> Stray:
        """The place of its first stray quote."""
        place = at = 0
        while (match := _FIELD.match(self.text, at)) and place < len(names) - 1:
            place, at = place + 1, match.end() + 1
        return Stray(self.start, self.end, names[place])


def _records(file: BinaryIO) -> Iterator[_Record]:
    """Yields each record from the header on."""
    text = TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="\n")
    read: list[str] = []

    def lines() -> Iterator[str]:
        for line in text:
            read.append(line)
            yield _LONE_CR.sub(" ", line)

    records = csv.reader(lines(), strict=True)
    start, has_begun = 1, False
    while True:
        read.clear()
        try:
            values = next(records, None)
        except csv.Error as error:  # Text follows a quoted value, or a quote does not close.
            end = records.line_num if "expected after" in str(error) else None
            yield _Record(start, end, [], read[0], is_stray=True)
            return
        if values is None:
            return
        has_begun = has_begun or bool(values)
        if has_begun:
            is_odd = sum(line.count('"') for line in read) % 2 == 1
            yield _Record(start, records.line_num, values, read[0], is_odd)
        start = records.line_num + 1
