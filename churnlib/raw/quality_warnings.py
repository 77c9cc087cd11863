"""Implausible facts in the raw tables: counted and reported, but the rows are kept.

They are counted by day once, while a table is checked, and the footer of the checked table keeps
the counts: they answer for any day of a run without reading a row.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl
from polars import selectors as cs

from churnlib.io.footer import footer
from churnlib.months import last_day
from churnlib.raw.batches import batches_of
from churnlib.raw.decimal_points import DecimalPoints
from churnlib.raw.parents import join_parents, read_parents
from churnlib.raw.spellings import SpellingCounts
from churnlib.schemas.columns import CHAR_ID, CREATION_DATE
from churnlib.schemas.spec import DataWarning, TableSpec

ByDay = Mapping[str, Sequence[tuple[str, int]]]
"""For all rows, and for those with each data warning, pairs of an ISO day and the number of rows
that became known on it."""
PLAUSIBLE = (date(1990, 1, 1), date(2100, 12, 31))
"""Plausible days. Fixed, because the clock is not read, and a later extract rightly contains rows
dated after the day of a run."""
LATER = "dated after the month of the run, so not read"
"""The data warning of rows after the day of a run, if that day was derived from the data."""
ROWS_BY_DAY = "rows_by_day"
"""The fact in the footer of a checked table that has the counts by day."""

ROWS_BY_AGE = "rows_by_age"
"""The same for the rows that are complete some months later, by the number of these months; see
`churnlib.schemas.spec.TableSpec.complete_after`."""
SPELLINGS = "spellings"
"""The fact with the categories that are written in several ways, if there are any; see
`churnlib.raw.spellings.Spellings`."""
MAX_AGE = 12
"""The number of months after which all rows count as complete."""

ROWS = "rows"
"""The name of the counts of all rows, beside those of data warnings."""
ROWS_AT_ONCE = 2**18
"""The rows whose parents are looked up at a time. Each look-up has a cost of its own, and these
rows have few columns, so they are more than are read at a time elsewhere."""
SHOWN_COLUMNS = 4
"""The number of undeclared columns that a data warning names."""

_DAY, _KNOWN, _AGE = "_day", "_known", "_age"


class DayCounts:
    """Counts the rows of a raw table, and those with a data warning, by the day they became known.

    Rows whose own date is null are not counted.
    """

    def __init__(self, spec: TableSpec, parent: pl.LazyFrame | None = None) -> None:
        """Starts with no rows.

        Args:
            spec: The raw table's record.
            parent: The checked table that every row must refer to. Data warnings that need it are
                not counted without it.
        """
        self._spec = spec
        self._parents = None if parent is None else read_parents(spec, parent)
        self._warnings = _warnings(spec, has_parent=parent is not None)
        self._counts: defaultdict[str, Counter[date]] = defaultdict(Counter)
        self._ages: defaultdict[int, Counter[date]] = defaultdict(Counter)
        self._spellings, self._points = SpellingCounts(spec), DecimalPoints(spec)
        self.orphans = 0
        """The number of rows whose parent is unknown; 0 without a parent table."""

    def add(self, rows: pl.DataFrame) -> None:
        """Counts rows.

        Args:
            rows: Rows of the checked table, in its order, those of a character together.
        """
        flags = [each.rows.fill_null(False).alias(each.text) for each in self._warnings]
        beside = self._beside_parents(rows)
        marked = beside.select(self._spec.known_on.alias(_DAY), *flags)
        self._count(ROWS, marked[_DAY])
        self._count_ages(rows, marked[_DAY])
        self._spellings.add(rows, marked[_DAY])
        self._points.add(rows, marked[_DAY])
        for each in self._warnings:
            if marked[each.text].any():
                found = beside.filter(marked[each.text])
                self._count(each.text, found.select(_day_of(each, self._spec))[_DAY])

    def _count(self, text: str, days: pl.Series) -> None:
        self._counts[text].update(_count_days(days))

    def _count_ages(self, rows: pl.DataFrame, days: pl.Series) -> None:
        if self._spec.complete_after is None:
            return
        age = self._spec.complete_after.fill_null(0).clip(0, MAX_AGE).alias(_AGE)
        ages = rows.select(age).with_columns(days.alias(_DAY))
        for (months,), aged in ages.partition_by(_AGE, as_dict=True).items():
            self._ages[months].update(_count_days(aged[_DAY]))

    def _beside_parents(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Adds the columns of the parents that warnings need."""
        if self._parents is None or self._spec.parent is None:
            return rows
        on = self._spec.parent.column
        parents = self._parents.read_on(rows[CHAR_ID]).with_columns(pl.lit(True).alias(_KNOWN))
        beside = join_parents(rows, parents, on)
        self.orphans += beside[_KNOWN].null_count()
        for add in (each.beside for each in self._warnings if each.beside):
            beside = add(beside, parents)
        return beside

    @property
    def by_day(self) -> ByDay:
        """The counts in plain data, days in order."""
        rows = self._counts[ROWS].total()
        told = (
            w.text for w in self._warnings if self._counts[w.text].total() >= w.least_share * rows
        )
        texts = (ROWS, *told)
        counts = {text: self._counts[text] for text in texts} | self._points.found()
        return {text: _sort_days(days) for text, days in counts.items() if days}

    def footer(self) -> dict[str, str]:
        """The counts, for the footer of the checked table."""
        by_age = {str(age): _sort_days(self._ages[age]) for age in sorted(self._ages)}
        spellings = self._spellings.found()
        alike = {SPELLINGS: spellings} if spellings else {}
        return footer(**{ROWS_BY_DAY: self.by_day, ROWS_BY_AGE: by_age, **alike})


