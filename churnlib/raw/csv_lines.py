"""The lines of a CSV file: how many fields each has, and whether they can be read the fast way.

A reader of CSV files fills up a short line with nulls and cuts off a long one; either way every
value of the line may be in a wrong column.
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
AT_A_TIME = 2**20
"""Bytes that are read at once."""


def header(uri: str) -> list[str]:
    """The names in the first line of a CSV file that is not blank."""
    with open_bytes(uri) as file:
        return _header(file)


def _header(file: BinaryIO) -> list[str]:
    return next((record for _, record in _records(file)), [])


@dataclass(frozen=True)
class Profile:
    """What a CSV file looks like, before any of it is parsed.

    Attributes:
        names: The names in the header.
        lines: How many lines there are, a last one without an end included.
        commas: How many commas there are.
        has_quotes: Whether there is a quote.
        has_signs: Whether there is a plus or a blank.
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
        """Whether each line seems to be a row, whose values lie between the commas as they are."""
        is_even = self.commas == (len(self.names) - 1) * self.lines
        is_clear = len(set(self.names)) == len(self.names)
        return is_even and is_clear and not (self.has_quotes or self.is_padded)


def profile(uri: str) -> Profile:
    """Counts the characters of a CSV file that decide how to read it; the file is opened once."""
    counts = dict.fromkeys(b'\n,"+ \t', 0)
    names: list[str] | None = None
    last, is_padded = ord("\n"), False
    with open_bytes(uri) as file:
        while part := file.read(AT_A_TIME):
            names = _header(BytesIO(part)) if names is None else names
            values = np.frombuffer(part, dtype=np.uint8)
            for sign in counts:
                counts[sign] += int(np.count_nonzero(values == sign))
            if counts[ord(" ")] or counts[ord("\t")]:
                is_padded = is_padded or PADDED.search(bytes([last]) + part) is not None
            last = part[-1]
    return Profile(
        names=names or [],
        lines=counts[ord("\n")] + (last != ord("\n")),
        commas=counts[ord(",")],
        has_quotes=counts[ord('"')] > 0,
        has_signs=any(counts[sign] for sign in b"+ \t"),
        is_padded=is_padded,
    )


@dataclass(frozen=True)
class Lines:
    """The lines of a CSV file that are not each a row with as many fields as the header.

    Attributes:
        ragged: The number of fields by line, where it is not that of the header.
        blank: The records that are no row; the header is record 1, a line before it none.
        starts: The line on which each record starts, the header first. None where each starts on
            the line of its own number.
    """

    ragged: dict[int, int] = field(default_factory=dict)
    blank: tuple[int, ...] = ()
    starts: pl.Series | None = None


def find_ragged_lines(uri: str) -> Lines:
    """Finds the lines of a CSV file that have not as many fields as the header.

    Lines are counted as an editor counts them, from 1. A record is what a reader takes for one: a
    quoted value may spread it over several lines.

    Args:
        uri: The CSV file.
    """
    width = len(header(uri))
    separators = pl.col("line").str.replace_all('"[^"]*"', "").str.count_matches(",", literal=True)
    # A value that goes over several lines leaves each with an odd number of quotes, or none.
    open_ended = pl.col("line").str.count_matches('"', literal=True) % 2 == 1
    lines = pl.scan_lines(uri, name="line", glob=False, **reader_options(uri))
    suspect = lines.filter((separators != width - 1) | open_ended).head(1).collect()
    # Most files have none. Where one has, all are counted by the rules of quoting.
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
    """Finds the first line that is not UTF-8 text; None where all are."""
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
