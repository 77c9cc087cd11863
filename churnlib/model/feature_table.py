"""Rows of a feature table, read in parts, so that more can be worked through than memory holds."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl

from churnlib.io import datasets
from churnlib.io.datasets import DatasetRef
from churnlib.schemas.validation import as_frame

PART = datasets.ROWS_PER_GROUP
"""Rows a part: one row group of a Parquet file, so that each is read once."""


@dataclass(frozen=True)
class FeatureTable:
    """The first rows of a table, or those of them that a condition keeps.

    Attributes:
        table: The feature table; in a file, or in memory.
        height: How many of its rows there are to choose from.
        keep: Which are kept; all if null.
        size: How many rows are looked at, a part.
    """

    table: pl.LazyFrame
    height: int
    keep: pl.Expr | None = None
    size: int = PART

    @classmethod
    def of(cls, rows: "pl.DataFrame | pl.LazyFrame | FeatureTable") -> "FeatureTable":
        """Takes a frame for its rows, and rows for themselves.

        Raises:
            DataError: They are something else.
        """
        if isinstance(rows, FeatureTable):
            return rows
        frame = as_frame(rows, "the feature table")
        return cls(frame.lazy(), frame.height)

    @classmethod
    def read(cls, features: DatasetRef) -> "FeatureTable":
        """Opens all rows of a dataset.

        Raises:
            DataError: See `churnlib.io.datasets.scan`.
        """
        table = datasets.scan(features)
        height = table.select(pl.len()).collect().item()
        if height <= PART:  # One part fits in memory, and fitting goes over it many times.
            table = datasets.read(features).lazy()
        return cls(table, height)

    def where(self, condition: pl.Expr) -> "FeatureTable":
        """Keeps only the rows of which a condition is true."""
        both = condition if self.keep is None else self.keep & condition
        return replace(self, keep=both)

    def columns(self, *names: str) -> pl.DataFrame:
        """Reads a few columns of all rows."""
        return self._kept(self.table.head(self.height)).select(names).collect()

    @property
    def parts(self) -> range:
        """The numbers of the parts; there is one even of no rows, so that there are columns."""
        return range(-(-max(self.height, 1) // self.size))

    def part(self, number: int) -> pl.DataFrame:
        """Reads one part; it may be empty."""
        return self._part(number).collect()

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Reads part after part."""
        return map(self.part, self.parts)

    def only(self, *names: str) -> Iterator[pl.DataFrame]:
        """Reads a few columns, part after part."""
        return (self._part(number).select(names).collect() for number in self.parts)

    def _part(self, number: int) -> pl.LazyFrame:
        start = number * self.size
        length = min(self.size, self.height - start)
        return self._kept(self.table.slice(start, length))

    def _kept(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        return frame if self.keep is None else frame.filter(self.keep)