def _warnings(spec: TableSpec, *, has_parent: bool) -> list[DataWarning]:
    """The data warnings that can be counted, with that of every table."""
    own = [each for each in spec.warnings if has_parent or not each.parent_columns]
    is_far = pl.any_horizontal(~cs.by_name(*_dates(spec)).cast(pl.Date).is_between(*PLAUSIBLE))
    text = f"date before {PLAUSIBLE[0].year} or after {PLAUSIBLE[1].year}"
    return [*own, DataWarning(text, is_far)]


def _day_of(warning: DataWarning, spec: TableSpec) -> pl.Expr:
    """The day from which a row has a data warning."""
    later = () if warning.known_on is None else (warning.known_on,)
    return pl.max_horizontal(spec.known_on, *later).alias(_DAY)


def _dates(spec: TableSpec) -> list[str]:
    """The days that should be in the game's time; other days of characters may be of birth."""
    others = {*spec.of_kind("date")} - {CREATION_DATE} if spec.kind == "entity" else ()
    dates = (name for name, dtype in spec.types.items() if dtype in (pl.Date, pl.Datetime))
    return [name for name in dates if name not in others]


def count_unknown_parents(checked: pl.LazyFrame, spec: TableSpec, parent: pl.LazyFrame) -> ByDay:
    """Counts the rows whose parent is unknown, where that is a data warning and not a fault.

    Data warnings that need the parent are counted as well, because `DayCounts` does not have it.

    Args:
        checked: The checked table.
        spec: The raw table's record.
        parent: The checked table that it refers to.
    """
    assert spec.parent is not None
    assert spec.parent.unknown is not None
    counts, on = defaultdict[str, Counter[date]](Counter), spec.parent.column
    flags = {w.text: w.rows.fill_null(False) for w in spec.warnings if w.parent_columns}
    roots = {name for flag in flags.values() for name in flag.meta.root_names()}
    own = [name for name in spec.types if name in {CHAR_ID, on, *roots}]
    parents = read_parents(spec, parent)
    for rows in batches_of(checked.select(*own, spec.known_on.alias(_DAY)), ROWS_AT_ONCE):
        near = parents.read_on(rows[CHAR_ID])
        distinct = rows[on].filter((rows[on] != rows[on].shift()).fill_null(True))
        unknown = distinct.filter(~distinct.is_in(near[on].implode()))
        if len(unknown):
            is_unknown = pl.col(on).is_in(unknown.implode())
            counts[spec.parent.unknown].update(_count_days(rows.filter(is_unknown)[_DAY]))
        beside = join_parents(rows, near, on)
        for text, flag in flags.items():
            counts[text].update(_count_days(beside.filter(flag)[_DAY]))
    return {text: _sort_days(days) for text, days in counts.items() if days}


def undeclared_warning(columns: Sequence[str]) -> str:
    """The data warning of columns that no table declares; it counts all rows.

    >>> undeclared_warning(["platform", ""])
    'not used, because no table declares the columns platform and one without a name'
    >>> undeclared_warning(["a", "b", "c", "d", "e", "f"])
    'not used, because no table declares the columns a, b, c, d and 2 more'
    """
    names = [name or "one without a name" for name in columns]
    shown = names if len(names) <= SHOWN_COLUMNS + 1 else [*names[:SHOWN_COLUMNS]]
    more = [f"{len(names) - len(shown)} more"] if len(shown) < len(names) else []
    *first, last = [*shown, *more]
    listed = f"{', '.join(first)} and {last}" if first else last
    return f"not used, because no table declares the column{'s' if first else ''} {listed}"


def _count_days(days: pl.Series) -> dict[date, int]:
    return dict(days.drop_nulls().value_counts().iter_rows())


def _sort_days(counts: Mapping[date, int]) -> list[tuple[str, int]]:
    return [(day.isoformat(), count) for day, count in sorted(counts.items())]


def rows_by_day(by_day: ByDay) -> dict[date, int]:
    """The number of rows that became known on each day."""
    return {date.fromisoformat(day): rows for day, rows in by_day.get(ROWS, ())}


def rows_after(by_day: ByDay, as_of: date) -> int:
    """Counts the rows that became known after the month of a day.

    Args:
        by_day: The counts by day; see `DayCounts`.
        as_of: The day of the run.
    """
    end = last_day(as_of)
    return sum(rows for day, rows in rows_by_day(by_day).items() if day > end)


def count_known(by_day: ByDay, as_of: date) -> tuple[int, dict[str, int]]:
    """Counts the rows that were known on a day.

    Args:
        by_day: The counts by day; see `DayCounts`.
        as_of: The day.

    Returns:
        The number of rows, and of those with each data warning that any row has.
    """
    until = as_of.isoformat()
    counts = {
        text: sum(rows for day, rows in days if day <= until) for text, days in by_day.items()
    }
    total = counts.pop(ROWS, 0)
    return total, {text: rows for text, rows in counts.items() if rows}
