"""The rows of a dated table by character, and those that the rows of a cohort see."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from churnlib.features.cached import cached_property
from churnlib.features.row_runs import Floats, Integers, RowRuns, first_not_below
from churnlib.months import first_days, month_index, months_of
from churnlib.schemas.columns import CHAR_ID

NEVER = np.iinfo(np.int32).max
"""A date after all others."""


@dataclass(frozen=True)
class Clock:
    """When facts are visible to the rows of a cohort.

    Attributes:
        as_of: The day of the run; what becomes known later is not read.
        known_after_days: The days from that of a fact to that on which it becomes known.
        day: The column of the cohort with the day of each row.
    """

    as_of: date
    known_after_days: int
    day: str

    def last_visible(self) -> pl.Expr:
        """The day of the last fact that a row of the cohort may see."""
        known = pl.min_horizontal(self.day, pl.lit(self.as_of))
        return known - timedelta(days=self.known_after_days)

    def visible(self, facts: pl.LazyFrame, time: str, rows: pl.DataFrame) -> pl.LazyFrame:
        """The facts that any row of the cohort may see.

        Args:
            facts: The facts.
            time: Their column with the day or the time.
            rows: The cohort.
        """
        last = rows.select(self.last_visible().max()).item()
        return facts.filter(pl.col(time) < (date.min if last is None else last + timedelta(days=1)))


class CharacterRows:
    """The rows of a table, each character's together and in order of time.

    Attributes:
        rows: The rows.
        day: The date of each row, in days since 1970; after the last row, `NEVER`.
        characters: One row per character: `char_id`, its `_first` row, and `_end`, the row after
            its last one.
    """

    def __init__(self, rows: pl.DataFrame, time: str) -> None:
        """Takes rows in any order, and sorts them unless they are sorted.

        Args:
            rows: The rows.
            time: Their column with the day or the time.
        """
        if not self._take(rows, time):
            self._take(rows.sort(CHAR_ID, time), time)

    def _take(self, rows: pl.DataFrame, time: str) -> bool:
        """Stores the rows in their order, and returns whether that is the sorted order."""
        self.rows, char_id, times = rows, rows[CHAR_ID], rows[time].to_physical().to_numpy()
        self.day = np.append(rows[time].cast(pl.Date).to_physical().to_numpy(), NEVER)
        ids = (char_id if char_id.dtype.is_integer() else char_id.rle_id()).to_numpy()
        changes = ids[1:] != ids[:-1]
        first = np.append(0, np.flatnonzero(changes) + 1)[: len(ids)]
        self.characters = pl.DataFrame(
            {
                CHAR_ID: char_id.gather(first),
                "_first": first,
                "_end": np.append(first, len(ids))[1:],
            }
        )
        self._repeats = ~changes & (times[1:] == times[:-1])
        ascends = changes | (times[1:] >= times[:-1])
        return bool(ascends.all()) and not self.characters[CHAR_ID].is_duplicated().any()

    @cached_property
    def of_characters(self) -> RowRuns:
        """The rows of each character."""
        return RowRuns(*(self.characters[name].to_numpy() for name in ("_first", "_end")))

    @cached_property
    def ties(self) -> RowRuns:
        """The rows of each character and time that has several, whose order means nothing."""
        bounds = np.flatnonzero(np.diff(self._repeats, prepend=False, append=False))
        return RowRuns(bounds[::2], bounds[1::2] + 1)


class SeenRuns:
    """The runs of a table's rows that the rows of a cohort see.

    Attributes:
        runs: The runs of those that see any.
        sees_any: Whether each row of the cohort sees any.
    """

    def __init__(self, first: Integers, end: Integers) -> None:
        self.sees_any = end > first
        self.runs = RowRuns(first[self.sees_any], end[self.sees_any])

    def align(self, values: Floats | Integers, otherwise: float = np.nan) -> pl.Series:
        """Aligns the values of runs with the cohort; NaN becomes null.

        Args:
            values: The values.
            otherwise: The value of rows that see nothing.
        """
        aligned = np.full(len(self.sees_any), otherwise, dtype=np.float64)
        aligned[self.sees_any] = values
        return pl.Series(aligned, nan_to_null=True)


class VisibleRows:
    """The rows of a table that are visible to each row of a cohort.

    Attributes:
        day: The day of each row of the cohort, in days since 1970.
        month: Its month, counted as by `churnlib.months.month_index`.
        first: The first row of its character.
        end: The row after the last visible one.
    """

    def __init__(self, cohort: pl.DataFrame, table: CharacterRows, clock: Clock) -> None:
        """Finds the rows that are visible.

        Args:
            cohort: The rows of the cohort.
            table: The table.
            clock: When its rows become known.
        """
        self._table = table
        bounds = cohort.select(
            CHAR_ID,
            _last=clock.last_visible().to_physical(),
            _day=pl.col(clock.day).to_physical(),
            _month=month_index(pl.col(clock.day)),
        ).join(table.characters, on=CHAR_ID, how="left", maintain_order="left")
        first, end = (bounds[name].fill_null(0).to_numpy() for name in ("_first", "_end"))
        last = bounds["_last"].to_numpy()
        self.day, self.month = bounds["_day"].to_numpy(), bounds["_month"].to_numpy()
        months = months_of(last) - months_of(table.day.take(first))
        self.first = first
        self.end = first_not_below(table.day, last + 1, first, end, first + months + 1)

    def since(self, day: Integers, guess: Integers | None = None) -> Integers:
        """The first visible row of each that is not dated before a day.

        Args:
            day: The day for each row of the cohort, in days since 1970.
            guess: The likely answer; by default the first row.
        """
        guess = self.first if guess is None else guess
        return first_not_below(self._table.day, day, self.first, self.end, guess)

    def of_months(self, months: int | None) -> SeenRuns:
        """The visible rows of the last calendar months, that of the day included; all if None."""
        if months is None:
            return SeenRuns(self.first, self.end)
        oldest = first_days(self.month + 1 - months)
        return SeenRuns(self.since(oldest, self.end - months), self.end)
