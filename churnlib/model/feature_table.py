"""A feature table read in parts, because it may be larger than memory."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from churnlib.io import datasets
from churnlib.io.datasets import DatasetRef
from churnlib.io.hashing import hashes, is_below
from churnlib.schemas.columns import CHAR_ID, DAY, SUB_START_DATE, day_column
from churnlib.schemas.validation import as_frame

PART = 2**15
"""Rows per part."""


@dataclass(frozen=True)
class FeatureTable:
    """The rows of a table, optionally filtered.

    Attributes:
        table: The feature table, in a file or in memory.
        height: Number of its rows, before the filter.
        keep: The filter; None keeps all rows.
        size: Rows per part, before the filter.
    """

    table: pl.LazyFrame
    height: int
    keep: pl.Expr | None = None
    size: int = PART

    @classmethod
    def of(cls, rows: "pl.DataFrame | pl.LazyFrame | FeatureTable") -> "FeatureTable":
        """Wraps a frame; returns a feature table unchanged.

        Raises:
            DataError: `rows` is of another type.
        """
        if isinstance(rows, FeatureTable):
            return rows
        frame = as_frame(rows, "the feature table")
        return cls(frame.lazy(), frame.height)

    @classmethod
    def read(cls, features: DatasetRef) -> "FeatureTable":
        """Opens a dataset.

        Raises:
            DataError: See `churnlib.io.datasets.scan`.
        """
        table = datasets.scan(features)
        height = table.select(pl.len()).collect().item()
        if height <= PART:  # Fits in memory, and fitting reads it many times.
            table = datasets.read(features).lazy()
        return cls(table, height)

    @property
    def day(self) -> str:
        """The column of the day of each row."""
        return day_column(self.table.collect_schema())

    @property
    def is_monthly(self) -> bool:
        """Whether subscriptions have rows on other days than their start, filtered or not.

        Then a subscription may have several rows, whose label windows overlap.
        """
        if not {DAY, SUB_START_DATE} <= set(self.table.collect_schema()):
            return False
        is_later = (pl.col(DAY) != pl.col(SUB_START_DATE)).any()
        return bool(self.table.head(self.height).select(is_later).collect().item())

    def where(self, condition: pl.Expr) -> "FeatureTable":
        """Keeps only the rows that meet a condition."""
        return replace(self, keep=condition if self.keep is None else self.keep & condition)

    def sample(self, most: int) -> "FeatureTable":
        """Keeps a random sample of the characters, the same in every run.

        The rows of a character are in the sample, or none; there is at least one character. Without
        `char_id`, rows are drawn.

        Args:
            most: The most rows to keep.
        """
        if CHAR_ID not in self.table.collect_schema():
            rows = self.collect()
            return FeatureTable.of(rows.sample(min(most, len(rows)), seed=0))
        hashed = np.sort(hashes(self.columns(CHAR_ID)[CHAR_ID]))
        if len(hashed) <= most:
            return self
        return self.where(is_below(max(int(hashed[most]), int(hashed[0]) + 1), CHAR_ID))

    def columns(self, *names: str) -> pl.DataFrame:
        """Reads some columns of all rows."""
        return self._kept(self.table.head(self.height)).select(names).collect()

    def collect(self) -> pl.DataFrame:
        """Reads all rows."""
        return pl.concat(self)

    @property
    def parts(self) -> range:
        """The numbers of the parts; an empty table has one, so that its columns are known."""
        return range(-(-max(self.height, 1) // self.size))

    def part(self, number: int) -> pl.DataFrame:
        """Reads one part; it may be empty."""
        return self._part(number).collect()

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Reads one part after another."""
        return map(self.part, self.parts)

    def select_parts(self, *names: str) -> Iterator[pl.DataFrame]:
        """Reads some columns, one part after another."""
        return (self._part(number).select(names).collect() for number in self.parts)

    def _part(self, number: int) -> pl.LazyFrame:
        start = number * self.size
        length = min(self.size, self.height - start)
        return self._kept(self.table.slice(start, length))

    def _kept(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        return frame if self.keep is None else frame.filter(self.keep)
