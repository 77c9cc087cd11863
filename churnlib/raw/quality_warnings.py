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
from churnlib.raw.external_sort import SortedReader, batches_of
from churnlib.schemas.columns import CHAR_ID
from churnlib.schemas.spec import TableSpec

ByDay = Mapping[str, Sequence[tuple[str, int]]]
"""For all rows, and for those with each data warning, pairs of an ISO day and the number of rows
that became known on it."""
PLAUSIBLE = (date(1990, 1, 1), date(2100, 12, 31))
"""Plausible days. Fixed, because the clock is not read, and a later extract rightly contains rows
dated after the day of a run."""
ROWS_BY_DAY = "rows_by_day"
"""The fact in the footer of a checked table that has the counts by day."""

_ROWS, _DAY, _UNKNOWN = "rows", "_day", "_unknown"


class DayCounts:
    """Counts the rows of a raw table, and those with a data warning, by the day they became known.

    Rows whose own date is null are not counted.
    """

    def __init__(self, spec: TableSpec, parent: pl.LazyFrame | None = None) -> None:
        """Starts with no rows.

        Args:
            spec: The raw table's record.
            parent: The checked table that it refers to. Data warnings that need it are not counted
                without it.
        """
        self._spec = spec
        self._parents = None if parent is None else _read_parents(spec, parent)
        self._flags = _flags(spec, has_parent=parent is not None)
        self._counts: defaultdict[str, Counter[date]] = defaultdict(Counter)
        self.orphans = 0
        """The number of rows whose parent is unknown; 0 without a parent table."""

    def add(self, rows: pl.DataFrame) -> None:
        """Counts rows.

        Args:
            rows: Rows of the checked table, in its order, those of a character together.
        """
        flags = [flag.fill_null(False).alias(text) for text, flag in self._flags.items()]
        marked = self._beside_parents(rows).select(self._spec.known_on.alias(_DAY), *flags)
        self._count(_ROWS, marked[_DAY])
        for text in self._flags:
            if marked[text].any():
                self._count(text, marked.filter(text)[_DAY])

    def _count(self, text: str, days: pl.Series) -> None:
        counted = days.drop_nulls().value_counts()
        self._counts[text].update(dict(counted.iter_rows()))

    def _beside_parents(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Adds the columns of the parents that warnings need, and whether the parent is unknown."""
        if self._parents is None or self._spec.parent is None or rows.is_empty():
            return rows
        on = self._spec.parent.column
        parents = self._parents.read_on(rows[CHAR_ID])
        distinct = rows[on].filter((rows[on] != rows[on].shift()).fill_null(True))
        is_simple = {*parents.columns} <= {CHAR_ID, on}
        if is_simple and distinct.is_in(parents[on].implode()).all():
            return rows.with_columns(pl.lit(False).alias(_UNKNOWN))
        known = parents.select(
            pl.exclude(CHAR_ID) if on != CHAR_ID else pl.all(), pl.lit(False).alias(_UNKNOWN)
        )
        beside = rows.join(known, on=on, how="left", maintain_order="left").with_columns(
            pl.col(_UNKNOWN).fill_null(True)
        )
        self.orphans += int(beside[_UNKNOWN].sum())
        return beside

    @property
    def by_day(self) -> ByDay:
        """The counts in plain data, days in order."""
        return {
            text: [(day.isoformat(), count) for day, count in sorted(self._counts[text].items())]
            for text in (_ROWS, *self._flags)
            if self._counts[text]
        }

    def footer(self) -> dict[str, str]:
        """The counts, for the footer of the checked table."""
        return footer(**{ROWS_BY_DAY: self.by_day})


def _read_parents(spec: TableSpec, parent: pl.LazyFrame) -> SortedReader:
    """Opens the columns of the parent that warnings and references need."""
    on = [spec.parent.column] if spec.parent else []
    needed = [name for warning in spec.warnings for name in warning.parent_columns]
    columns = parent.select(*dict.fromkeys((CHAR_ID, *on, *needed)))
    return SortedReader(batches_of(columns), CHAR_ID, columns.collect_schema())


def _flags(spec: TableSpec, *, has_parent: bool) -> Mapping[str, pl.Expr]:
    """A flag per row for each data warning."""
    flags = {w.text: w.rows for w in spec.warnings if has_parent or not w.parent_columns}
    if has_parent and spec.parent and spec.parent.unknown:
        flags[spec.parent.unknown] = pl.col(_UNKNOWN)
    is_far = pl.any_horizontal(~cs.by_name(*_dates(spec)).is_between(*PLAUSIBLE))
    return {**flags, f"date before {PLAUSIBLE[0].year} or after {PLAUSIBLE[1].year}": is_far}


def _dates(spec: TableSpec) -> list[str]:
    return [name for name, dtype in spec.types.items() if dtype == pl.Date]


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
    total = counts.pop(_ROWS, 0)
    return total, {text: rows for text, rows in counts.items() if rows}
