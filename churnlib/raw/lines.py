"""The lines of a CSV file, looked at for how many fields they have.

A reader of CSV files fills up a short line with nulls and cuts off a long one; either way every
value of the line may stand in a wrong column.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import polars as pl


def header(uri: str) -> list[str]:
    """The names in the first line of a CSV file that is not blank."""
    return next(_records(uri), [])


def uneven_lines(uri: str) -> tuple[dict[int, int], list[int]]:
    """Finds the lines that have not as many fields as the header.

    Args:
        uri: The CSV file.

    Returns:
        By line, the header's being 1, how many fields it has; and the blank lines, which stand
        for no row. Where a quoted value goes over several lines, these count as one.
    """
    width = len(header(uri))
    separators = pl.col("line").str.replace_all('"[^"]*"', "").str.count_matches(",", literal=True)
    # A value that goes over several lines leaves each with an odd number of quotes, or none.
    open_ended = pl.col("line").str.count_matches('"', literal=True) % 2 == 1
    lines = pl.scan_lines(uri, name="line", glob=False)
    suspect = lines.filter((separators != width - 1) | open_ended).head(1).collect()
    # Most files have none. Where one has, all are counted by the rules of quoting.
    if suspect.is_empty():
        return {}, []
    uneven = [(n, r) for n, r in enumerate(_records(uri), start=1) if len(r) != width]
    ragged = {line: len(record) for line, record in uneven if not _is_blank(record)}
    return ragged, [line for line, record in uneven if _is_blank(record)]


def _is_blank(record: list[str]) -> bool:
    return len(record) < 2 and not "".join(record).strip()


def line_not_utf8(uri: str) -> int | None:
    """Finds the first line that is no UTF-8 text; null where there is none."""
    with Path(uri).open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return None


def _records(uri: str) -> Iterator[list[str]]:
    with Path(uri).open(encoding="utf-8-sig", errors="replace", newline="") as file:
        records = csv.reader(file)
        for record in records:
            if record:
                yield record
                break
        yield from records
