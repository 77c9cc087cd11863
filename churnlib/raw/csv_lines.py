"""The lines of a CSV file, looked at for how many fields they have.

A reader of CSV files fills up a short line with nulls and cuts off a long one; either way every
value of the line may stand in a wrong column.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import TextIOWrapper

import polars as pl

from churnlib.io.storage import open_bytes, reader_options


def header(uri: str) -> list[str]:
    """The names in the first line of a CSV file that is not blank."""
    return next((record for _, record in _records(uri)), [])


@dataclass(frozen=True)
class Lines:
    """What is to be known of the lines of a CSV file that are not each a row as the header has it.

    Attributes:
        ragged: By line, how many fields it has, where these are more or fewer than in the header.
        blank: The records that stand for no row; the header is record 1, a line before it none.
        starts: The line on which each record starts, the header first. Null where each starts on
            the line of its own number.
    """

    ragged: dict[int, int] = field(default_factory=dict)
    blank: tuple[int, ...] = ()
    starts: pl.Series | None = None


def look_at_lines(uri: str) -> Lines:
    """Finds the lines of a CSV file that have not as many fields as the header.

    Lines are counted as an editor counts them, from 1. A record is what a reader takes for one: a
    quoted value may make it go over several lines.

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
    for number, (line, record) in enumerate(_records(uri), start=1):
        starts.append(line)
        if len(record) != width and _is_blank(record):
            blank.append(number)
        elif len(record) != width:
            ragged[line] = len(record)
    return Lines(ragged, tuple(blank), pl.Series(starts, dtype=pl.UInt32))


def _is_blank(record: list[str]) -> bool:
    return len(record) < 2 and not "".join(record).strip()


def line_not_utf8(uri: str) -> int | None:
    """Finds the first line that is no UTF-8 text; null where there is none."""
    with open_bytes(uri) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return None


def _records(uri: str) -> Iterator[tuple[int, list[str]]]:
    """Yields each record from the header on, and the line on which it starts."""
    with open_bytes(uri) as file:
        text = TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
        records = csv.reader(text)
        start, begun = 1, False
        for record in records:
            begun = begun or bool(record)
            if begun:
                yield start, record
            start = records.line_num + 1
