"""The cluster bootstrap behind all intervals: it draws characters, each with all its rows.

The subscriptions of one character are alike, so drawing rows would make intervals too narrow. Each
character has a weight in each draw, Poisson-distributed with mean 1, which approximates how often
it would be drawn with replacement (Hanley and MacGibbon, Computer Methods and Programs in
Biomedicine 83, 2006). All metrics of the same rows share the weights, so differences are paired.
"""

from dataclasses import dataclass
from functools import cached_property
from math import exp, factorial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from churnlib.seeds import derive_seed

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

DRAWS = 1000
"""The number of draws, which gives standard errors an accuracy of about 2 %."""
MAX_UNITS = 10_000
"""More characters are drawn in this many random groups, which bounds memory and time, and changes
standard errors by about 1 %."""
SEED = 0
"""The fixed seed of the draws, so that the same rows have the same intervals."""


def _poisson_quantiles() -> Floats:
    """Maps 65,536 equally likely numbers to Poisson-distributed counts of mean 1."""
    chances = [exp(-1) / factorial(count) for count in range(16)]
    steps = (np.arange(2**16) + 0.5) / 2**16
    return np.searchsorted(np.cumsum(chances), steps).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Resampling:
    """Bootstrap draws of the characters of some rows.

    Attributes:
        units: The unit of each row: its character, or the group that the character is in.
        weights: How often each unit is drawn, one column per draw.
    """

    units: Whole
    weights: Floats

    @classmethod
    def over(cls, characters: pl.Series, draws: int = DRAWS) -> "Resampling":
        """Draws characters.

        Args:
            characters: The character of each row. The order of rows does not matter.
            draws: The number of draws.
        """
        units = characters.rank("dense").to_numpy().astype(np.int64) - 1
        count = int(units.max(initial=-1)) + 1
        if count > MAX_UNITS:
            shuffled = np.random.default_rng(derive_seed(SEED, "units")).permutation(count)
            units, count = shuffled[units] % MAX_UNITS, MAX_UNITS
        bits = np.random.default_rng(derive_seed(SEED, "weights"))
        drawn = bits.integers(2**16, size=(count, draws), dtype=np.uint16)
        return cls(units, _poisson_quantiles()[drawn])

    def where(self, keep: Flags) -> "Resampling":
        """Selects some of the rows, with the same draws."""
        units = self.units[keep]
        kept = np.bincount(units, minlength=len(self.weights)) > 0
        if kept.all():
            return Resampling(units, self.weights)
        return Resampling((np.cumsum(kept) - 1)[units], self.weights[kept])

    def count(self, keep: Flags) -> int:
        """Counts the units that some of the rows belong to."""
        return int(np.count_nonzero(np.bincount(self.units[keep], minlength=1)))

    def totals(self, cells: Whole, count: int, values: Floats | None = None) -> Floats:
        """Adds up the rows of each cell in each draw.

        Args:
            cells: The cell of each row, from 0.
            count: The number of cells.
            values: The values to add up; None counts the rows.

        Returns:
            One row per cell, one column per draw.
        """
        from scipy import sparse  # Takes time that a run whose results are cached does not need.

        values = np.ones(len(cells)) if values is None else values
        shape = (count, len(self.weights))
        if count * len(self.weights) <= len(cells):
            places = cells * len(self.weights) + self.units
            dense = np.bincount(places, values, count * len(self.weights))
            entries = sparse.csr_array(dense.reshape(shape))
        else:
            scattered = sparse.coo_array((values, (cells, self.units)), shape=shape)
            # Duplicate entries may remain, which saves sorting: the product adds them up.
            scattered.has_canonical_format = True
            entries = scattered.tocsr()
        # A sparse product adds up in the same order with any number of threads.
        totals: Floats = entries @ self.weights
        return totals

    def by_unit(self, values: Floats) -> Floats:
        """Adds up a value of each row by unit."""
        return np.bincount(self.units, values, len(self.weights)).astype(np.float64)

    def draw_units(self, values: Floats) -> Floats:
        """Adds up values of each unit in each draw: one row per kind of value."""
        from scipy import sparse

        drawn: Floats = sparse.csr_array(values) @ self.weights
        return drawn

    def sums(self, values: Floats) -> Floats:
        """Adds up a value of each row in each draw."""
        (sums,) = self.totals(np.zeros(len(values), np.int64), 1, values)
        return np.asarray(sums)

    @cached_property
    def rows(self) -> Floats:
        """The number of rows in each draw."""
        return self.sums(np.ones(len(self.units)))
