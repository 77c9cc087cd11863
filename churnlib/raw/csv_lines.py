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
_LONE_CR = re.compile(r"\r(?!\n)")


def _value(mark: str) -> str:
    """What a value of a line is, in quotes or not, as a regular expression."""
    return rf'(?:[^"{mark}]*|"(?:[^"]|"")*")'


def _mark(separator: str) -> str:
    """A separator in a regular expression; blanks may not be escaped in all of them."""
    return separator if separator.isspace() else re.escape(separator)


def quoted_line(separator: str = ",") -> str:
    """A line whose quotes enclose whole values, as a regular expression."""
    mark = _mark(separator)
    return rf"^{_value(mark)}(?:{mark}{_value(mark)})*\r?$"


def header(uri: str, separator: str = ",") -> list[str]:
    """The names in the first line of a CSV file that is not blank."""
    with open_bytes(uri) as file:
        return header_of(file, separator)


def header_of(file: BinaryIO, separator: str) -> list[str]:
    """The same of an open file."""
    return next((record.values for record in _records(file, separator)), [])


@dataclass(frozen=True)
class Profile:
    """The format of a CSV file, before it is parsed.

    Attributes:
        names: The names in the header.
        lines: The number of lines, including a last one without a line end.
        separators: The number of separators.
        has_quotes: Whether there is a quote.
        has_signs: Whether there is one of `SIGNS`, or other text than ASCII.
        has_lone_cr: Whether there is a carriage return that ends no line.
    """

    names: list[str]
    lines: int
    separators: int
    has_quotes: bool
    has_signs: bool
    has_lone_cr: bool

    @property
    def is_plain(self) -> bool:
        """Whether each line seems to be a row of unquoted values between separators."""
        is_even = self.separators == (len(self.names) - 1) * self.lines
        is_clear = len(set(self.names)) == len(self.names)
        return is_even and is_clear and not (self.has_quotes or self.has_lone_cr)


def profile(uri: str, separator: str = ",") -> Profile:
    """Counts the characters of a CSV file that decide how to read it; the file is opened once."""
    signs = [sign for sign in SIGNS if sign != separator.encode()]
    counts = dict.fromkeys((ord("\n"), ord(separator)), 0)
    rare = dict.fromkeys((b'"', *signs), False)
    names: list[str] | None = None
    last, is_odd, has_lone_cr = ord("\n"), False, False
    with open_bytes(uri) as file:
        while part := file.read(AT_A_TIME):
            names = header_of(BytesIO(part), separator) if names is None else names
            values = np.frombuffer(part, dtype=np.uint8)
            for byte in counts:
                counts[byte] += int(np.count_nonzero(values == byte))
            for sign in rare:
                # A single byte is found much faster than several.
                rare[sign] = rare[sign] or (sign[:1] in part and sign in part)
            is_odd = is_odd or not part.isascii()
            has_lone_cr = has_lone_cr or _has_lone_cr(last, part)
            last = part[-1]
    return Profile(
        names=names or [],
        lines=counts[ord("\n")] + (last != ord("\n")),
        separators=counts[ord(separator)],
        has_quotes=rare[b'"'],
        has_signs=is_odd or any(rare[sign] for sign in signs),
        has_lone_cr=has_lone_cr or last == ord("\r"),
    )


def _has_lone_cr(before: int, part: bytes) -> bool:
    """Whether a carriage return is not followed by a line feed, given the byte before the part."""
    text = b"\r" + part if before == ord("\r") else part
    return b"\r" in text and text.removesuffix(b"\r").count(b"\r") != text.count(b"\r\n")


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
        width: The number of fields of the header.
    """

    ragged: dict[int, int] = field(default_factory=dict)
    blank: tuple[int, ...] = ()
    starts: pl.Series | None = None
    strays: tuple[Stray, ...] = ()
    width: int = 0


def find_unusual_lines(uri: str, separator: str = ",") -> Lines:
    """Finds the lines of a CSV file that are not rows with as many fields as the header.

    Lines are counted as in an editor, from 1. A quoted value may spread a record over several
    lines.

    Args:
        uri: The CSV file.
        separator: The character between its values.
    """
    names = header(uri, separator)
    width, line = len(names), pl.col("line")
    separators = line.str.replace_all('"[^"]*"', "").str.count_matches(separator, literal=True)
    # Each line of a value that spans several lines has an odd number of quotes, or none.
    is_quoted = line.str.contains('"', literal=True)
    is_unusual = is_quoted & ~line.str.contains(quoted_line(separator))
    lines = pl.scan_lines(uri, name="line", glob=False, **reader_options(uri))
    suspect = lines.filter((separators != width - 1) | is_unusual).head(1).collect()
    # Most files have none. Otherwise, all lines are counted by the rules of quoting.
    return Lines(width=width) if suspect.is_empty() else _count_fields(uri, names, separator)


def _count_fields(uri: str, names: list[str], separator: str) -> Lines:
    """Counts the fields of every line by the rules of quoting."""
    ragged: dict[int, int] = {}
    blank: list[int] = []
    starts: list[int] = []
    strays: list[Stray] = []
    width = len(names)
    with open_bytes(uri) as file:
        for number, record in enumerate(_records(file, separator), start=1):
            starts.append(record.start)
            if record.is_stray or _has_rows_inside(record.values, width, separator):
                strays.append(record.stray(names, separator))
            if len(record.values) != width and _is_blank(record.values):
                blank.append(number)
            elif len(record.values) != width:
                ragged[record.start] = len(record.values)
    lines = pl.Series(starts, dtype=pl.UInt32)
    return Lines(ragged, tuple(blank), lines, tuple(strays), width)


def count_lines(uri: str) -> int:
    """The number of lines of a file, including a last one without a line end."""
    count, last = 0, b"\n"
    with open_bytes(uri) as file:
        while part := file.read(AT_A_TIME):
            count, last = count + part.count(b"\n"), part[-1:]
    return count + (last != b"\n")


def _has_rows_inside(values: list[str], width: int, separator: str) -> bool:
    """Whether a value that spans lines seems to be the rest of a row, and the start of another."""
    for place, value in enumerate(values):
        if "\n" not in value:
            continue
        first, *between, last = (part.count(separator) for part in value.split("\n"))
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

    def stray(self, names: list[str], separator: str) -> Stray:
        """The place of its first stray quote."""
        place = at = 0
        mark = _mark(separator)
        value = re.compile(rf"{_value(mark)}(?={mark}|\r?\n?$)")
        while (match := value.match(self.text, at)) and place < len(names) - 1:
            place, at = place + 1, match.end() + 1
        return Stray(self.start, self.end, names[place])


def _records(file: BinaryIO, separator: str) -> Iterator[_Record]:
    """Yields each record from the header on."""
    text = TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="\n")
    read: list[str] = []

    def lines() -> Iterator[str]:
        for line in text:
            read.append(line)
            yield _LONE_CR.sub(" ", line)

    records = csv.reader(lines(), strict=True, delimiter=separator)
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
