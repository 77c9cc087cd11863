"""Categories that read alike: values that differ only in letter case, blanks or encoding.

Each spelling is a category of its own to a model, so that a feed that changes from `Orc` to `ORC`
looks like a new race. They are counted while a table is checked, and kept in its footer.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import polars as pl

from churnlib.schemas.spec import TableSpec
from churnlib.shown import one_line

Spellings = Mapping[str, Sequence[Mapping[str, Sequence[tuple[str, int]]]]]
"""By column, the values that are written in several ways: for each way, pairs of an ISO day and the
number of rows that became known on it."""

MOST_VALUES = 1_000
"""Columns with more values are not judged: they are free text."""
SHOWN = 5
"""The number of values that are kept, and of ways of writing each, those with the most rows."""
PENDING = 2**20
"""Counts that may wait before they are added up."""

_VALUE, _DAY, _ROWS = "value", "day", "rows"


class SpellingCounts:
    """Counts the rows of a raw table by category and by the day on which they became known."""

    def __init__(self, spec: TableSpec) -> None:
        """Starts with no rows.

        Args:
            spec: The raw table's record.
        """
        self._counts: dict[str, list[pl.DataFrame]] = {
            name: [] for name in spec.of_kind("category")
        }

    def add(self, rows: pl.DataFrame, days: pl.Series) -> None:
        """Counts rows, given the day on which each became known."""
        for name in [*self._counts]:
            values = pl.DataFrame({_VALUE: rows[name], _DAY: days}).drop_nulls()
            parts = self._counts[name]
            parts.append(values.group_by(_VALUE, _DAY).agg(pl.len().cast(pl.Int64).alias(_ROWS)))
            if sum(map(len, parts)) > PENDING:
                self._add_up(name)

    def _add_up(self, name: str) -> None:
        """Adds up the counts of a column; leaves it out if it has too many values."""
        counts = pl.concat(self._counts[name]).group_by(_VALUE, _DAY).agg(pl.col(_ROWS).sum())
        if counts[_VALUE].n_unique() > MOST_VALUES:
            del self._counts[name]
        else:
            self._counts[name] = [counts]

    def found(self) -> Spellings:
        """The values that are written in several ways, those with the most rows of others first."""
        for name in [name for name, parts in self._counts.items() if parts]:
            self._add_up(name)
        found = {name: _alike(parts[0]) for name, parts in self._counts.items() if parts}
        return {name: groups for name, groups in found.items() if groups}


def _alike(counts: pl.DataFrame) -> list[dict[str, list[tuple[str, int]]]]:
    totals = dict(counts.group_by(_VALUE).agg(pl.col(_ROWS).sum()).iter_rows())
    groups: dict[str, list[str]] = {}
    for value in sorted(totals, key=lambda value: (-totals[value], value)):
        groups.setdefault(reads_as(value), []).append(value)
    several = [values for values in groups.values() if len(values) > 1]
    several.sort(key=lambda values: -sum(totals[value] for value in values[1:]))
    by_day = counts.sort(_VALUE, _DAY).partition_by(_VALUE, as_dict=True)
    return [
        {value: _pairs(by_day[(value,)]) for value in values[:SHOWN]} for values in several[:SHOWN]
    ]


def _pairs(counts: pl.DataFrame) -> list[tuple[str, int]]:
    return [(day.isoformat(), rows) for day, rows in counts.select(_DAY, _ROWS).iter_rows()]


def reads_as(value: str) -> str:
    """What a value reads as, whatever its letter case, blanks and encoding."""
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def spelling_warnings(found: Spellings, as_of: date) -> dict[str, int]:
    r"""The data warnings of categories that are written in several ways.

    Args:
        found: See `SpellingCounts.found`.
        as_of: The day of the run; rows that became known later do not count.

    Returns:
        For each column, the number of rows with another than the most frequent spelling.

    >>> found = {"race": [{"Orc": [("2024-01-01", 90)], "orc": [("2024-02-01", 10)]}]}
    >>> spelling_warnings(found, date(2024, 1, 31))
    {}
    >>> [(text, rows)] = spelling_warnings(found, date(2024, 2, 1)).items()
    >>> print(text)  # doctest: +ELLIPSIS
    race is written in several ways, which ...: "Orc" (90 rows), "orc" (10 rows)
    >>> rows
    10
    """
    return dict(filter(None, (_warning(name, found[name], as_of.isoformat()) for name in found)))


def _warning(
    column: str, groups: Sequence[Mapping[str, Sequence[tuple[str, int]]]], until: str
) -> tuple[str, int] | None:
    known = [list(_known(group, until)) for group in groups]
    several = [ways for ways in known if len(ways) > 1]
    if not several:
        return None
    text = (
        f"{column} is written in several ways, which count as different values (write them alike; "
        f"raw.categories can refuse others): {'; '.join(map(_listed, several))}"
    )
    return text, sum(rows for ways in several for _, rows in ways[1:])


def _listed(ways: Sequence[tuple[str, int]]) -> str:
    return ", ".join(
        f'"{one_line(value)}" ({rows:,} row{"s"[: rows != 1]})' for value, rows in ways
    )


def _known(group: Mapping[str, Sequence[tuple[str, int]]], until: str) -> Iterator[tuple[str, int]]:
    """The ways of writing a value by a day, and the rows with each, the most frequent first."""
    rows = {value: sum(n for day, n in days if day <= until) for value, days in group.items()}
    yield from sorted(((v, n) for v, n in rows.items() if n), key=lambda way: -way[1])
