"""The facts of each column of a file: the type of its values, nulls, and what they range over."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from churnlib.proposal.sources import Source
from churnlib.proposal.text_format import TextFormat
from churnlib.proposal.values import Reader, Type

DIRTY_SHARE = 0.01
"""The share of cells up to which those that are not of a column's type are faults of theirs."""


@dataclass(frozen=True, eq=False)
class Column:
    """What is known of a column.

    Attributes:
        name: Its name in the file.
        reader: How its values are read.
        rows: The number of rows.
        nulls: The number of cells that are null.
        faults: The number of cells that are not of its type.
        distinct: The number of different values, null left out.
        least: The least value; None if there is none.
        greatest: The greatest value.
        is_days: Whether all times are midnights.
        is_months: Whether all are the first of a month.
        is_whole: Whether all numbers are whole.
        null_words: Cells that seem to mean null.
        no_days: Days that seem to mean "no date".
        is_ambiguous: Whether all days also fit a format with day and month the other way round.
        values: The values, from the rows of the file.
    """

    name: str
    reader: Reader
    rows: int
    nulls: int
    faults: int
    distinct: int
    least: Any
    greatest: Any
    is_days: bool
    is_months: bool
    is_whole: bool
    null_words: tuple[str, ...]
    no_days: tuple[str, ...]
    is_ambiguous: bool
    values: pl.Expr

    @property
    def type(self) -> Type:
        """The type of its values."""
        return self.reader.type

    @property
    def is_complete(self) -> bool:
        """Whether no value is missing."""
        return self.nulls == 0

    @property
    def is_empty(self) -> bool:
        """Whether it has no values at all."""
        return self.nulls == self.rows

    @property
    def is_day(self) -> bool:
        """Whether its values are days."""
        return self.type == "time" and self.is_days

    @property
    def may_be_id(self) -> bool:
        """Whether its values may be ids."""
        return self.type in ("whole", "text") and not self.is_empty

    @property
    def is_key(self) -> bool:
        """Whether its values may be the ids of rows: all are different, but for a few copies."""
        return self.may_be_id and self.distinct >= max(2, (1 - DIRTY_SHARE) * self.rows)

    @property
    def is_zero_or_one(self) -> bool:
        """Whether its values are 0 and 1."""
        return self.type == "whole" and (self.least, self.greatest) == (0, 1)


@dataclass(frozen=True, eq=False)
class File:
    """What is known of a file, or of several that are one table.

    Attributes:
        source: Where it is.
        text: How its text is written; None for Parquet.
        rows: The number of its rows.
        columns: Its columns by name.
        frame: Its values, typed.
    """

    source: Source
    text: TextFormat | None
    rows: int
    columns: Mapping[str, Column]
    frame: pl.LazyFrame

    @property
    def name(self) -> str:
        """The name of the file, folder or pattern."""
        return self.source.name

    def where(self, *types: Type) -> list[Column]:
        """Its columns of some types."""
        return [column for column in self.columns.values() if column.type in types]


def day_of(value: Any) -> date | None:
    """The day of a time; None for None."""
    return None if value is None else value if type(value) is date else value.date()
